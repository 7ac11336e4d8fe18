"""The small pose network: its lesson, its files, the pictures drawn of it, and the exercises of notebook 07."""

from __future__ import annotations

import ipywidgets
import pytest
import torch

from mavton_lite import answers_person as answers
from mavton_lite import checkpoint
from mavton_lite.data.groups import Groups
from mavton_lite.exercise import check
from mavton_lite.plots.pose import field_figure, found_bars, joint_figure, skeleton_rows
from mavton_lite.pose import decode, joints_found, true_maps
from mavton_lite.pose.network import SIZE, PoseNet, predict_maps
from mavton_lite.pose.training import PoseSettings, evaluate, load_weights, save_weights, train, varied
from mavton_lite.studio.pose import PoseView, view_pose
from mavton_lite.studio.widgets import pose_explorer


def dots(count: int = 4, size: tuple[int, int] = SIZE) -> Groups:
    """Two stick people on grey, each joint a light dot: something that can be learnt in seconds."""
    dice = torch.Generator().manual_seed(0)
    height, width = size
    keypoints = torch.zeros(count, 3, 18, 3)
    shape = torch.rand(18, 2, generator=dice) * torch.tensor([0.3 * width, 0.5 * height])
    for n in range(count):
        for p, left in enumerate((0.1, 0.55)):
            shift = torch.tensor([left * width, 0.2 * height]) + torch.rand(2, generator=dice) * 6
            keypoints[n, p] = torch.cat([shape + shift, torch.ones(18, 1)], 1)
    pictures = torch.full((count, 3, height, width), -0.3)
    owners = torch.zeros(count, height, width, dtype=torch.long)
    owners[:, height // 3, 1], owners[:, height // 3, 2] = 1, 2
    for n in range(count):
        for x, y, _ in keypoints[n, :2].flatten(0, 1).round().long().tolist():
            pictures[n, :, y - 1 : y + 2, x - 1 : x + 2] = 0.9
    return Groups(pictures, keypoints, owners)


def test_maps_have_their_sizes_and_begin_empty():
    network = PoseNet(8).eval()
    confidence, fields = network(torch.randn(2, 3, *SIZE))
    assert confidence.shape == (2, 18, 64, 48) and fields.shape == (2, 38, 64, 48) and not confidence.any()
    assert predict_maps(network, torch.zeros(1, 3, 256, 192))[0].shape == (1, 18, 64, 48)


def test_teaching_lowers_the_loss_and_a_seed_repeats_it():
    settings, groups = PoseSettings(groups=4, test=2, steps=12, batch=4, width=4), dots()
    first, losses = train(settings, groups, seed=3)
    second, again = train(settings, groups, seed=3)
    assert losses == again and losses[-1] < 0.9 * losses[0]
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not first.training and not any(p.requires_grad for p in first.parameters())
    with pytest.raises(ValueError, match=r"wanted pictures of \(128, 96\), got \(64, 48\)"):
        train(settings, dots(size=(64, 48)))


def test_what_is_varied_keeps_its_joints_on_their_dots():
    groups, dice = dots(6), torch.Generator().manual_seed(1)
    pictures, keypoints = varied(groups.pictures, groups.keypoints, 0.2, dice)
    assert pictures.shape == groups.pictures.shape and not torch.equal(keypoints, groups.keypoints)
    there = keypoints[..., 2] > 0
    assert 0.3 < float(there.float().mean()) < 0.67 and not keypoints[~there].any()
    for picture, people in zip(pictures, keypoints, strict=True):
        x, y = people[people[..., 2] > 0][:, :2].T.round().long()
        assert (picture[:, y, x].mean(0) > picture.median()).float().mean() > 0.95
    mirrored = [k for k in range(6) if keypoints[k, 0, 0, 0] > keypoints[k, 1, 0, 0]]
    assert 0 < len(mirrored) < 6, "some are mirrored: the first person stands on the right"


def test_true_maps_give_everything_back_and_an_empty_network_nothing():
    groups = dots(2, (256, 192))
    assert evaluate(groups)[2].recall == 1 and evaluate(groups)[2].true == 72
    assert evaluate(groups, PoseNet(4).eval())[2].said == 0


def test_weights_come_back_and_are_checked(tmp_path):
    settings, path = PoseSettings(1, 1, 1, width=4), tmp_path / "weights.safetensors"
    network = PoseNet(4).eval()
    torch.nn.init.normal_(network.unet.last.weight)
    card = save_weights(network, settings, 1.2, path)
    again, read = load_weights(path)
    assert read == card and card["settings"]["width"] == 4
    x = torch.randn(1, 3, *SIZE)
    torch.testing.assert_close(again(x)[0], network(x)[0], atol=0.05, rtol=0.01)  # half precision lies between
    checkpoint.write_json(path.with_suffix(".json"), card | {"sha256": "0"})
    with pytest.raises(ValueError, match="its card says 0"):
        load_weights(path)


def test_the_packages_network_finds_joints_of_people_it_has_never_seen():
    from mavton_lite.data.groups import draw_group

    network, _ = load_weights()
    drawn = [draw_group(i, 128, 96, "test") for i in (1, 2)]  # two and three people
    pictures = torch.stack([torch.from_numpy(d["pictures"]).permute(2, 0, 1) / 127.5 - 1 for d in drawn])
    for k, maps in enumerate(zip(*predict_maps(network, pictures), strict=True)):
        found = joints_found(decode(*maps, stride=2), torch.from_numpy(drawn[k]["keypoints"]), 2)  # 4 px of 256
        assert found.recall > 0.25


def test_figures_and_explorer_show_maps_and_people():
    groups = dots(2, (256, 192))
    maps = [true_maps(k, (256, 192)) for k in groups.keypoints]
    figure = joint_figure(groups.pictures[0], {"true": maps[0]}, ("nose", "right elbow"))
    assert [ax.get_title() for ax in figure.axes] == ["group", "nose 鼻", "right elbow 肘"]
    with pytest.raises(ValueError, match="unknown joint tail"):
        joint_figure(groups.pictures[0], {"true": maps[0]}, ("tail",))
    figure = field_figure(groups.pictures[0], {"true": maps[0]}, [("neck", "nose")], groups.keypoints[0])
    assert len(figure.axes) == 4
    assert len(skeleton_rows(groups.pictures, {"true": list(groups.keypoints)}).axes) == 2
    bars = found_bars({"true": evaluate(groups)}, 0.95)
    assert [t.get_text() for t in bars.axes[0].get_xticklabels()] == ["2 people"]

    sources = {"true": maps, "empty": [(torch.zeros(18, 64, 48), torch.zeros(38, 64, 48))] * 2}
    shown = view_pose(PoseView(), groups.pictures, sources)
    assert shown.shape == (512, 2 * 384 + 8, 3) and shown.dtype.name == "uint8"
    states = PoseView(maps="empty"), PoseView(shown="neck to nose"), PoseView(threshold=0.99), PoseView(group=1)
    states = PoseView(maps="empty"), PoseView(shown="neck to nose"), PoseView(threshold=0.99), PoseView(group=1)
    other = [view_pose(state, groups.pictures, sources) for state in states]
    assert all(not (o == shown).all() for o in other)
    for state, problem in ((PoseView(maps="x"), "no maps 'x'"), (PoseView(shown="tail"), "no joint or limb 'tail'")):
        with pytest.raises(ValueError, match=problem):
            view_pose(state, groups.pictures, sources)

    widget = pose_explorer(groups.pictures, sources)
    before = widget.image.value
    widget.controls["shown"].value = "neck to nose"
    assert widget.image.value != before and isinstance(widget, ipywidgets.VBox)
    assert "image/png" in widget._repr_mimebundle_()


CASES = [([(5.0, 8.0), (9.0, 8.0)], 16, 14, 2.0), ([(3.5, 1.0)], 6, 8, 1.5)]


def test_exercises_accept_right_answers_and_reject_wrong_ones(capsys):
    def joint_map(joints, height, width, sigma, merge=torch.amax, power=2):
        rows, columns = torch.arange(height)[:, None], torch.arange(width)
        bumps = [torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / sigma**power) for x, y in joints]
        return merge(torch.stack(bumps), 0)

    cases = [(c, answers.joint_map(*c)) for c in CASES]
    assert check(joint_map, cases)
    assert not check(lambda *c: joint_map(*c, merge=torch.sum), cases)
    assert not check(lambda *c: joint_map(*c, merge=torch.mean), cases)
    assert not check(lambda *c: joint_map(*c, power=1), cases)
    assert not check(lambda *c: joint_map(*c).T, cases) and not check(lambda *c: None, cases)

    cases = [((s,), answers.merging_distance(s)) for s in (1.0, 1.75, 7.0)]
    assert check(lambda s: 2**0.5 * s, cases)
    assert not any(check(lambda s, k=k: k * s, cases) for k in (1, 2, 0.5**0.5, 2 * 2**0.5))
    line = torch.linspace(-4, 4, 2001)
    for distance, tops in ((answers.merging_distance(1.0) * 0.98, 1), (answers.merging_distance(1.0) * 1.04, 2)):
        total = sum(torch.exp(-((line - s * distance / 2) ** 2)) for s in (-1, 1))
        assert int(((total[1:-1] > total[:-2]) & (total[1:-1] >= total[2:])).sum()) == tops

    field = torch.randn(2, 9, 12, generator=torch.Generator().manual_seed(0))

    def support(field, start, end, samples, scale=True, swap=False):
        (x1, y1), (x2, y2), total = start, end, 0.0
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5 if scale else 1
        for k in range(samples):
            u = k / (samples - 1)
            x, y = round(x1 + u * (x2 - x1)), round(y1 + u * (y2 - y1))
            vx, vy = field[:, x, y] if swap else field[:, y, x]
            total += (float(vx) * (x2 - x1) + float(vy) * (y2 - y1)) / length / samples
        return total

    cases = [
        ((field, *c), answers.limb_support(field, *c)) for c in (((1.0, 1.0), (8.0, 6.0), 10), ((5, 2), (3, 2), 8))
    ]
    assert check(support, cases)
    assert not check(lambda *c: support(*c, scale=False), cases) and not check(lambda *c: support(*c, swap=True), cases)
    assert not check(lambda f, a, b, n: support(f, b, a, n), cases)
    assert "✗ not right" in capsys.readouterr().out
