"""The parser: its score by hand and by torchmetrics, its losses, what it learns from, and pictures of any size."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torchmetrics.classification import MulticlassJaccardIndex
from worlds import figure_parse, paint, random_batch, write_viton

from mavton_lite import answers_parsing, zoo
from mavton_lite.config import LITE, SMOKE, ParserSettings
from mavton_lite.data.photo import frame
from mavton_lite.data.photo_backend import Reading
from mavton_lite.data.photo_parse import PhotoParse
from mavton_lite.data.sample import COCO18
from mavton_lite.data.scenery import grounds, on_another_ground, recoloured, reframed, vary
from mavton_lite.exercise import check
from mavton_lite.losses import jaccard
from mavton_lite.metrics.parsing import Overlap, overlap, score
from mavton_lite.models.build import build_parser
from mavton_lite.models.parser import CLASSES, Parser
from mavton_lite.objective_parse import ParserObjective, lip_labels
from mavton_lite.obtain import obtain
from mavton_lite.parsing import parse, relabelled, score_on, table, varied_people
from mavton_lite.plots import parsing as plots
from mavton_lite.plots import style
from mavton_lite.train import fit
from mavton_lite.trained import load
from mavton_lite.tryon import try_on_photo

SIZE = SMOKE.size


def figures(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """People made of rectangles.   Shape: (n, 3, H, W) in [-1, 1], (n, H, W) int64."""
    rng = np.random.default_rng(seed)
    parses = [figure_parse(rng, *SIZE) for _ in range(count)]
    pictures = np.stack([paint(np.random.default_rng(1), p) for p in parses])  # everybody in the same colours
    labels = torch.from_numpy(np.stack(parses)).long()
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1, labels


# --- the score


def test_intersection_over_union_by_hand():
    truth = torch.tensor([[[0, 0, 5, 5]], [[0, 0, 0, 13]]])
    found = torch.tensor([[[0, 5, 5, 5]], [[0, 0, 0, 2]]])
    counts = overlap(found, truth)
    assert counts.both[:, [0, 2, 5, 13]].tolist() == [[1, 0, 2, 0], [3, 0, 0, 0]]
    assert counts.either[:, [0, 2, 5, 13]].tolist() == [[2, 0, 3, 0], [3, 1, 0, 1]]
    assert counts.truth[:, [0, 2, 5, 13]].tolist() == [[2, 0, 2, 0], [3, 0, 0, 1]]
    found = score(counts)
    assert list(found.classes) == ["background", "upper clothes", "face"]  # hair is nowhere in the truth
    assert [c.mean for c in found.classes.values()] == pytest.approx([4 / 5, 2 / 3, 0])
    assert [c.n for c in found.classes.values()] == [2, 1, 1]
    assert found.mean.mean == pytest.approx((4 / 5 + 2 / 3) / 3) and found.accuracy == pytest.approx(6 / 8)


def test_intersection_over_union_is_torchmetrics():
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, CLASSES, (6, 9, 7), generator=generator)
    found = torch.where(torch.rand(6, 9, 7, generator=generator) < 0.6, truth, truth.roll(1, 2))
    oracle = MulticlassJaccardIndex(CLASSES, average="none")(found, truth)
    ours = score(overlap(found, truth))
    assert torch.allclose(torch.tensor([c.mean for c in ours.classes.values()]), oracle.double().float(), atol=1e-6)
    assert ours.mean.mean == pytest.approx(oracle.mean().item(), abs=1e-6)


def test_intervals_tell_how_much_the_people_differ():
    alike = Overlap(*(torch.full((40, 1), n) for n in (8, 10, 9)))
    found = score(alike)
    assert found.mean.low == found.mean.mean == found.mean.high == pytest.approx(0.8)
    both = torch.arange(40).remainder(2).mul(8)[:, None]  # every second one is missed altogether
    found = score(Overlap(both, alike.either, alike.truth))
    # a share of 40 coins: 0.4 +- 1.96 * 0.4 / sqrt(40)
    assert found.mean.mean == pytest.approx(0.4) and found.mean.low == pytest.approx(0.4 - 0.124, abs=0.03)
    assert found.mean.high == pytest.approx(0.4 + 0.124, abs=0.03)
    assert score(Overlap(both, alike.either, alike.truth)) == found  # the same every time


def test_a_score_refuses_what_it_cannot_count():
    labels = torch.zeros(2, 4, 3, dtype=torch.long)
    with pytest.raises(ValueError, match=r"wanted two \(n, H, W\) of labels"):
        overlap(labels, labels[:1])
    with pytest.raises(ValueError, match=r"found: labels 0\.\.20, wanted 0\.\.19"):
        overlap(labels.index_fill(2, torch.tensor([1]), 20), labels)
    with pytest.raises(ValueError, match="no pictures to score"):
        score(overlap(labels[:0], labels[:0]))


# --- the losses


def test_jaccard_by_hand():
    shares = torch.tensor([[0.9, 0.2], [0.1, 0.8]])  # two classes, two pixels
    logits = shares.log().view(1, 2, 1, 2)
    value = jaccard(logits, torch.tensor([[[0, 1]]]))
    first, second = 0.9 / (0.9 + 0.2 + 1 - 0.9), 0.8 / (0.1 + 0.8 + 1 - 0.8)
    assert value.item() == pytest.approx(1 - (first + second) / 2, abs=1e-6)
    one = jaccard(logits, torch.tensor([[[0, 0]]]))  # a class that is nowhere counts nothing
    assert one.item() == pytest.approx(1 - 1.1 / 2, abs=1e-6)
    with pytest.raises(ValueError, match="wanted logits"):
        jaccard(logits, torch.zeros(1, 2, 2, dtype=torch.long))


def test_jaccard_of_millions_of_pixels_is_not_rounded_away():
    logits = torch.tensor([3.0, 0.0]).view(1, 2, 1, 1).expand(100, 2, 200, 200)  # 0.953 and 0.047 everywhere
    truth = torch.zeros(100, 200, 200, dtype=torch.long)
    assert jaccard(logits, truth).item() == pytest.approx(1 - torch.tensor(3.0).sigmoid().item(), abs=1e-5)


def test_jaccard_of_certain_logits_is_the_metric():
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 4, (2, 6, 5), generator=generator)
    found = torch.randint(0, 4, (2, 6, 5), generator=generator)
    certain = 40.0 * F.one_hot(found, CLASSES).permute(0, 3, 1, 2)
    measured = score(Overlap(*(t.sum(0, keepdim=True) for t in overlap(found, truth))))
    assert jaccard(certain, truth).item() == pytest.approx(1 - measured.mean.mean, abs=1e-5)


# --- what it learns from


def test_varied_pictures_keep_their_labels():
    """Where a picture is its labels in colour, it still is after framing: borders aside, where colours mix."""
    _, labels = figures(8)
    picture = (labels[:, None] / 10 - 1).expand(-1, 3, -1, -1).contiguous()
    torch.manual_seed(0)
    moved, moved_labels = reframed(picture, labels)
    assert set(moved_labels.unique().tolist()) <= set(labels.unique().tolist())
    agree = ((moved[:, 0] - (moved_labels / 10 - 1)).abs() < 0.02).float().mean((1, 2))
    assert (agree > 0.85).all() and not torch.equal(moved_labels, labels)


def test_another_ground_leaves_people_alone():
    pictures, labels = figures(6)
    torch.manual_seed(0)
    changed = on_another_ground(pictures, labels)
    person = (labels > 0)[:, None].float()
    inside = (F.avg_pool2d(person, 3, 1, 1, count_include_pad=False) == 1).expand_as(pictures)
    outside = (person == 0).expand_as(pictures)
    assert torch.equal(changed[inside], pictures[inside])
    assert (changed[outside] - pictures[outside]).abs().mean() > 0.1
    walls = grounds(pictures)
    assert walls.shape == pictures.shape and walls.abs().max() <= 1 and walls.flatten(1).std(0).mean() > 0.2


def test_variation_repeats_with_the_seed_and_can_be_off():
    pictures, labels = figures(4)
    torch.manual_seed(5)
    first = vary(pictures, labels)
    torch.manual_seed(5)
    second = vary(pictures, labels)
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    assert first[0].shape == pictures.shape and first[0].abs().max() <= 1 and first[1].dtype == labels.dtype
    assert vary(pictures, labels, 0)[0] is pictures
    torch.manual_seed(5)
    some, parses = vary(pictures.repeat(16, 1, 1, 1), labels.repeat(16, 1, 1), 0.75)
    kept = (some == pictures.repeat(16, 1, 1, 1)).flatten(1).all(1)
    assert 4 <= kept.sum() <= 30 and torch.equal(parses[kept], labels.repeat(16, 1, 1)[kept])
    assert (recoloured(pictures) - pictures).abs().flatten(1).mean(1).min() > 0.01
    with pytest.raises(ValueError, match="wanted pictures"):
        vary(pictures, labels[:, :-1])


def test_a_few_steps_teach_it_rectangles():
    pictures, labels = figures(8)
    torch.manual_seed(0)
    profile = dataclasses.replace(SMOKE, parser=dataclasses.replace(SMOKE.parser, varied=0.0))
    objective = ParserObjective(profile)
    network = objective.networks["parse"]
    optimiser = torch.optim.Adam(network.parameters(), 2e-2)
    losses = []
    for _ in range(60):
        (turn,) = objective.turns({"image": pictures, "parse": labels})
        assert turn.player == "parse" and list(turn.terms) == ["cross_entropy", "jaccard"]
        optimiser.zero_grad()
        turn.loss.backward()
        optimiser.step()
        losses.append(turn.loss.item())
    assert losses[-1] < 0.3 * losses[0]
    unseen = score_on(network.eval(), *figures(8, seed=1))
    assert unseen.mean.mean > 0.7 and math.isclose(unseen.classes["face"].n, 8)


def test_labels_of_all_data_sets_are_lips():
    assert lip_labels(torch.tensor([[[0, 13, 20]]])).tolist() == [[[0, 13, 10]]]  # CP-VTON+'s neck
    assert lip_labels(torch.tensor([[[9, 12]]])).tolist() == [[[9, 9]]]  # trousers and skirts are one class
    with pytest.raises(ValueError, match=r"found labels 0\.\.255"):
        lip_labels(torch.tensor([[[0, 255]]]))
    (turn,) = ParserObjective(SMOKE).turns(random_batch(2))
    assert turn.loss.isfinite()


# --- on a photograph


def test_a_photographs_person_gets_the_parsers_labels(tmp_path):
    """A parser that says "dress" above and "skirt" below: on the person only, in the frame only."""

    class Halves(torch.nn.Module):
        size = LITE.size

        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x):
            logits = torch.zeros(len(x), CLASSES, *x.shape[2:])
            logits[:, 0] = 9.0  # it takes everything for wall, which is not its to say
            logits[:, 6, : x.shape[2] // 2], logits[:, 12, x.shape[2] // 2 :] = 2.0, 2.0
            return logits

    rgb, reading = np.full((200, 300, 3), 90, np.uint8), standing_person(200, 300)
    labels = np.zeros((200, 300), np.uint8)
    labels[40:190, 120:180], labels[20:40, 140:160], labels[150:190, 5:10] = 5, 2, 9  # the last: far from the frame
    found = PhotoParse(labels, np.zeros((200, 300), bool))
    result = relabelled(rgb, reading, found, Halves())
    assert np.array_equal(result > 0, labels > 0)
    (rows, columns), _ = frame(reading.keypoints, labels, LITE.size).inside(200, 300)
    inside = np.zeros(labels.shape, bool)
    inside[rows, columns] = labels[rows, columns] > 0
    assert set(np.unique(result[inside])) == {6, 12} and np.array_equal(result[~inside], labels[~inside])
    down = np.nonzero((result == 12).any(1))[0][0] - np.nonzero((result == 6).any(1))[0][-1]
    assert inside[100].any() and down == 1  # the dress ends where the skirt begins
    assert (result[20:90, 140:160] == 6).all() and (result[150:190, 5:10] == 9).all()


def standing_person(height: int, width: int) -> Reading:
    """Shoulders 50 px apart in the middle of the picture, hips below them."""
    keypoints = np.zeros((18, 3), np.float32)
    places = {"nose": (0, 35), "neck": (0, 60), "right shoulder": (-25, 60), "left shoulder": (25, 60),
              "right hip": (-15, 130), "left hip": (15, 130)}  # fmt: skip
    for name, (x, y) in places.items():
        keypoints[COCO18.index(name)] = (width / 2 + x, y, 1)
    return Reading(keypoints, np.ones((height, width), np.float32), None)


def test_a_try_on_asks_for_a_known_way_to_parse(tmp_path):
    picture = tmp_path / "a.png"
    Image.new("RGB", (64, 64)).save(picture)
    with pytest.raises(ValueError, match="unknown parse 'guess'; known: rules, atelier"):
        try_on_photo(picture, "atelier:test/0", "mavton", parse="guess")


# --- as an experiment


def test_it_is_trained_kept_and_released_like_the_others(tmp_path):
    data = write_viton(tmp_path / "world", 6, 2)
    profile = dataclasses.replace(SMOKE, train_parse=dataclasses.replace(SMOKE.train_parse, steps=3, batch=4))
    settings = {"device": "cpu", "progress": False}
    trained = fit("parser", profile, data, tmp_path / "out", **settings)
    assert trained.finished and trained.step == 3
    weights, when = trained.weights, trained.weights.stat().st_mtime_ns
    again = fit("parser", profile, data, tmp_path / "out", **settings)
    assert again.weights.stat().st_mtime_ns == when and again.weights == weights  # nothing is done twice
    network = load("parser", profile, tmp_path / "out")
    assert isinstance(network, Parser) and network.size == SIZE and not network.training
    zoo.release("parser", profile, tmp_path / "out", folder=tmp_path / "zoo")
    found = obtain("parser", profile, data, tmp_path / "elsewhere", released=tmp_path / "zoo")
    assert found.source == "released" and found.steps == 3
    pictures, _ = figures(4)
    assert (parse(pictures, found.model) == parse(pictures, network)).float().mean() > 0.97  # half precision
    wider = dataclasses.replace(profile, parser=dataclasses.replace(profile.parser, width=12))
    with pytest.raises(ValueError, match="trained with another parser.width"):
        load("parser", wider, tmp_path / "out")


# --- the lesson's pictures


def test_the_figures_show_what_is_wrong(tmp_path):
    style.use()
    pictures, truth = figures(2)
    found = truth.clone()
    found[:, :32] = 0
    figure = plots.labelled(pictures, {"truth": truth, "found": found}, truth="truth")
    assert [a.get_title(loc="center") for a in figure.axes[:4]] == ["picture", "truth", "found", "wrong"]
    share = (found != truth).float().mean((1, 2))
    words = [t.get_text() for a in figure.axes for t in a.texts]
    assert words == [f"{v:.1%} of the pixels" for v in share.tolist()]
    assert style.save(figure, tmp_path / "a.png").stat().st_size > 2000
    measured = score(overlap(found, truth))
    style.save(plots.class_scores({"one": measured, "two": measured}), tmp_path / "b.png")
    figure = plots.before_and_after(pictures, truth, -pictures, found)
    titles = [a.get_title(loc="center") for a in figure.axes[:4]]
    assert titles == ["as drawn", "labels", "as learnt from", "its labels"]
    words = table({"one": measured})
    assert list(words.index) == [*measured.classes, "mean"] and words.loc["face", "one"].startswith("0.0 [")
    with pytest.raises(ValueError, match="no column 'turth'"):
        plots.labelled(pictures, {"truth": truth}, truth="turth")
    with pytest.raises(ValueError, match="got none"):
        plots.class_scores({})


def test_varied_people_are_the_studios_before_other_walls(tmp_path, monkeypatch):
    monkeypatch.setenv("MAVTON_ROOT", str(tmp_path))
    pictures, labels = varied_people(2, 64, 48)
    assert pictures.shape == (2, 3, 64, 48) and pictures.abs().max() <= 1 and pictures.std() > 0.1
    assert {0, 5, 13} <= set(labels.unique().tolist())
    again = varied_people(1, 64, 48)  # from what was kept
    assert torch.equal(again[0][0], pictures[0]) and torch.equal(again[1][0], labels[0])


# --- the exercises


def recall(found, truth, label):
    return float(((found == label) & (truth == label)).sum() / (truth == label).sum())


def dice(found, truth, label):
    a, b = found == label, truth == label
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def accuracy(found, truth, label):
    return float(((found == label) == (truth == label)).float().mean())


def test_the_exercises_accept_what_is_right_and_nothing_else(capsys):
    _, labels = figures(2)
    found, truth = labels
    cases = [((found, truth, k), answers_parsing.intersection_over_union(found, truth, k)) for k in (0, 5, 13)]

    def mine(found, truth, label):
        a, b = found == label, truth == label
        return (a & b).sum() / (a | b).sum()

    assert check(mine, cases)
    assert not any(check(wrong, cases) for wrong in (recall, dice, accuracy))
    cases = [((one,), answers_parsing.mirrored_parse(one)) for one in labels]
    swap = {14: 15, 15: 14, 16: 17, 17: 16, 18: 19, 19: 18}
    assert check(lambda parse: parse.clone().apply_(lambda k: swap.get(k, k)).flip(1), cases)
    assert not check(lambda parse: parse.flip(1), cases)
    assert not check(lambda parse: parse.clone().apply_(lambda k: swap.get(k, k)), cases)
    assert not check(lambda parse: parse.flip(0), cases)
    capsys.readouterr()


# --- at work


def test_pictures_of_another_size_are_labelled_at_theirs():
    pictures, labels = figures(8)
    torch.manual_seed(0)
    network = build_parser(SMOKE)
    optimiser = torch.optim.Adam(network.parameters(), 2e-2)
    for _ in range(15):
        optimiser.zero_grad()
        F.cross_entropy(network(pictures), labels).backward()
        optimiser.step()
    network.eval()
    some, true = pictures[:3], labels[:3]
    small = (parse(some, network) == true).float().mean()
    big = F.interpolate(some, scale_factor=3, mode="bilinear", align_corners=False)
    wanted = true.repeat_interleave(3, 1).repeat_interleave(3, 2)
    assert parse(big, network).shape == (3, 192, 144)
    assert (parse(big, network) == wanted).float().mean() > small - 0.02
    wide = F.pad(some, (40, 40, 0, 0), mode="replicate")  # twice as wide: shown smaller, with room above and below
    found = parse(wide, network)
    assert found.shape == (3, 64, 128) and found.dtype == torch.int64


def test_a_wide_picture_is_shown_whole_and_undistorted():
    network = Parser(ParserSettings(8, 4), *SIZE)
    seen = []
    network.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    picture = torch.zeros(1, 3, 64, 128)
    picture[..., 32:96] = 1.0  # a square
    parse(picture, network)
    assert seen[0].shape == (1, 3, 64, 48)
    bright = seen[0][0, 0] > 0.5
    assert bright.any(0).sum() == bright.any(1).sum().clamp(max=24) == 24  # 64 px of 128 are 24 of 48, either way


def test_bad_pictures_are_refused():
    network = Parser(ParserSettings(8, 4), *SIZE)
    for bad, why in (
        (torch.zeros(3, 64, 48), r"wanted float pictures \(B, 3, H, W\)"),
        (torch.zeros(1, 3, 64, 48, dtype=torch.uint8), "torch.uint8"),
        (torch.full((1, 3, 64, 48), 200.0), r"wanted pictures in \[-1, 1\], found 200"),
        (torch.full((1, 3, 64, 48), math.nan), r"wanted pictures in \[-1, 1\]"),
    ):
        with pytest.raises(ValueError, match=why):
            parse(bad, network)
    with pytest.raises(ValueError, match="divisible by 16"):
        network(torch.zeros(1, 3, 50, 48))


def test_lite_is_small_enough_to_be_released():
    parameters = sum(p.numel() for p in build_parser(LITE).parameters())
    assert parameters < 1_000_000 and build_parser(LITE).size == (128, 96)
