"""U-Net and try-on modules against CP-VTON's nested way of writing them; what the gates on the skips read."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from worlds import network_inputs as inputs

from mavton_lite.attention import GATES, make_gate, record
from mavton_lite.config import SMOKE
from mavton_lite.models import unet
from mavton_lite.models.build import build_tom
from mavton_lite.models.cpvton import TOM, gated_levels
from mavton_lite.models.mavton import MAUNet
from mavton_lite.models.unet import UNet


class NestedBlock(nn.Module):
    """CP-VTON's way of writing the U-Net: blocks inside blocks, activations in place."""

    def __init__(self, outer, inner, inside=None, source=None, gate=None, outermost=False, final_norm=True):
        super().__init__()
        self.outermost, self.gate = outermost, gate
        down = nn.Conv2d(source or outer, inner, 4, 2, 1)
        up = nn.Conv2d(inner * (1 if inside is None else 2), outer, 3, 1, 1)
        norm = nn.InstanceNorm2d
        grow = [nn.ReLU(True), nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), up]
        if outermost:
            layers = [down, inside, *grow] + ([norm(outer)] if final_norm else [])
        elif inside is None:
            layers = [nn.LeakyReLU(0.2, True), down, *grow, norm(outer)]
        else:
            layers = [nn.LeakyReLU(0.2, True), down, norm(inner), inside, *grow, norm(outer)]
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        if self.outermost:
            return self.model(x)
        below = self.model(x)  # x is LeakyReLU-ed from here on, in place
        return torch.cat([self.gate(x) if self.gate else x, below], 1)


def nested(unet: UNet, in_channels: int, width: int, downs: int, final_norm: bool) -> NestedBlock:
    sizes = [width * min(2**i, 8) for i in range(downs)]
    gates = [unet.gates[f"level{i + 1}"] if unet.gates else None for i in range(downs - 1)]
    block = None
    for i in range(downs - 1, 0, -1):
        block = NestedBlock(sizes[i - 1], sizes[i], block, gate=gates[i - 1])
    block = NestedBlock(4, sizes[0], block, source=in_channels, outermost=True, final_norm=final_norm)
    gated = {id(p) for g in unet.gates.values() for p in g.parameters()}
    mine = [p for p in unet.parameters() if id(p) not in gated]
    other = [p for p in block.parameters() if id(p) not in gated]
    with torch.no_grad():
        for p, q in zip(mine, other, strict=True):
            assert p.shape == q.shape
            q.copy_(p)
    return block


