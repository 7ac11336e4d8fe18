"""Every gate against an independent implementation, forward and gradient; the recorder; the names."""

import copy

import pytest
import timm.layers
import torch
from timm.layers.cbam import CbamModule
from torch import nn

from mavton_lite.attention import (
    CBAM,
    GATES,
    AttentionMap,
    ChannelAttention,
    EfficientChannelAttention,
    Gate,
    SpatialAttention,
    SqueezeExcitation,
    make_gate,
    record,
)

SIZES = [(16, 4), (64, 16), (20, 4)]  # channels, reduction


def features(channels: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(2, channels, 8, 6, generator=torch.Generator().manual_seed(seed))


def same(ours: nn.Module, theirs: nn.Module, x: torch.Tensor, apply: bool) -> None:
    """Output and gradients of input and weights agree; with `apply` ours gives a map that is still to be multiplied."""
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    out_a = a * ours(a) if apply else ours(a)
    out_b = theirs(b)
    torch.testing.assert_close(out_a, out_b, atol=1e-6, rtol=1e-5)
    weights = torch.randn(x.shape, generator=torch.Generator().manual_seed(9))
    (out_a * weights).sum().backward()
    (out_b * weights).sum().backward()
    torch.testing.assert_close(a.grad, b.grad, atol=1e-6, rtol=1e-5)
    assert a.grad.abs().max() > 0
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad.view_as(p), atol=1e-5, rtol=1e-4)


def copy_weights(ours: nn.Module, theirs: nn.Module) -> None:
    """Tensors in order, a linear layer's as a 1 x 1 convolution's; nothing may be left over on either side."""
    mine, other = list(ours.parameters()), list(theirs.parameters())
    assert [p.numel() for p in mine] == [p.numel() for p in other]
    with torch.no_grad():
        for p, q in zip(mine, other, strict=True):
            q.copy_(p.view_as(q))


