"""VITON-HD's folders, both releases: person and garment share one name; parses hold ids 0..19, 10 is torso skin."""

from __future__ import annotations

from mavton_lite.data.folder import Layout

# Source: VITON-HD's code (first names) and the full release that HR-VITON uses (second names), 768 x 1024 pictures.
# The second column of its lists names another garment: a person's own garment has the person's name.
VITON_HD = Layout(
    name="VITON-HD",
    parse=("image-parse", "image-parse-v3"),
    pose=("openpose-json", "openpose_json"),
    highest_label=19,
    own_cloth=str,
    lists_are_paired=False,
)
