"""What the Atelier wrote below its examples: attributes of person and garment, and tags of what makes a case hard."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mavton_lite.files import LARGEST_TEXT, regular

FACTS = "examples.jsonl"  # in the folder of a split, a line an example


def read_facts(path: Path) -> Iterator[dict[str, Any]]:
    """The facts of one example after another, in the order of their index.

    Raises: ValueError naming file and line where there is something else than facts with tags.
    """
    wanted = "wanted facts as the Atelier writes them: index, person, garment, tags"
    regular(path, wanted, LARGEST_TEXT)
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    facts = json.loads(line)
                    tags = facts["tags"]
                    sound = facts["index"] == number - 1 and all(
                        isinstance(t, str) for kind in ("paired", "unpaired") for t in tags[kind]
                    )
                except (ValueError, KeyError, TypeError, RecursionError) as error:
                    raise ValueError(f"{path}: found {error!r} in line {number}, {wanted}") from None
                if not sound:
                    raise ValueError(f"{path}: found {line.strip()[:60]!r} in line {number}, {wanted}")
                yield facts
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: found {error}, {wanted}") from error


def read_tags(path: Path, people: Sequence[str], pairs: str) -> list[list[str]]:
    """The tags of each person's example, paired or unpaired.   Raises: ValueError when one of them is not in the file.

    Shape: people are file names without their endings, such as `000007_0`.
    """
    tags = [facts["tags"][pairs] for facts in read_facts(path)]
    known = {f"{index:06d}_0": index for index in range(len(tags))}
    missing = next((name for name in people if name not in known), None)
    if missing is not None:
        raise ValueError(f"{path}: found {len(tags)} examples, wanted one for {missing}")
    return [tags[known[name]] for name in people]
