"""Notebooks 05 and 06 apart from their trainings: figures, the head picker, attention's price, the exercises."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from mavton_lite import answers_attention as answers
from mavton_lite.attention import CBAM, ChannelAttention, EfficientChannelAttention, MultiHeadAttention, record
from mavton_lite.exercise import check
from mavton_lite.models import fetching, scaling
from mavton_lite.models.vit import Fetcher
from mavton_lite.plots import gates, style
from mavton_lite.plots import self_attention as plots
from mavton_lite.seeds import over_seeds
from mavton_lite.studio.heads import FRAME, LAYERS, Question, answer
from mavton_lite.studio.widgets import attention_explorer, head_picker


def drawn(figure, tmp_path) -> np.ndarray:
    """The figure as pixels; saving fails on a character without a glyph."""
    path = style.save(figure, tmp_path / "figure.png", dpi=50)
    pixels = np.asarray(Image.open(path).convert("L"))
    assert (pixels < 128).mean() > 0.002, "nothing is drawn"
    return pixels


def test_figure_2_4_shows_equation_2_5_step_by_step(tmp_path):
    """Thesis (2-5): W_c = sigmoid(MLP(avg) + MLP(max)), and the drawing has the module's own numbers."""
    style.use()
    gate, x = ChannelAttention(16, 4), torch.randn(1, 16, 8, 6)
    steps = gates.channel_steps(gate, x)
    np.testing.assert_allclose(steps["weights"], 1 / (1 + np.exp(-steps["mlp avg"] - steps["mlp max"])), rtol=1e-5)
    np.testing.assert_allclose(steps["avg"], x.mean((2, 3))[0].numpy(), rtol=1e-5)
    np.testing.assert_allclose(steps["max"], x.amax((2, 3))[0].numpy(), rtol=1e-5)
    figure = gates.channel_gate(gate, x)
    words = " ".join(t.get_text() for t in figure.axes[0].texts)
    assert "16 → 4 → 16" in words and "16 × 8 × 6" in words and "128 parameters" in words
    drawn(figure, tmp_path)


def test_figure_2_5_shows_the_maps_of_the_module(tmp_path):
    style.use()
    gate, x = CBAM(8, 4, 5), torch.randn(1, 8, 8, 6)
    figure = gates.mixed_gate(gate, x, np.random.default_rng(0).random((16, 12, 3)))
    with torch.no_grad(), record(gate) as maps:
        gate(x)
    words = " ".join(t.get_text() for t in figure.axes[0].texts)
    assert (
        "5 × 5" in words and f"to {maps['channel'].max():.2f}" in words and f"from {maps['spatial'].min():.2f}" in words
    )
    drawn(figure, tmp_path)


def test_figure_2_6_shows_equations_2_6_and_2_7(tmp_path):
    """Thesis (2-6) and (2-7): every matrix follows from the ones before it."""
    style.use()
    module, x = MultiHeadAttention(8, 2), torch.randn(1, 6, 8)
    found = plots.inside(module, x)
    assert found["Q"].shape == (6, 4) and found["weights"].shape == (6, 6)
    torch.testing.assert_close(found["Q"], x[0] @ module.query.weight[:4].T + module.query.bias[:4])
    torch.testing.assert_close(found["weights"], (found["Q"] @ found["K"].T / 2).softmax(1))
    torch.testing.assert_close(found["H"], found["weights"] @ found["V"])
    drawn(plots.self_attention(module, x, torch.rand(3, 16, 12), (3, 2)), tmp_path)


def test_result_figures(tmp_path):
    style.use()
    rows = [{"gate": g, "seed": s, "all": 0.8 + 0.01 * s + d} for g, d in (("none", 0), ("se", 0.02)) for s in range(3)]
    left, right = gates.accuracies(pd.DataFrame(rows)).axes
    assert [t.get_text() for t in left.get_yticklabels()] == ["se", "none"] and len(right.collections) < len(
        left.collections
    )
    shares = {"uniform": 0.1, "trained": over_seeds([0.7, 0.8])}
    figure = plots.concentration(shares)
    assert [round(p.get_width()) for p in figure.axes[0].patches] == [10, 75]
    drawn(figure, tmp_path)
    figure = plots.asked(torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8), torch.rand(2, 4, 4).softmax(2),
                         torch.full((2, 4, 2), 3.0), [(0, 3), (1, 2)], 4)  # fmt: skip
    assert len(figure.axes) == 8
    drawn(figure, tmp_path)
    drawn(plots.growth((16, 32), {"a": [1e-3, 3e-3]}, {"a": [100, 400]}), tmp_path)


