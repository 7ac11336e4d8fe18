"""VITON and CP-VTON's folders (`viton_resize`), CP-VTON+'s and the Atelier's: `000001_0.jpg` wears `000001_1.jpg`."""

from __future__ import annotations

from mavton_lite.data.folder import Layout, stem


def own_cloth(person: str) -> str:
    """`000001_0.jpg` -> `000001_1.jpg`.   Raises: ValueError when the name has no `_0`."""
    name = stem(person)
    if not name.endswith("_0"):
        raise ValueError(
            f"found no '_0' at the end of the person's name {person!r}, wanted VITON's naming or a test_pairs_same.txt"
        )
    return f"{name[:-1]}1{person[len(name) :]}"


# Source: CP-VTON's data, 192 x 256 pictures; label 20 (neck) is CP-VTON+'s.
VITON = Layout(
    name="VITON",
    parse=("image-parse", "image-parse-new"),  # CP-VTON's; CP-VTON+ only ships the second
    pose=("pose",),
    highest_label=20,
    own_cloth=own_cloth,
    lists_are_paired=True,
)
