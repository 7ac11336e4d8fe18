"""Write a world to disk in CP-VTON's layout: in any number of processes and parts, interrupted or not, the same bytes.

Files are written under a temporary name and renamed. A journal has a line for every example whose files are in place;
the call that finds every example there writes what is about all of them: the lists of pairs, `SPLIT/examples.jsonl`
(attributes and tags, a line an example) and, last, `manifest.json`. Only a few pairs are ever in memory.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mavton_lite import files
from mavton_lite.config import SEED
from mavton_lite.data.atelier.encode import FOLDERS, encode, index_of
from mavton_lite.data.atelier.example import SPLITS, VERSION, World, draw_pair, garment_of, keypoints_of, person_of
from mavton_lite.data.atelier.render import PARTS
from mavton_lite.data.facts import FACTS

__all__ = ["SPLITS", "VERSION", "World", "garment_of", "keypoints_of", "person_of", "write_world"]

_WHOLE = f"every example written is whole, and {files.MENDED} (--workers 1 takes least)"
MOST = 1_000_000  # examples of a split
_WAITING = 4  # pairs handed out ahead, per process
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def write_world(
    root: Path,
    n_train: int,
    n_test: int,
    height: int,
    width: int,
    seed: int = SEED,
    workers: int | None = None,
    progress: bool = True,
    *,
    n_val: int = 0,
    n_hard: int = 0,
    look: str = "studio",
    options: Collection[str] = (),
    shard: tuple[int, int] = (1, 1),
) -> Path:
    """Write a world under `root` -> its manifest.json; returns at once if it is there.

    `shard` (i, n) writes the i-th of n parts: into one folder, or into folders that are copied together afterwards.
    The manifest is there when every part is: the last part writes it, or a call without `shard` after the copying.
    `look` is a look of `look.py`; `options` are "coats" over some garments and "dresses" among them.
    Raises: ValueError for an odd count, a size that is not 4:3, an unknown look, option or part, or when `root` holds
    another world; OSError when the disk refuses.
    """
    world = World(seed, height, width, look, tuple(options))
    counts = _checked_counts({"train": n_train, "test": n_test, "val": n_val, "hard": n_hard})
    part, parts = shard
    if not 1 <= part <= parts:
        raise ValueError(f"shard: found {part}/{parts}, wanted i/n with 1 <= i <= n")
    if workers is not None and workers < 1:
        raise ValueError(f"workers: found {workers}, wanted at least 1")
    root = Path(root)
    manifest = root / "manifest.json"
    if manifest.exists():
        # an earlier version's world is another world, whatever else its manifest lacks
        _same_world(manifest, files.read_object(manifest, world=dict)["world"], world.card())
        found = files.read_object(manifest, counts=dict, bytes=int, sha256=dict)
        if found["counts"] == counts:
            return manifest
    for split in counts:
        for folder in FOLDERS:
            (root / split / folder).mkdir(parents=True, exist_ok=True)
    done = _done(root, world, counts)
    mine = [(s, p) for s in counts for p in range(counts[s] // 2) if p % parts == part - 1]
    todo = [(s, p) for s, p in mine if not {2 * p, 2 * p + 1} <= done[s]]
    path = root / _journal_name(part, parts)
    with (
        _open_journal(path, world) as journal,
        tqdm(
            total=2 * len(mine),
            initial=2 * (len(mine) - len(todo)),
            desc="Atelier" if parts == 1 else f"Atelier {part}/{parts}",
            unit="example",
            disable=not progress,
        ) as bar,
    ):
        for lines in _run(todo, world, root, workers):
            _append(journal, path, "".join(lines))
            bar.update(len(lines))
    if todo:
        done = _done(root, world, counts)
    if all(len(done[s]) == n for s, n in counts.items()):
        _finish(root, world, counts)
    return manifest


def _checked_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """The splits that have examples.   Raises: ValueError naming a split whose count cannot be."""
    for split, n in counts.items():
        if n > MOST:
            raise ValueError(f"{split}: found {n} examples, wanted at most {MOST:,}: names have six digits")
        if n % 2 or n < 0 or (n < 2 and split in ("train", "test")):
            least = 2 if split in ("train", "test") else 0
            raise ValueError(
                f"{split}: found {n} examples, wanted an even number, at least {least}: they come in pairs; "
                f"the next is {max(n + n % 2, least)}"
            )
    return {s: counts[s] for s in SPLITS if counts[s]}


def _run(todo: list[tuple[str, int]], world: World, root: Path, workers: int | None) -> Iterator[list[str]]:
    """Journal lines of `_write_pair` as they come, from worker processes or from here."""
    workers = min(workers or os.cpu_count() or 1, len(todo))
    if workers <= 1:
        for split, pair in todo:
            yield _write_pair(world, root, split, pair)
        return
    jobs: Iterator[tuple[str, int]] = iter(todo)
    waiting: set[Future[list[str]]] = set()
    # Spawned, not forked: the caller may hold threads and an accelerator.
    context = multiprocessing.get_context("spawn")
    with _one_thread_each(), ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(root,)) as pool:
        try:
            while True:
                for job in islice(jobs, _WAITING * workers - len(waiting)):
                    waiting.add(pool.submit(_write_pair, world, root, *job))
                if not waiting:
                    return
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for pair_written in finished:
                    yield pair_written.result()
        except BrokenProcessPool:
            raise ChildProcessError(f"a worker process was killed, perhaps for want of memory; {_WHOLE}") from None
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started meanwhile do their sums in one thread: there is one process a core already."""
    before = {k: os.environ.get(k) for k in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


def _begin(root: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # after Ctrl-C the pair at hand is finished, and no other is begun
    signal.signal(signal.SIGTERM, lambda *_: _end(root))  # when one process is killed, the pool ends the others
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end(root: Path) -> None:
    """End this process now, and leave nothing half-written."""
    for split in SPLITS:
        for folder in FOLDERS:
            files.sweep(root / split / folder, os.getpid())
    os._exit(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # a killed parent cannot say that it is over
        os._exit(1)


def _write_pair(world: World, root: Path, split: str, pair: int) -> list[str]:
    """Write two examples -> their journal lines."""
    lines = []
    for example in draw_pair(world, split, pair):
        digest, size = hashlib.sha256(), 0
        for name, data in sorted(encode(example).items()):
            files.write_bytes(root / split / name, data)
            digest.update(name.encode() + b"\0" + data)
            size += len(data)
        row = {"split": split, "index": example.index, "sha256": digest.hexdigest(), "bytes": size}
        lines.append(json.dumps(row | {"facts": example.facts}) + "\n")
    return lines


def _journal_name(part: int, parts: int) -> str:
    return "journal.jsonl" if parts == 1 else f"journal-{part}-of-{parts}.jsonl"


def _open_journal(path: Path, world: World) -> FileIO:
    """Open a journal to append to; a line cut off by a crash is removed first."""
    with files.appending(path):
        if path.exists():
            whole = path.read_bytes()
            os.truncate(path, whole.rfind(b"\n") + 1)
        journal = path.open("ab", buffering=0)  # nothing is left in a buffer to fail a second time
    if not journal.tell():
        _append(journal, path, json.dumps({"world": world.card()}) + "\n")
    return journal


def _append(journal: FileIO, path: Path, text: str) -> None:
    left = text.encode()
    with files.appending(path):
        while left:  # the last write before a disk is full is a short one
            left = left[journal.write(left) :]


def _journal_rows(root: Path, world: World) -> Iterator[dict[str, Any]]:
    """The examples that all journals of a folder know of.   Raises: ValueError when one is of another world."""
    for path in sorted(p for p in root.glob("journal*.jsonl") if re.fullmatch(r"journal(-\d+-of-\d+)?\.jsonl", p.name)):
        with path.open("rb") as journal:
            for k, line in enumerate(journal):
                if not line.endswith(b"\n"):
                    break  # cut off by a crash, or another part is writing it
                try:
                    row = json.loads(line)
                    sound = isinstance(row["world"], dict) if k == 0 else _is_row(row)
                except (ValueError, KeyError, TypeError, RecursionError):
                    sound = False
                if not sound:
                    raise ValueError(f"{path}, line {k + 1}: found {line[:40]!r}, wanted what was written there")
                if k == 0:
                    _same_world(path, row["world"], world.card())
                else:
                    yield row


def _is_row(row: dict[str, Any]) -> bool:
    kinds = {"split": str, "index": int, "sha256": str, "bytes": int, "facts": dict}
    return all(isinstance(row[name], kind) for name, kind in kinds.items()) and row["index"] >= 0


def _done(root: Path, world: World, counts: Mapping[str, int]) -> dict[str, set[int]]:
    """The finished examples of each split: those in a journal whose files are all there."""
    done: dict[str, set[int]] = {s: set() for s in counts}
    for row in _journal_rows(root, world):
        if row["index"] < counts.get(row["split"], 0):
            done[row["split"]].add(row["index"])
    for split, indices in done.items():
        for folder in FOLDERS:
            indices &= {index_of(name) for name in os.listdir(root / split / folder)}
    return done


def _finish(root: Path, world: World, counts: Mapping[str, int]) -> None:
    """Write what is about all examples: their facts, the pairs, and last the manifest."""
    digests: dict[str, str] = {}
    sizes: dict[str, list[int]] = {}
    for split, n in counts.items():
        facts, sizes[split] = [""] * n, [0] * n
        for row in _journal_rows(root, world):  # an example whose files were lost has more than one
            if row["split"] == split and row["index"] < n:
                facts[row["index"]], sizes[split][row["index"]] = json.dumps(row["facts"]) + "\n", row["bytes"]
                digests[f"{split}/{row['index']}"] = row["sha256"]
        files.write_text(root / split / FACTS, "".join(facts))
        for folder in FOLDERS:  # what a killed process left
            files.sweep(root / split / folder)
    for split, n in counts.items():
        names = {f"{split}_pairs": int(split != "train")} | ({} if split == "train" else {f"{split}_pairs_same": 0})
        for name, other in names.items():
            lines = "".join(f"{i:06d}_0.jpg {i ^ other:06d}_1.jpg\n" for i in range(n))
            files.write_text(root / f"{name}.txt", lines)
    ordered = {f"{s}/{i}": digests[f"{s}/{i}"] for s in counts for i in range(counts[s])}
    card = {"world": world.card(), "counts": dict(counts), "bytes": sum(map(sum, sizes.values())), "parts": PARTS}
    files.write_text(root / "manifest.json", json.dumps(card | {"sha256": ordered}, indent=0))


def _same_world(path: Path, found: dict, wanted: dict) -> None:
    if found != wanted:
        raise ValueError(f"{path}: holds the world {found}, wanted {wanted}; choose another folder or remove this one")