@pytest.fixture
def recorded():
    torch.manual_seed(0)
    network = Fetcher(4, 4, (16, 12), 4, 8, heads=2)
    person, garment = torch.rand(2, 4, 16, 12), torch.rand(2, 4, 16, 12)
    with torch.no_grad(), record(network) as maps:
        network(person, garment, torch.zeros(2, 12, 1))
    return {"person": person[:, :3], "garment": garment[:, :3]}, maps


def test_the_head_picker_shows_the_row_of_the_patch_that_asks(recorded):
    pictures, maps = recorded
    view = answer(Question(1, head=2, row=3, column=1), pictures, maps, (4, 3), height=64)
    assert view.shape == (64, 48 + 12 + 48, 3) and view.dtype == np.uint8
    framed = np.argwhere((view[:, :48] == np.floor(FRAME * 255 + 0.5)).all(2))
    assert framed.min(0).tolist() == [48, 16] and framed.max(0).tolist() == [63, 31]
    black = {k: torch.full_like(v, -1.0) for k, v in pictures.items()}
    heat = (
        answer(Question(1, head=2, row=3, column=1), black, maps, (4, 3), height=64)[8::16, 68::16].astype(int).sum(2)
    )
    assert np.unravel_index(heat.argmax(), heat.shape) == divmod(int(maps["map"][1, 1, 10].argmax()), 3)
    views = [answer(Question(layer=name, row=1, column=1), pictures, maps, (4, 3)) for name in LAYERS]
    assert len({v.tobytes() for v in views}) == 3
    for wrong, said in ((Question(layer="x"), "no map of layer 'x'"), (Question(head=3, row=1), "no head 3"),
                        (Question(row=4), r"no patch \(4, 4\)")):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            answer(wrong, pictures, maps, (4, 3))


def test_the_widgets_draw_anew_and_leave_a_still_picture(recorded):
    pictures, maps = recorded
    picker = head_picker(pictures, maps, (4, 3))
    before = picker.image.value
    picker.controls["row"].set_state({"value": 3})  # what a browser's message does
    assert picker.image.value != before and picker.controls["head"].options[-1] == 2
    picker.controls["layer"].value = "garment asks garment"
    still = picker._repr_mimebundle_()
    assert "image/png" in still and Image.open(io.BytesIO(picker.image.value)).size[1] == 384
    gate = CBAM(4, 2)
    with record(torch.nn.ModuleDict({"level1": gate})) as seen:
        gate(torch.rand(2, 4, 8, 6))
    explorer = attention_explorer(torch.rand(2, 3, 8, 6), seen, shown="garment", level="stage")
    assert explorer.controls["level"].description == "stage" and explorer.children[2].value.startswith("garment ·")


def test_the_price_of_attention():
    price = scaling.measure((32, 64, 128), heads=2, width=4, repeats=2)
    assert set(price.seconds) == set(scaling.WAYS) and min(min(v) for v in price.seconds.values()) > 0
    written, fused = price.kept["written out"], price.kept["fused"]
    assert written[2] - 4 * 2 * 128**2 < 20 * written[0], "the weights, and what is linear in N"
    assert written[2] >= 4 * 2 * 128**2 > fused[2], "only one way keeps N x N weights"
    assert 1.6 < scaling.exponent(price.counts, written) < 2.05 and scaling.exponent(price.counts, fused) < 1.1
    assert scaling.exponent((1, 10, 100), (5, 50, 500)) == pytest.approx(1)
    q, k, v = (torch.randn(1, 2, 16, 4) for _ in range(3))
    torch.testing.assert_close(*(way(q, k, v) for way in scaling.WAYS.values()))
    with pytest.raises(ValueError, match="two growing sizes"):
        scaling.measure((64, 64))
    with pytest.raises(ValueError, match="at least two sizes, got 1"):
        scaling.exponent((1,), (1,))


