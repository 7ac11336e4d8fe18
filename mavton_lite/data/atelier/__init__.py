"""The Atelier: a synthetic photo studio whose people, garments and truth are exact and free to share."""

from pathlib import Path

from mavton_lite.compiled import kept_compiled

# These two import every module that has compiled functions.
with kept_compiled(Path(__file__).parent):
    from mavton_lite.data.atelier.render import Picture, Stage, flat_lay
    from mavton_lite.data.atelier.write import garment_of, person_of, write_world

__all__ = ["Picture", "Stage", "flat_lay", "garment_of", "person_of", "write_world"]
