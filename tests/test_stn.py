"""The spatial transformer against torch and kornia, crooked pictures, and the spatial gate of formula (2-4) at work."""

from __future__ import annotations

import dataclasses
import math

import kornia
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mavton_lite import answers_hard_soft as answers
from mavton_lite.attention import SpatialAttention, record
from mavton_lite.data.lessons import Garments
from mavton_lite.data.scenes import cluttered_scenes
from mavton_lite.exercise import check
from mavton_lite.models import gaze as gazes
from mavton_lite.models import stn_training as training
from mavton_lite.models.stn import (
    Crookedness,
    GarmentNet,
    Localiser,
    PlaceMaps,
    SpatialTransformer,
    Straightened,
    affine_grid,
    compose,
    crooked,
    moments,
    pose_spread,
    read,
    spread_px,
    turn_deg,
)
from mavton_lite.models.summary import count_parameters
from mavton_lite.plots import spatial, style
from mavton_lite.plots import stn as plots
from mavton_lite.studio.gaze import kernel_explorer, look_with
from mavton_lite.warp import TPSGrid, pixel_grid

DICE = torch.Generator().manual_seed


def texts(figure) -> str:
    return " | ".join(t.get_text() for axes in figure.axes for t in [*axes.texts, axes.title])


def blocks(n: int = 16) -> Garments:
    """Blocks on white, upright (class 1) or lying (class 0)."""
    pictures, masks, labels = torch.ones(n, 3, 48, 36), torch.zeros(n, 1, 48, 36), torch.arange(n) % 2
    for k in range(n):
        high, wide = (18, 7) if labels[k] else (7, 15)
        pictures[k, :, 24 - high : 24 + high, 18 - wide : 18 + wide] = torch.rand(3, 1, 1, generator=DICE(k)) - 1
        masks[k, :, 24 - high : 24 + high, 18 - wide : 18 + wide] = 1
    return Garments(pictures, masks, labels, labels, labels)


def test_the_affine_grid_is_the_matrix_times_every_pixel():
    matrix = torch.randn(2, 2, 3)
    grid = affine_grid(matrix, 5, 7)
    for row, y in enumerate(torch.linspace(-1, 1, 5)):
        for column, x in enumerate(torch.linspace(-1, 1, 7)):
            torch.testing.assert_close(grid[:, row, column], matrix @ torch.stack([x, y, torch.ones(())]))
    torch.testing.assert_close(affine_grid(torch.eye(2, 3)[None], 5, 7)[0].double(), pixel_grid(5, 7))
    with pytest.raises(ValueError, match=r"\(B, 2, 3\), got \(2, 3\)"):
        affine_grid(matrix[0], 5, 7)


def test_reading_equals_kornia_forward_and_gradient():
    picture = torch.rand(3, 2, 9, 9, dtype=torch.float32)
    matrix = crooked(3, Crookedness(), DICE(0))
    ours, theirs = matrix.clone().requires_grad_(), matrix.clone().requires_grad_()
    a = read(picture, ours)
    full = torch.cat([theirs, torch.tensor([0.0, 0, 1]).expand(3, 1, 3)], 1)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 9), torch.linspace(-1, 1, 9), indexing="ij")
    grid = torch.stack([x, y], -1).expand(3, 9, 9, 2)
    b = F.grid_sample(picture - 1, kornia.geometry.transform_points(full, grid.flatten(1, 2)).view(3, 9, 9, 2),
                      align_corners=True) + 1  # fmt: skip
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    weights = torch.randn(a.shape)
    (a * weights).sum().backward()
    (b * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-3, rtol=1e-3)
    assert ours.grad.abs().max() > 0


def test_reading_is_white_outside_and_moves_by_whole_pixels():
    picture = torch.rand(1, 1, 5, 5)
    right = torch.tensor([[[1.0, 0, 0.5], [0, 1, 0]]])  # every output pixel reads one to its right
    moved = read(picture, right)
    torch.testing.assert_close(moved[..., :4], picture[..., 1:], atol=1e-5, rtol=0)
    assert torch.allclose(moved[..., 4], torch.ones(1, 1, 5))