def timm_cbam(channels: int, reduction: int) -> nn.Module:
    module = CbamModule(channels, rd_channels=channels // reduction, spatial_kernel_size=7)
    module.spatial.conv.bn = nn.Identity()  # the thesis's formula has no normalisation
    return module


@pytest.mark.parametrize(("channels", "reduction"), SIZES)
def test_se_equals_timm(channels, reduction):
    ours = SqueezeExcitation(channels, reduction)
    theirs = timm.layers.SEModule(channels, rd_channels=channels // reduction, bias=False)
    copy_weights(ours, theirs)
    same(ours, theirs, features(channels), apply=True)


@pytest.mark.parametrize("channels", [16, 20, 64, 128, 512])
def test_eca_equals_timm(channels):
    ours, theirs = EfficientChannelAttention(channels), timm.layers.EcaModule(channels)
    copy_weights(ours, theirs)
    same(ours, theirs, features(channels), apply=True)


@pytest.mark.parametrize(("channels", "kernel"), [(8, 3), (64, 3), (128, 5), (256, 5), (512, 5)])
def test_eca_kernel_follows_the_paper(channels, kernel):
    assert EfficientChannelAttention(channels).conv.kernel_size == (kernel,)


@pytest.mark.parametrize(("channels", "reduction"), SIZES)
def test_channel_attention_equals_timm(channels, reduction):
    ours, theirs = ChannelAttention(channels, reduction), timm_cbam(channels, reduction).channel
    copy_weights(ours, theirs)
    same(ours, theirs, features(channels), apply=True)


def test_spatial_attention_equals_timm():
    ours, theirs = SpatialAttention(16), timm_cbam(16, 4).spatial
    copy_weights(ours, theirs)
    same(ours, theirs, features(16), apply=True)


def test_spatial_attention_equals_a_loop():
    """Thesis (2-4): average first, maximum second; zeros around the border."""
    x, attention = features(5).double(), SpatialAttention(5, kernel=3).double()
    kernel = attention.conv.weight[0]  # (2, 3, 3)
    expected = torch.zeros(2, 1, 8, 6, dtype=torch.float64)
    for b in range(2):
        for i in range(8):
            for j in range(6):
                for u in range(3):
                    for v in range(3):
                        y, z = i + u - 1, j + v - 1
                        if 0 <= y < 8 and 0 <= z < 6:
                            column = x[b, :, y, z]
                            expected[b, 0, i, j] += kernel[0, u, v] * column.mean() + kernel[1, u, v] * column.max()
    torch.testing.assert_close(attention(x), expected.sigmoid())


def test_channel_attention_equals_a_loop():
    """Thesis (2-5): H1(relu(H0 avg)) + H1(relu(H0 max)), one number at a time."""
    x, attention = features(6).double(), ChannelAttention(6, reduction=2).double()
    h0, h1 = attention.mlp[0].weight, attention.mlp[2].weight  # (3, 6), (6, 3)
    found = attention(x)
    for b in range(2):
        for c in range(6):
            score = 0.0
            for pooled in ([x[b, k].mean() for k in range(6)], [x[b, k].max() for k in range(6)]):
                for h in range(3):
                    score += h1[c, h] * max(0.0, sum(h0[h, k] * pooled[k] for k in range(6)))
            torch.testing.assert_close(found[b, c, 0, 0], torch.sigmoid(torch.as_tensor(score)))


@pytest.mark.parametrize(("channels", "reduction"), SIZES)
def test_cbam_equals_timm(channels, reduction):
    ours, theirs = CBAM(channels, reduction), timm_cbam(channels, reduction)
    copy_weights(ours, theirs)
    same(ours, theirs, features(channels), apply=False)


def test_cbam_goes_channel_first():
    cbam, x = CBAM(16, 4), features(16)
    once = x * cbam.channel(x)
    torch.testing.assert_close(cbam(x), once * cbam.spatial(once))
    other = x * cbam.spatial(x)
    assert (cbam(x) - other * cbam.channel(other)).abs().max() > 1e-4


@pytest.mark.parametrize("name", list(GATES))
def test_gates_keep_shape_and_pass_gradients_to_all_weights(name):
    gate, x = make_gate(name, 24, reduction=4, kernel=7), features(24).requires_grad_()
    out = gate(x)
    assert out.shape == x.shape
    out.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in gate.parameters())
    assert (name == "none") == torch.equal(out, x)


@pytest.mark.parametrize("name", [n for n in GATES if n != "none"])
def test_maps_are_between_0_and_1_and_stay_off_the_input(name):
    gate, x = make_gate(name, 24, reduction=4), features(24)
    before = x.clone()
    with record(gate) as maps:
        out = gate(x)
    product = x
    for attention in maps.values():
        assert attention.min() > 0 and attention.max() < 1
        product = product * attention
    torch.testing.assert_close(out, product)
    assert torch.equal(x, before)


@pytest.mark.parametrize("name", [n for n in GATES if n != "none"])
def test_channels_last_gives_the_same(name):
    gate, x = make_gate(name, 24, reduction=4), features(24)
    torch.testing.assert_close(gate(x.contiguous(memory_format=torch.channels_last)), gate(x))


def test_every_gate_has_a_factory_that_wants_channels_only():
    for factory in GATES.values():
        assert isinstance(factory(16), nn.Module)


def test_record_names_maps_detaches_them_and_leaves_no_hook():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), CBAM(8, 2), Gate(se=SqueezeExcitation(8, 2)))
    with record(network) as maps:
        network(torch.randn(1, 3, 8, 6))
    assert list(maps) == ["1.channel", "1.spatial", "2.se"]
    assert maps["1.channel"].shape == (1, 8, 1, 1) and maps["1.spatial"].shape == (1, 1, 8, 6)
    assert not any(m.requires_grad for m in maps.values())
    first = copy.deepcopy(maps)
    network(torch.randn(1, 3, 8, 6))
    assert all(torch.equal(first[k], maps[k]) for k in maps)


def test_record_removes_hooks_when_the_network_fails():
    cbam = CBAM(8, 2)
    with pytest.raises(ValueError, match="wants"), record(cbam):
        cbam(torch.randn(1, 4, 8, 6))
    assert not any(m._forward_hooks for m in cbam.modules())


@pytest.mark.parametrize(
    "attention", [SqueezeExcitation(8), EfficientChannelAttention(8), ChannelAttention(8), SpatialAttention(8)]
)
def test_wrong_channels_are_refused(attention: AttentionMap):
    with pytest.raises(ValueError, match=r"wants \(B, 8, H, W\), got \(2, 4, 6, 6\)"):
        attention(torch.zeros(2, 4, 6, 6))


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="known: none, se, eca, channel, spatial, cbam"):
        make_gate("cbma", 8)
    with pytest.raises(ValueError, match="odd"):
        SpatialAttention(8, kernel=4)
    with pytest.raises(ValueError, match="odd"):
        EfficientChannelAttention(8, kernel=2)
    with pytest.raises(ValueError, match="reduction"):
        ChannelAttention(8, reduction=0)


def test_reduction_never_leaves_a_perceptron_without_hidden_units():
    assert ChannelAttention(8, reduction=16).mlp[0].out_features == 1