@pytest.mark.parametrize("gate", ["none", "cbam", "se"])
@pytest.mark.parametrize("final_norm", [True, False])
@pytest.mark.parametrize("downs", [4, 5])
def test_unet_equals_the_nested_original(gate, final_norm, downs):
    torch.manual_seed(0)
    factory = None if gate == "none" else lambda c: GATES[gate](c, 4, 7)
    unet = UNet(25, 4, 4, downs, factory, "bilinear", final_norm)
    oracle = nested(unet, 25, 4, downs, final_norm)
    x = torch.randn(2, 25, 64, 64)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    out, expected = unet(a), oracle(b)
    torch.testing.assert_close(out, expected, atol=2e-5, rtol=1e-4)
    weights = torch.randn(out.shape)
    (out * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(a.grad, b.grad, atol=1e-4 * float(b.grad.abs().max()), rtol=1e-3)


def test_nothing_writes_into_a_skip():
    tom, kept = build_tom(SMOKE, "cbam"), {}
    for level, gate in tom.unet.gates.items():
        gate.register_forward_hook(
            lambda m, i, o, level=level: kept.update({level: [(t, t.clone(), t._version) for t in (i[0], o)]})
        )
    tom(*inputs())
    assert list(kept) == ["level1", "level2", "level3"]
    for pairs in kept.values():
        for tensor, copy, version in pairs:
            assert torch.equal(tensor, copy) and tensor._version == version


def test_attention_reads_the_leaky_relu_of_the_first_layer():
    tom, seen = build_tom(SMOKE, "cbam"), {}
    tom.unet.down[0].register_forward_hook(lambda m, i, o: seen.update(raw=o.clone()))
    tom.unet.gates["level1"].register_forward_hook(lambda m, i, o: seen.update(read=i[0]))
    tom(*inputs())
    assert torch.equal(seen["read"], F.leaky_relu(seen["raw"], 0.2)) and seen["read"].min() < 0


def test_maps_are_named_by_level():
    tom = build_tom(SMOKE, "cbam")
    with record(tom) as maps:
        tom(*inputs())
    assert list(maps) == [f"unet.gates.level{i}.{kind}" for i in (1, 2, 3) for kind in ("channel", "spatial")]
    assert [tuple(m.shape[1:]) for m in maps.values()] == [
        (8, 1, 1), (1, 32, 24), (16, 1, 1), (1, 16, 12), (32, 1, 1), (1, 8, 6),
    ]  # fmt: skip


@pytest.mark.parametrize("gate", list(GATES))
def test_tryon_is_the_composite(gate):
    agnostic, cloth, mask = inputs()
    tryon = build_tom(SMOKE, gate)(agnostic, cloth, mask)
    torch.testing.assert_close(tryon.image, tryon.mask * cloth + (1 - tryon.mask) * tryon.rendered)
    assert tryon.mask.min() > 0 and tryon.mask.max() < 1


def test_rendered_keeps_what_the_fifth_output_says():
    torch.manual_seed(0)
    agnostic, cloth, mask = inputs()
    four, five = (TOM(dataclasses.replace(SMOKE.tom, keep=keep)) for keep in (False, True))
    plain = four(agnostic, cloth, mask)
    assert plain.kept is None and plain.rendered.abs().max() < 1
    made = five.unet(torch.cat([agnostic, cloth, mask], 1))
    tryon, k = five(agnostic, cloth, mask), 1 / (1 + torch.exp(-made[:, 4:]))
    assert made.shape[1] == 5
    torch.testing.assert_close(tryon.kept, k)
    torch.testing.assert_close(tryon.rendered, k * agnostic[:, 1:4] + (1 - k) * made[:, :3].tanh())
    torch.testing.assert_close(tryon.mask, torch.sigmoid(made[:, 3:4]))


def test_final_norm_holds_the_mask_near_one_half():
    x = inputs()
    normed = TOM(dataclasses.replace(SMOKE.tom, final_norm=True))(*x).mask
    torch.testing.assert_close(normed.logit().mean((2, 3)), torch.zeros(2, 1), atol=1e-3, rtol=0)
    torch.testing.assert_close(normed.logit().std((2, 3)), torch.ones(2, 1), atol=1e-2, rtol=0)
    free = build_tom(SMOKE)
    nn.init.constant_(free.unet.up[-1].bias, 20.0)
    assert free(*x).mask.min() > 0.99


def test_mask_input_is_read_only_when_asked_for():
    agnostic, cloth, mask = inputs()
    plain, plus = (TOM(dataclasses.replace(SMOKE.tom, mask_input=asked)) for asked in (False, True))
    assert torch.equal(plain(agnostic, cloth, mask).image, plain(agnostic, cloth, 1 - mask).image)
    assert not torch.equal(plus(agnostic, cloth, mask).image, plus(agnostic, cloth, 1 - mask).image)


def test_nearest_upsampling_repeats_pixels():
    torch.manual_seed(0)
    unet = UNet(3, 4, 4, 2, upsample="nearest", final_norm=False)
    seen = {}
    unet.up[-1].register_forward_hook(lambda m, i, o: seen.update(x=i[0]))
    unet(torch.randn(1, 3, 16, 16))
    assert torch.equal(seen["x"][..., ::2, ::2], seen["x"][..., 1::2, 1::2])


def test_ma_unet_is_tom_with_cbam():
    torch.manual_seed(1)
    a = MAUNet(SMOKE.tom)
    torch.manual_seed(1)
    b = TOM(SMOKE.tom, "cbam")
    x = inputs()
    assert torch.equal(a(*x).image, b(*x).image) and isinstance(build_tom(SMOKE, "cbam"), MAUNet)
    b.load_state_dict(a.state_dict(), strict=True)


@pytest.mark.parametrize("gate", ["none", "cbam"])
def test_channels_last_gives_the_same_picture(gate):
    tom, x = build_tom(SMOKE, gate), inputs()
    expected = tom(*x).image
    x = [t.contiguous(memory_format=torch.channels_last) for t in x]
    last = tom.to(memory_format=torch.channels_last)(*x).image
    torch.testing.assert_close(last, expected, atol=1e-5, rtol=1e-4)


def test_a_few_steps_lower_the_loss():
    torch.manual_seed(0)
    tom, (agnostic, cloth, mask) = build_tom(SMOKE, "cbam"), inputs()
    target = F.interpolate(torch.rand(2, 3, 8, 6) * 2 - 1, SMOKE.size, mode="bilinear", align_corners=True)
    optimiser = torch.optim.Adam(tom.parameters(), 3e-3)
    losses = []
    for _ in range(20):
        loss = (tom(agnostic, cloth, mask).image - target).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0]