def test_a_new_transformer_is_the_identity_and_its_parts_learn():
    net, x = SpatialTransformer(3, (16, 12)), torch.randn(2, 3, 16, 12)
    out = net(x)
    torch.testing.assert_close(out.picture, x, atol=1e-5, rtol=0)
    assert torch.equal(out.matrix, torch.eye(2, 3).expand(2, 2, 3))
    (out.picture.square().sum()).backward()
    assert net.localise.decide[-1].weight.grad.abs().max() > 0
    with pytest.raises(ValueError, match=r"wants \(B, 3, 16, 12\), got \(2, 3, 12, 16\)"):
        net(torch.zeros(2, 3, 12, 16))
    with pytest.raises(ValueError, match=r"GarmentNet wants \(B, 3, 16, 16\)"):
        GarmentNet(4, (16, 16))(torch.zeros(1, 3, 8, 8))


def test_the_localiser_looks_at_places_and_is_recorded():
    localiser, x = Localiser(3), torch.randn(2, 3, 16, 16)
    with record(localiser) as maps:
        localiser(x)
    (name, seen), = maps.items()  # fmt: skip
    assert name == "where" and seen.shape == (2, 12, 4, 4) and torch.allclose(seen.sum((2, 3)), torch.ones(2, 12))
    ours, theirs = (torch.randn(2, 3, 4, 5, generator=DICE(1)).requires_grad_() for _ in "ab")
    a = PlaceMaps(3)(ours)
    positive = theirs.clamp(min=0) + 1e-4
    b = positive / positive.sum((2, 3), keepdim=True)
    torch.testing.assert_close(a, b)
    (a * x[:, :, :4, :5]).sum().backward()
    (b * x[:, :, :4, :5]).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    with pytest.raises(ValueError, match="wants"):
        PlaceMaps(3)(torch.zeros(1, 4, 2, 2))
    ground = localiser.features(torch.zeros(1, 3, 16, 16))
    assert ground.abs().max() == 0, "white weighs nothing"


def test_moments_equal_numpys():
    weights, places = torch.rand(1, 2, 30, generator=DICE(0)).double(), torch.randn(30, 2, generator=DICE(1)).double()
    found = moments(weights / weights.sum(2, keepdim=True), places)
    for k in range(2):
        w = weights[0, k].numpy()
        mean = np.average(places.numpy(), axis=0, weights=w)
        cov = np.cov(places.numpy().T, aweights=w, ddof=0)
        wanted = torch.tensor([*mean, 4 * cov[0, 0], 4 * cov[1, 1], 4 * cov[0, 1]])
        torch.testing.assert_close(found[0, k], wanted)


def test_crooked_compose_and_undo():
    how = Crookedness()
    matrices = crooked(500, how, DICE(3)).double()
    assert torch.allclose(crooked(4, how.times(0.0), DICE(1)), torch.eye(2, 3).expand(4, 2, 3), atol=1e-6)
    sizes = matrices[:, :, :2].det().pow(-0.5)
    assert sizes.min() >= how.sizes[0] * 0.99 and sizes.max() <= how.sizes[1] * 1.01
    point = torch.tensor([0.3, -0.7, 1.0]).double()
    one, two = matrices[0], matrices[1]
    inner = torch.cat([two @ point, torch.ones(1).double()])
    torch.testing.assert_close(compose(one[None], two[None])[0] @ point, one @ inner)
    back = torch.stack([answers.undo(m) for m in matrices])
    assert spread_px(compose(matrices, back), 48, 48).max() < 1e-9, "all straight: no spread, whatever the pose"
    pose = crooked(1, how, DICE(9)).double().expand(500, 2, 3)
    assert spread_px(compose(matrices, compose(back, pose)), 48, 48).max() < 1e-9
    none = pose_spread(compose(matrices, back), 48)
    assert all(value < 1e-4 for value in none.values())
    turned = pose_spread(crooked(4000, Crookedness(30, (1, 1), 0, 0), DICE(0)), 48)
    assert abs(turned["turn, degrees"] - 60 / math.sqrt(12)) < 0.5 and turned["size, %"] < 1e-3
    shrunk = pose_spread(crooked(4000, Crookedness(0, (0.5, 0.9), 0, 0.3), DICE(0)), 48)
    assert shrunk["turn, degrees"] < 1e-3 and 15 < shrunk["size, %"] < 20 and shrunk["place, px"] > 5
    quarter = torch.tensor([[[0.0, -2, 0.3], [2, 0, 0]]])  # reads x from -y: what was right comes out above
    assert turn_deg(quarter).tolist() == [90] and turn_deg(torch.eye(2, 3)[None]).tolist() == [0]
    shift = torch.eye(2, 3).repeat(2, 1, 1)
    shift[1, 0, 2] = 2 / 47  # a pixel apart: half a pixel from the mean
    assert torch.allclose(spread_px(shift, 48, 48), torch.tensor([0.5, 0.5]))


