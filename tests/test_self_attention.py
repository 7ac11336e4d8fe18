"""Self- and cross-attention against PyTorch's own and against plain loops, forward and gradient."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mavton_lite.attention import record
from mavton_lite.attention.self_attention import (
    AttentionMatrix,
    MultiHeadAttention,
    from_torch,
    scaled_dot_product,
    sine_positions,
    tokens,
)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gradients(output: torch.Tensor, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    return torch.autograd.grad((output * noise(*output.shape, seed=9)).sum(), inputs)


def test_scaled_dot_product_equals_torch():
    inputs = [noise(2, 3, n, 4, seed=s).requires_grad_() for s, n in enumerate((5, 7, 7))]
    ours, weights = scaled_dot_product(*inputs)
    theirs = F.scaled_dot_product_attention(*inputs)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 5, dtype=torch.float64))
    for a, b in zip(gradients(ours, inputs), gradients(theirs, inputs), strict=True):
        assert a.abs().max() > 0
        torch.testing.assert_close(a, b)


def test_scaled_dot_product_equals_thesis_equation_2_7_in_loops():
    """Thesis (2-7): h_m = sum_n softmax_n(s(k_n, q_m)) v_n, one number at a time."""
    q, k, v = noise(3, 4), noise(5, 4, seed=1), noise(5, 2, seed=2)
    ours, weights = scaled_dot_product(q, k, v)
    for m in range(3):
        scores = [math.exp(sum(float(k[n, i] * q[m, i]) for i in range(4)) / math.sqrt(4)) for n in range(5)]
        for n in range(5):
            assert float(weights[m, n]) == pytest.approx(scores[n] / sum(scores))
        for e in range(2):
            wanted = sum(scores[n] / sum(scores) * float(v[n, e]) for n in range(5))
            assert float(ours[m, e]) == pytest.approx(wanted)


def test_projections_are_thesis_equation_2_6():
    """Thesis (2-6) has a column for each place, Q = W_Q X; here places are rows: Q = X W_Qᵀ (+ bias)."""
    module, x, seen = MultiHeadAttention(6, 1).double(), noise(1, 5, 6), []
    module.map.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs))
    module(x)
    for found, layer in zip(seen, (module.query, module.key), strict=True):
        columns = layer.weight @ x[0].T + layer.bias[:, None]  # (d, N), as the thesis writes it
        torch.testing.assert_close(found[0, 0], columns.T)


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("cross", [False, True])
def test_multi_head_attention_equals_torch(heads, cross):
    theirs = nn.MultiheadAttention(8, heads, batch_first=True).double()
    with torch.no_grad():
        theirs.in_proj_bias.copy_(noise(24))  # zero at the start: then they would not be tested
        theirs.out_proj.bias.copy_(noise(8))
    ours = from_torch(theirs)
    x, memory = noise(2, 5, 8, seed=1).requires_grad_(), noise(2, 7, 8, seed=2).requires_grad_()
    inputs = [x, memory] if cross else [x]
    with record(ours) as maps:
        mine = ours(*inputs)
    source = memory if cross else x
    other, weights = theirs(x, source, source, average_attn_weights=False)
    torch.testing.assert_close(mine, other)
    torch.testing.assert_close(maps["map"], weights)
    for a, b in zip(gradients(mine, inputs), gradients(other, inputs), strict=True):
        assert a.abs().max() > 0
        torch.testing.assert_close(a, b)
    own = gradients(ours(*inputs), [ours.query.weight, ours.key.weight, ours.value.weight, ours.out.weight])
    packed, out = gradients(theirs(x, source, source)[0], [theirs.in_proj_weight, theirs.out_proj.weight])
    torch.testing.assert_close(torch.cat(own[:3]), packed)
    torch.testing.assert_close(own[3], out)


def test_more_places_than_queries_and_another_width_of_memory():
    module = MultiHeadAttention(8, 2, memory_width=6)
    with record(module) as maps:
        assert module(torch.randn(3, 5, 8), torch.randn(3, 9, 6)).shape == (3, 5, 8)
    assert maps["map"].shape == (3, 2, 5, 9) and set(maps) == {"map"}
    assert torch.allclose(maps["map"].sum(-1), torch.ones(3, 2, 5)) and maps["map"].min() > 0


def test_without_positions_attention_does_not_know_the_order():
    module, x = MultiHeadAttention(8, 2), torch.randn(2, 6, 8)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(module(x[:, order]), module(x)[:, order])
    placed = sine_positions(2, 3, 8)
    assert (module(x[:, order] + placed) - module(x + placed)[:, order]).abs().max() > 1e-3


def test_tokens_and_positions():
    features = torch.arange(24.0).view(1, 2, 3, 4)
    assert torch.equal(tokens(features)[0, 5], features[0, :, 1, 1])
    positions = sine_positions(3, 4, 8)
    assert positions.shape == (12, 8) and len(positions.unique(dim=0)) == 12
    row, column = positions.view(3, 4, 8)[..., :4], positions.view(3, 4, 8)[..., 4:]
    assert torch.equal(row[:, 0], row[:, 3]) and torch.equal(column[0], column[2])
    assert torch.allclose(row[1, 0, 0], torch.tensor(1.0).sin())


def test_wrong_input_is_refused_by_name():
    with pytest.raises(ValueError, match="width of 8 does not divide into 3 heads"):
        MultiHeadAttention(8, 3)
    module = MultiHeadAttention(8, 2)
    for x in (torch.zeros(2, 5, 7), torch.zeros(2, 8, 4, 4), torch.zeros(5, 8)):
        with pytest.raises(ValueError, match=r"wants x \(B, places, 8\), got"):
            module(x)
    with pytest.raises(ValueError, match=r"wants memory \(B, places, 8\), got \(2, 5, 6\)"):
        module(torch.zeros(2, 5, 8), torch.zeros(2, 5, 6))
    with pytest.raises(ValueError, match="one batch size, got 2 and 3"):
        module(torch.zeros(2, 5, 8), torch.zeros(3, 5, 8))
    with pytest.raises(ValueError, match="one width, got 4 and 5"):
        scaled_dot_product(torch.zeros(3, 4), torch.zeros(3, 5), torch.zeros(3, 4))
    with pytest.raises(ValueError, match="3 keys and 2 values"):
        scaled_dot_product(torch.zeros(3, 4), torch.zeros(3, 4), torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"wants keys \(B, heads, N, 4\), got \(1, 2, 3, 5\)"):
        AttentionMatrix(4)(torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 3, 5))
    with pytest.raises(ValueError, match="wanted a feature map"):
        tokens(torch.zeros(2, 3, 4))
    with pytest.raises(ValueError, match="multiple of 4 channels, got 6"):
        sine_positions(2, 2, 6)
    for options in ({"dropout": 0.1}, {"bias": False}, {"add_bias_kv": True}, {"kdim": 4}, {"batch_first": False}):
        with pytest.raises(ValueError, match=r"wanted nn\.MultiheadAttention"):
            from_torch(nn.MultiheadAttention(8, 2, **({"batch_first": True} | options)))