def test_a_gates_name_says_which_levels_carry_it():
    assert gated_levels("cbam", 4) == ("cbam", range(1, 5))
    assert gated_levels("se@2", 4) == ("se", range(2, 3))
    assert gated_levels("cbam@1-2", 4) == ("cbam", range(1, 3))
    assert gated_levels("spatial>channel@3-", 4) == ("spatial>channel", range(3, 5))
    for gate, message in (
        ("cbam@5", "levels 5 to 5, wanted some of 1 to 4"), ("cbam@0-2", "levels 0 to 2"), ("cbam@3-2", "levels 3"),
        ("cbam@x", "wanted one such as"), ("none@1", "wanted one such as"), ("self@1", "wanted one such as"),
        ("mood@1", "unknown gate 'mood'"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            gated_levels(gate, 4)


@pytest.mark.parametrize("gate", ["cbam@1-2", "cbam@3-", "spatial>channel", "self"])
def test_ablated_gates_are_where_they_say_and_all_learn(gate):
    tom, (agnostic, cloth, mask) = build_tom(SMOKE, gate), inputs()
    with record(tom) as maps:
        made = tom(agnostic, cloth, mask)
    wanted = {
        "cbam@1-2": [f"unet.gates.level{i}.{kind}" for i in (1, 2) for kind in ("channel", "spatial")],
        "cbam@3-": ["unet.gates.level3.channel", "unet.gates.level3.spatial"],
        "spatial>channel": [f"unet.gates.level{i}.{kind}" for i in (1, 2, 3) for kind in ("spatial", "channel")],
        "self": ["unet.bottleneck.attention.map"],
    }
    assert list(maps) == wanted[gate]
    if gate == "self":
        torch.nn.init.ones_(tom.unet.bottleneck.scale)  # 0 at first: the rest learns from the second step on
        made = tom(agnostic, cloth, mask)
    made.image.square().sum().backward()
    parts = tom.unet.bottleneck if gate == "self" else tom.unet.gates
    # a key's bias moves all weights of a row alike, which softmax does not see
    learns = {n: p.grad.abs().max() > 0 for n, p in parts.named_parameters() if not n.endswith("key.bias")}
    assert learns and all(learns.values())


def test_a_new_bottleneck_changes_nothing_at_first():
    torch.manual_seed(0)
    attended = build_tom(SMOKE, "self")
    plain = build_tom(SMOKE)
    plain.load_state_dict({k: v for k, v in attended.state_dict().items() if "bottleneck" not in k})
    torch.testing.assert_close(attended(*inputs()).image, plain(*inputs()).image)


def test_series_of_gates_are_one_gate():
    gate, x = make_gate("spatial>channel", 8, 2), torch.randn(2, 8, 6, 4)
    once = x * gate.spatial(x)
    torch.testing.assert_close(gate(x), once * gate.channel(once))
    with pytest.raises(ValueError, match="a map comes twice"):
        make_gate("cbam>channel", 8)


@pytest.mark.parametrize("upsample", ["bilinear", "nearest"])
def test_the_decoders_short_cut_gives_what_its_layers_give(upsample, monkeypatch):
    """Mixing channels before enlarging is the same sum in another order, forwards and backwards."""
    network = UNet(5, 4, 80, 3, upsample=upsample, final_norm=False).double()
    x = torch.randn(2, 5, 16, 24, dtype=torch.float64)
    short_cut, taken, found = unet._mix_then_place, [], []
    monkeypatch.setattr(unet, "_mix_then_place", lambda x, conv, *rest: taken.append(conv) or short_cut(x, conv, *rest))
    for watched in (False, True):  # a layer that is watched is called
        handles = [conv.register_forward_hook(lambda *_: None) for conv in network.up if watched]
        y = network(x)
        found.append([y, *torch.autograd.grad(y.square().sum(), list(network.parameters()))])
        for handle in handles:
            handle.remove()
    assert taken == list(network.up)
    for short, long in zip(*found, strict=True):
        torch.testing.assert_close(short, long, rtol=1e-9, atol=1e-9)


def test_the_short_cut_is_left_where_pictures_are_too_wide_for_it():
    assert unet._pays(nn.Conv2d(1024, 256, 3, 1, 1), 16, 12)  # CP-VTON's
    assert unet._pays(nn.Conv2d(128, 4, 3, 1, 1), 128, 96)
    assert not unet._pays(nn.Conv2d(256, 64, 3, 1, 1), 256, 192)  # at 1024 x 768
    assert not unet._pays(nn.Conv2d(16, 8, 3, 1, 1), 16, 12)