def test_the_spline_of_cp_vton_contains_every_affine_map():
    """What notebook 04 says of notebook 09: a thin-plate spline with affine offsets is the affine grid."""
    tps, matrix = TPSGrid(8, 6, 3), crooked(1, Crookedness(), DICE(0))
    line = torch.linspace(-1, 1, 3)
    points = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).view(-1, 2)
    moved = points @ matrix[0, :, :2].T + matrix[0, :, 2] - points
    torch.testing.assert_close(tps(moved.T.reshape(1, -1)), affine_grid(matrix, 8, 6), atol=1e-4, rtol=0)


def test_equal_parameters_are_equal_or_more():
    width = training.equal_width(5, (48, 48), 12)
    ours = count_parameters(GarmentNet(5, (48, 48), 12, transformer=True))
    assert count_parameters(GarmentNet(5, (48, 48), width)) >= ours
    assert count_parameters(GarmentNet(5, (48, 48), width - 1)) < ours


def test_the_distortion_grows_only_while_answers_are_right():
    growing = training.Growing(mark=0.7, pace=0.25, memory=0.5)
    shares = []
    for right in (1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        growing.note(right)
        shares.append(growing.share)
    # recent answers: 1, 0.5, 0.25, 0.63, 0.81, 0.91, 0.95, 0.98
    assert shares == [0.25, 0.25, 0.25, 0.25, 0.5, 0.75, 1.0, 1.0]


def trained(name: str, how: Crookedness | None = None, steps: int = 40, **changed):
    garments, how = blocks(), how or Crookedness(20, (0.7, 1))
    settings = training.StnSettings((16, 16), steps=steps, width=6, batch=16, **changed)
    return training.train_arm(name, training.squared(garments), garments.sleeve, 2, settings, how, seed=0)


def test_every_lesson_teaches_only_its_pupil():
    fresh = trained(training.STEPWISE, steps=0).network
    first = trained(training.STEPWISE, steps=4, lessons=(2, 3))
    assert first.shares == [0.25] * 4, "nearly straight"
    second = trained(training.STEPWISE, steps=4, lessons=(0, 3), mark=0.0, pace=0.25)
    assert second.shares == [0, 0.25, 0.5, 0.75]
    third = trained(training.STEPWISE, steps=4, lessons=(0, 0))
    assert third.shares == [1] * 4, "as crooked as can be"
    assert trained(training.AT_ONCE, steps=4, ramp=(0, 0.5)).shares == [0, 0.5, 1, 1]

    def learned(arm, part: str) -> bool:
        old, new = (getattr(network, part).state_dict() for network in (fresh, arm.network))
        return any(not torch.equal(old[key], new[key]) for key in old)  # statistics of the batch norms too

    assert learned(first, "classify") and not learned(first, "transformer")
    assert learned(second, "transformer") and not learned(second, "classify")
    assert learned(third, "transformer") and learned(third, "classify")


def test_step_by_step_the_turn_is_undone_from_right_and_wrong_alone():
    """Which of two blocks lies? One that knows them straight only is the surer, the straighter they come."""
    how = Crookedness(35, (1, 1), 0, 0)
    arm = trained(training.STEPWISE, how, steps=200, lessons=(0.2, 1), pace=1 / 60)
    garments, test = blocks(), crooked(16, how, DICE(5))
    arm = training.try_arm(arm, training.squared(garments), garments.sleeve, test)
    assert arm.shares[-1] == 1 and arm.after["turn, degrees"] < 0.65 * arm.before["turn, degrees"]


def test_training_lowers_the_loss_and_draws_its_figures():
    garments = blocks()
    pictures, how = training.squared(garments), Crookedness(turn_deg=10, sizes=(0.5, 0.9))
    assert pictures.shape == (16, 3, 48, 48) and torch.equal(pictures[..., 6:42], garments.pictures)
    test = crooked(16, how, DICE(5))
    arms = {}
    for name in training.ARMS:
        arm = training.try_arm(trained(name, how, steps=60), pictures, garments.sleeve, test)
        lower = arm.losses[:8] if name == training.STEPWISE else arm.losses  # its later lessons are harder ones
        assert sum(lower[-4:]) < sum(lower[:4]), name
        arms[name] = arm
    plain, ours = arms[training.PLAIN], arms[training.STEPWISE]
    assert torch.equal(plain.poses, test) and plain.right == plain.alone and plain.before == plain.after
    assert not torch.equal(ours.poses, test) and ours.parameters <= plain.parameters
    with pytest.raises(ValueError, match="unknown network 'deep'"):
        trained("deep")
    style.use()
    given = read(pictures, test)
    straight = ours.network.straighten(given)
    torch.testing.assert_close(compose(test, straight.matrix), ours.poses)
    seen = Straightened(straight.picture[:4].detach(), straight.matrix[:4].detach())
    figure = plots.straightened(pictures[:4], given[:4], {training.STEPWISE: seen})
    assert "step by step\n变换后" in texts(figure) and len(figure.axes) == 12
    right = {name: [arm.right, arm.right - 0.01] for name, arm in arms.items()}
    turns = {name: (turn_deg(test), turn_deg(arms[name].poses)) for name in training.ARMS[1:]}
    panels = plots.accuracy_and_turns(right, turns).axes
    assert [axes.get_title(loc="left") for axes in panels[1:]] == list(turns)
    points = panels[2].lines[-1].get_xydata()
    assert np.allclose(points, torch.stack(turns[training.STEPWISE], 1).numpy())


@pytest.fixture(scope="module")
def scenes():
    garments = blocks()
    return [cluttered_scenes(garments, garments.sleeve, n, high_px=48, scraps=4, seed=n) for n in (32, 24)]


def test_the_gates_answer_is_the_colour_where_it_is_open(scenes):
    test = scenes[1]
    on = F.adaptive_avg_pool2d((test.masks == 1).float(), (24, 24)).floor()  # places wholly on the garment
    error = gazes.colour_error(gazes.weighted_colour(test.pictures, on), test)
    assert error < 1, "one colour each: the average over the garment is that colour"
    anywhere = gazes.colour_error(gazes.weighted_colour(test.pictures, torch.ones(24, 1, 24, 24)), test)
    assert anywhere > 20


def test_a_gate_learns_to_open_on_the_garment(scenes):
    settings = dataclasses.replace(gazes.SETTINGS["smoke"], steps=80, batch=16)
    before = gazes.train_gaze(7, *scenes, settings, seed=0, steps=0)
    after = gazes.train_gaze(7, *scenes, settings, seed=0)
    assert after.share > 1.5 * before.share and after.error < 0.8 * before.error
    assert abs(before.share - gazes.garment_share(scenes[1])) < 0.05


@pytest.mark.parametrize("kernel", gazes.KERNELS)
def test_what_a_gate_sees_by_gradient(kernel):
    torch.manual_seed(0)
    network = gazes.GazeNet(8, kernel).eval()
    x = torch.randn(1, 3, 96, 96, requires_grad=True)
    network.where(network.features(x))[0, 0, 12, 12].backward()
    touched = x.grad[0].abs().sum(0) > 0
    sides = int(touched.any(1).sum()), int(touched.any(0).sum())
    assert sides == (spatial.field_px(kernel),) * 2 == (answers.seen_px(kernel),) * 2
    rows = touched.any(1).nonzero()[:, 0]
    assert (rows[0] + rows[-1]) / 2 == 48, "around every fourth pixel, as `gaze_of` draws it"


def test_figure_2_3_shows_the_modules_own_maps(tmp_path):
    """Thesis figure 2.3 and formula (2-4)."""
    style.use()
    gate, x = SpatialAttention(10, kernel=5), torch.randn(1, 10, 12, 12)
    figure = spatial.spatial_attention(gate, x)
    said = texts(figure)
    for shape in ("10 × 12 × 12", "2 × 12 × 12", "1 × 12 × 12", "conv 5 × 5"):
        assert shape in said, shape
    shown = [torch.as_tensor(a.images[0].get_array()) for a in figure.axes if a.images]
    wanted = (x.mean(1)[0], x.amax(1)[0], gate(x)[0, 0].detach())
    assert all(any(torch.equal(w, s) for s in shown) for w in wanted)
    assert not gate.conv._forward_pre_hooks and not gate._forward_hooks
    style.save(figure, tmp_path / "fig.png", dpi=40)
    with pytest.raises(ValueError, match="one example, got 2"):
        spatial.spatial_attention(gate, torch.zeros(2, 10, 4, 4))


def test_the_kernel_widget_and_its_pictures(scenes, tmp_path):
    settings = dataclasses.replace(gazes.SETTINGS["smoke"], steps=1)
    trained = {k: gazes.train_gaze(k, *scenes, settings, seed=0) for k in (3, 7)}
    views = [look_with(k, 0, 12, 12, scenes[1], trained) for k in (3, 7)]
    assert views[0].shape == views[1].shape and (views[0] != views[1]).any()
    with pytest.raises(ValueError, match="no gate of kernel 9; there are 3, 7"):
        look_with(9, 0, 0, 0, scenes[1], trained)
    widget = kernel_explorer(scenes[1], trained)
    before = widget.image.value
    widget.controls["kernel"].value = 7
    assert widget.image.value != before and "image/png" in widget._repr_mimebundle_()
    figure = spatial.gates_by_kernel(scenes[1].pictures, list(trained.values()), [0, 1])
    style.save(figure, tmp_path / "kernels.png", dpi=40)


def test_exercises_accept_right_answers_and_reject_wrong_ones(capsys):
    x, weight = torch.randn(2, 5, 6, 4), torch.randn(1, 2, 3, 3)
    gate = SpatialAttention(5, kernel=3)
    gate.conv.weight.data = weight
    torch.testing.assert_close(answers.spatial_gate(x, weight), gate(x).detach())  # (2-4)

    def by_hand(stack, reduce):
        return lambda x, w: torch.sigmoid(F.conv2d(stack(reduce(x), x.amax(1, keepdim=True)), w, padding=1))

    def mean(x):
        return x.mean(1, keepdim=True)

    cases = [((x, weight), answers.spatial_gate(x, weight))]
    assert check(by_hand(lambda a, b: torch.cat([a, b], 1), mean), cases)
    for wrong in (
        by_hand(lambda a, b: torch.cat([b, a], 1), mean),  # maximum first
        by_hand(lambda a, b: torch.cat([a, b], 1), lambda x: x.sum(1, keepdim=True)),  # sum for mean
        lambda x, w: F.conv2d(torch.cat([mean(x), x.amax(1, keepdim=True)], 1), w, padding=1),  # no sigmoid
        lambda x, w: torch.sigmoid(F.conv2d(torch.cat([mean(x), x.amax(1, keepdim=True)], 1), w)),  # no padding
    ):
        assert not check(wrong, cases)
    fields = [((k,), answers.seen_px(k)) for k in gazes.KERNELS]
    assert check(lambda k: 4 * (k - 1) + 7, fields)
    assert not check(lambda k: k, fields) and not check(lambda k: 4 * k, fields) and not check(lambda k: k + 4, fields)
    matrix = crooked(1, Crookedness(), DICE(2))[0]
    undone = [((matrix,), answers.undo(matrix))]
    full = torch.cat([matrix, torch.tensor([[0.0, 0, 1]])])
    assert check(lambda m: torch.linalg.inv(full)[:2], undone, tolerance=1e-4)
    for wrong in (
        lambda m: -m,
        lambda m: torch.cat([torch.linalg.inv(m[:, :2]), -m[:, 2:]], 1),  # shifted back in the wrong frame
        lambda m: torch.cat([m[:, :2].T, -m[:, :2].T @ m[:, 2:]], 1),  # a rotation's inverse: sizes forgotten
    ):
        assert not check(wrong, undone, tolerance=1e-4)
    assert math.isfinite(float(undone[0][1].sum())) and "✗" in capsys.readouterr().out
