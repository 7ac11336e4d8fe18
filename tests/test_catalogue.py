"""Contact sheets show their pictures pixel for pixel and in order."""

import numpy as np
import pytest
import torch
from PIL import Image

from mavton_lite.plots import style
from mavton_lite.plots.catalogue import by_tag, garment_sheet, hard_sheet, pairs_sheet, people_sheet

H, W = 32, 24


def sample(number, truth=True):
    """Every picture one grey, person, cloth and truth three neighbouring ones."""
    flat = lambda k: torch.full((3, H, W), (4 * number + k) / 64 * 2 - 1)  # noqa: E731
    out = {"name": f"{number:06d}_0", "image": flat(0), "cloth": flat(1)}
    return out | ({"truth_image": flat(2)} if truth else {})


def greys(figure, tmp_path):
    """The greys of a saved sheet that fill a picture, from left to right and top to bottom."""
    style.use()
    picture = np.asarray(Image.open(style.save(figure, tmp_path / "sheet.png")).convert("L")).astype(int)
    found = []
    for y in range(picture.shape[0] - H):
        for x in range(picture.shape[1] - W):
            here, above, before = picture[y, x], picture[max(y - 1, 0), x], picture[y, max(x - 1, 0)]
            if here < 250 and here not in (above, before) and np.ptp(picture[y : y + H, x : x + W]) == 0:
                found.append(round(here / 255 * 64))
    return found


def test_people_and_garments(tmp_path):
    samples = [sample(k) for k in range(5)]
    assert greys(people_sheet(samples, columns=3), tmp_path) == [0, 4, 8, 12, 16]
    assert greys(garment_sheet(samples[:2], columns=3), tmp_path) == [1, 5]
    with pytest.raises(ValueError, match="no pictures"):
        people_sheet([])


def test_pairs_are_person_garment_truth(tmp_path):
    assert greys(pairs_sheet([sample(k) for k in range(3)], columns=2), tmp_path) == [0, 1, 2, 4, 5, 6, 8, 9, 10]
    with pytest.raises(ValueError, match="000000_0: found no truth"):
        pairs_sheet([sample(0, truth=False)])


def test_hard_cases_have_a_row_a_tag(tmp_path):
    cases = {"lettering": ("words", [sample(1), sample(2)]), "coat": ("over it", []), "raised arm": ("up", [sample(3)])}
    figure = hard_sheet(cases)
    assert [t.get_text() for t in figure.texts] == ["lettering", "words", "raised arm", "up"]
    assert greys(figure, tmp_path) == [4, 5, 6, 8, 9, 10, 12, 13, 14]


def test_samples_are_dealt_to_rare_tags_first():
    samples, tags = [sample(k) for k in range(4)], [["a", "b"], ["a"], ["a"], ["a", "c"]]
    dealt = by_tag(samples, tags, ("a", "b", "c", "d"), each=2)
    assert {k: [s["name"][5] for s in v] for k, v in dealt.items()} == {"a": ["1", "2"], "b": ["0"], "c": ["3"]}