def test_verdict_of_the_fetching_experiment():
    runs = pd.DataFrame({"trained": [0.7, 0.72, 0.71], "untrained": [0.1] * 3, "no positions": [0.2] * 3,
                         "another asks": [0.5] * 3})  # fmt: skip
    found = {"uniform": 0.1, "same place": 0.4, "trained": over_seeds(runs["trained"])}
    assert fetching.verdict(runs, found).startswith("trained minus the best control (same place): +31.0 [")
    assert fetching.verdict(runs, found).endswith("higher")
    assert fetching.verdict(runs, found | {"same place": 0.9}).endswith("lower")
    assert fetching.knows_the_person(runs).startswith("trained minus another asks: +21.0 [")


def test_exercises_of_05_accept_right_and_reject_wrong_answers(capsys):
    kernels = [((c,), answers.eca_kernel(c)) for c in (8, 16, 64, 128, 512)]
    x, weight = torch.randn(2, 8, 4, 3), torch.randn(3)
    eca = EfficientChannelAttention(8, 3)
    torch.testing.assert_close(answers.efficient_channel_attention(x, eca.conv.weight.flatten()), eca(x))
    cases = [((x, weight), answers.efficient_channel_attention(x, weight))]

    def right(c):
        t = int((np.log2(c) + 1) / 2)
        return max(3, t if t % 2 else t + 1)

    def written_out(x, w):
        means = F.pad(x.mean((2, 3)), (1, 1))
        return sum(w[i] * means[:, i : i + x.shape[1]] for i in range(3)).sigmoid()[:, :, None, None]

    assert check(right, kernels) and check(written_out, cases) and check(1 / 64, answers.let_through(3))
    for wrong, tried in (
        (lambda c: int((np.log2(c) + 1) / 2), kernels),  # may be even
        (lambda c: 3, kernels),
        (lambda x, w: F.conv1d(x.mean((2, 3))[:, None], w.view(1, 1, -1), padding=1)[:, 0, :, None, None], cases),
        (
            lambda x, w: F.conv1d(x.amax((2, 3))[:, None], w.view(1, 1, -1), padding=1).sigmoid()[:, 0, :, None, None],
            cases,
        ),
        (lambda x, w: (x.mean((2, 3)) * w[1]).sigmoid()[:, :, None, None], cases),  # no neighbours
        (lambda x, w: written_out(x, w)[:, :, 0, 0], cases),
        (1 / 8, answers.let_through(3)),  # one gate where CBAM has two
        (0.75, answers.let_through(3)),
    ):
        assert not check(wrong, tried)
    assert "not right" in capsys.readouterr().out


def test_exercises_of_06_accept_right_and_reject_wrong_answers():
    q, k, v = torch.randn(3, 4), torch.randn(5, 4), torch.randn(5, 2)
    cases = [((q, k, v), answers.attention(q, k, v))]
    sizes = [(s, answers.multi_head_parameters(*s)) for s in ((8, 1), (8, 2), (48, 4))]
    assert all(n == sum(p.numel() for p in MultiHeadAttention(*s).parameters()) for s, n in sizes)
    maps = [(s, answers.map_bytes(*s)) for s in ((48, 36, 4, 4), (256, 192, 16, 8), (256, 192, 8, 8))]
    assert check(lambda q, k, v: torch.softmax(q @ k.T / 4**0.5, 1) @ v, cases)
    assert check(lambda w, h: 4 * w * (w + 1), sizes)
    assert check(lambda h, w, p, heads: heads * (h * w // p**2) ** 2 * 4, maps)
    for wrong, tried in (
        (lambda q, k, v: torch.softmax(q @ k.T, 1) @ v, cases),  # not scaled
        (lambda q, k, v: torch.softmax(q @ k.T / 2, 0) @ v, cases),  # over the queries
        (lambda q, k, v: torch.softmax(q @ k.T / 4, 1) @ v, cases),  # by d
        (lambda q, k, v: torch.sigmoid(q @ k.T / 2) @ v, cases),
        (lambda w, h: 4 * w * w, sizes),  # no biases
        (lambda w, h: 3 * w * (w + 1), sizes),  # no output layer
        (lambda w, h: 4 * h * w * (w + 1), sizes),  # once a head
        (lambda h, w, p, heads: (h * w // p**2) ** 2 * 4, maps),  # one head
        (lambda h, w, p, heads: heads * (h * w // p**2) * 4, maps),  # linear
        (lambda h, w, p, heads: heads * (h * w) ** 2 * 4, maps),  # pixels
    ):
        assert not check(wrong, tried)
