"""Statistics of a small folder made by hand: every number is one that can be counted on the drawing."""

import json
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mavton_lite.data.sample import COCO18
from mavton_lite.data.statistics import QUANTITIES, TRANSFERS, VITON, arm_pose, beside_viton, measure, table
from mavton_lite.plots import style
from mavton_lite.plots.statistics import CARD_MARKS, statistics_figure, update_card

H, W = 256, 192


def points(**places):
    """Key points of someone upright with arms down; `left_wrist=(x, y)` or None changes one."""
    out = {"neck": (96, 80), "right shoulder": (66, 80), "left shoulder": (126, 80), "right elbow": (60, 130),
           "left elbow": (132, 130), "right wrist": (58, 180), "left wrist": (134, 180), "right hip": (72, 190),
           "left hip": (120, 190), "nose": (96, 40)}  # fmt: skip
    out |= {k.replace("_", " "): v for k, v in places.items()}
    array = np.zeros((18, 3))
    for name, place in out.items():
        if place is not None:
            array[COCO18.index(name)] = *place, 1
    return array


def write_example(root, index, keypoints, arm=None, tone=200):
    parse = np.zeros((H, W), np.uint8)
    parse[20:70, 76:116] = 13
    parse[12:20, 76:116] = 2
    parse[80:200, 60:132] = 5
    parse[200:, 60:132] = 9
    if arm is not None:
        parse[arm] = 15
    image = np.full((H, W, 3), 230, np.uint8)
    image[parse == 13] = tone
    cloth = np.full((H, W, 3), 255, np.uint8)
    mask = np.zeros((H, W), np.uint8)
    mask[64:192, 48:144] = 255
    cloth[mask > 0] = 51
    files = {"image": image, "cloth": cloth, "cloth-mask": mask, "image-parse": parse}
    for folder, picture in files.items():
        name = f"{index:06d}_{int(folder.startswith('cloth'))}.png"
        (root / "train" / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(root / "train" / folder / name)
    (root / "train/pose").mkdir(exist_ok=True)
    pose = {"people": [{"pose_keypoints": keypoints.ravel().tolist()}]}
    (root / f"train/pose/{index:06d}_0_keypoints.json").write_text(json.dumps(pose))


@pytest.fixture
def folder(tmp_path):
    write_example(tmp_path, 0, points())
    write_example(tmp_path, 1, points(left_wrist=(100, 140)), arm=np.s_[120:150, 60:132], tone=100)
    write_example(tmp_path, 2, points(right_hip=None, left_wrist=None))
    (tmp_path / "train_pairs.txt").write_text("".join(f"{i:06d}_0.png {i:06d}_1.png\n" for i in range(3)))
    return tmp_path


def facts(index, **tags):
    person = {"arms": ["down", "front"], "hair": "bob", "lower": "jeans", "tone": 0.4}
    garment = {"sleeve": "long", "neck": "V", "cloth": "stripes"}
    return {
        "index": index,
        "person": person,
        "garment": garment,
        "tags": {"paired": [], "unpaired": ["stripes"]} | tags,
    }


def test_framing_and_coverage_are_counted(folder):
    rows = measure(folder).rows
    np.testing.assert_allclose(rows["head_top"], 12 / H)
    np.testing.assert_allclose(rows["shoulder_width"], 60 / W)
    np.testing.assert_allclose(rows["shoulder_row"], 80 / H)
    np.testing.assert_allclose(rows["hip_row"], [190 / H, 190 / H, np.nan])
    np.testing.assert_allclose(rows["centre"], 0.5)
    np.testing.assert_allclose(rows["garment"], [120 * 72 / (H * W), 90 * 72 / (H * W), 120 * 72 / (H * W)])
    np.testing.assert_allclose(rows["arms"], [0, 30 * 72 / (H * W), 0])
    np.testing.assert_allclose(rows["hair"], 8 * 40 / (H * W))
    np.testing.assert_allclose(rows["lower"], 56 * 72 / (H * W))
    np.testing.assert_allclose(rows[["garment", "arms", "hair", "lower", "ground"]].sum(axis=1), 1 - 50 * 40 / (H * W))
    np.testing.assert_allclose(rows["arm_hides"], [0, 30 / 109, np.nan], atol=0.01)
    np.testing.assert_allclose(rows["face_luma"], [200 / 255, 100 / 255, 200 / 255], atol=1e-6)
    np.testing.assert_allclose(rows["ground_luma"], 230 / 255, atol=1e-6)
    np.testing.assert_allclose(rows["ground_spread"], 0, atol=1e-6)
    np.testing.assert_allclose(rows["cloth_luma"], 0.2, atol=1e-6)
    np.testing.assert_allclose(rows["cloth_fill"], 0.25)
    assert list(rows["left arm"]) == ["down", "front", "not seen"] and set(rows["right arm"]) == {"down"}


@pytest.mark.parametrize(
    "pose,changes",
    [
        ("down", {}),
        ("bent", {"left_wrist": (180, 120)}),
        ("hip", {"left_elbow": (165, 140), "left_wrist": (136, 172)}),
        ("front", {"left_wrist": (95, 130)}),
        ("raised", {"left_wrist": (140, 30)}),
        ("raised", {"left_elbow": (160, 60), "left_wrist": None}),
        ("not seen", {"left_wrist": None}),
        ("not seen", {"left_shoulder": None}),
    ],
)
def test_arm_poses_from_key_points(pose, changes):
    keypoints = points(**changes)
    assert arm_pose(keypoints, "left", (H, W)) == pose
    mirrored = keypoints.copy()
    mirrored[:, 0] = np.where(keypoints[:, 2] > 0, W - keypoints[:, 0], 0)
    for name in COCO18:
        if name.startswith("left "):
            a, b = COCO18.index(name), COCO18.index(name.replace("left", "right"))
            mirrored[[a, b]] = mirrored[[b, a]]
    assert arm_pose(mirrored, "right", (H, W)) == pose


def test_facts_are_read_where_they_are(folder):
    assert measure(folder).facts.empty and not measure(folder).tags
    lines = [facts(0), facts(1, unpaired=["stripes", "arm in front"]), facts(2)]
    (folder / "train/examples.jsonl").write_text("".join(json.dumps(f) + "\n" for f in lines))
    measured = measure(folder, limit=2, name="mine")
    assert len(measured.rows) == len(measured.facts) == 2 and measured.name == "mine"
    assert measured.tags == {"stripes": 1.0, "arm in front": 0.5}
    assert set(measured.facts["sleeve"]) == {"long"}


def test_tables(folder):
    a, b = measure(folder, name="a"), measure(folder, limit=1, name="b")
    out = table([a, b]).set_index("quantity")
    assert list(out.columns) == ["a", "b"] and out.loc["examples", "a"] == "3"
    assert set(QUANTITIES.values()) < set(out.index)
    assert out.loc["between the shoulders, of the width", "a"] == "0.312 (0.312 to 0.312)"
    assert float(out.loc["arms: front", "a"]) == pytest.approx(1 / 6, abs=1e-3)
    beside = beside_viton((256, 192), {"train": 14221, "test": 2032})
    assert list(beside[""]) == list(VITON) and beside["Atelier"][1].startswith("14,221")
    assert set(TRANSFERS["carries over to photographs"]) == {"yes", "partly", "no"} and not TRANSFERS.isna().any(
        axis=None
    )


def test_bad_folders_are_named(tmp_path):
    with pytest.raises(ValueError, match="no known folder of key points"):
        measure(tmp_path)


def test_figure_of_one_and_of_two_folders(folder, tmp_path):
    style.use()
    plain = measure(folder, name="photographs")
    figure = statistics_figure([plain])
    assert len(figure.axes) == 5
    lines = [facts(0), facts(1), facts(2)]
    (folder / "train/examples.jsonl").write_text("".join(json.dumps(f) + "\n" for f in lines))
    both = statistics_figure([measure(folder, name="Atelier"), plain])
    assert len(both.axes) == 10 and [t.get_text() for t in both.legends[0].get_texts()] == ["Atelier", "photographs"]
    bars = next(a for a in both.axes if a.get_title(loc="left") == "sleeves")
    assert [p.get_width() for p in bars.patches] == [1.0]
    assert style.save(both, tmp_path / "both.png").stat().st_size > 20_000
    with pytest.raises(ValueError, match="at least one folder"):
        statistics_figure([])


def test_measuring_is_the_same_twice(folder):
    pd.testing.assert_frame_equal(measure(folder).rows, measure(folder).rows)


def test_the_data_card_is_brought_up_to_date(folder, tmp_path):
    (folder / "train/examples.jsonl").write_text("".join(json.dumps(facts(k)) + "\n" for k in range(3)))
    card = tmp_path / "CARD.md"
    card.write_text("before\n<!-- composition -->\nold\n<!-- end of composition -->\nafter\n")
    for _ in range(2):
        update_card(card, measure(folder, name="Atelier"), "mavton data make --train 3")
        text = card.read_text()
        assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
        assert text.count("Measured on 3 examples made by `mavton data make --train 3`") == 1
        assert "- cloth: stripes 100.0%" in text and "| garment, of the picture" in text
    card.write_text("no marks")
    with pytest.raises(ValueError, match="wanted both marks"):
        update_card(card, measure(folder), "")


def test_the_shipped_card_has_its_composition():
    text = files("mavton_lite.data.atelier").joinpath("DATA_CARD.md").read_text(encoding="utf-8")
    section = text.partition(CARD_MARKS[0])[2].partition(CARD_MARKS[1])[0]
    assert "Measured on" in section and all(k in section for k in QUANTITIES.values())
    for row in TRANSFERS.itertuples():
        assert f"| {row[1]} | {row[2]} | {row[3]} |" in text  # the card and the table in notebooks say the same
    for what, viton in VITON.items():
        assert f"| {what} | {viton} |" in text
