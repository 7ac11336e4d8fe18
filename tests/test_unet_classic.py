"""The classic U-Net, its skips, its drawing, and the lesson on what the skips carry."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mavton_lite.data.lessons import People
from mavton_lite.models.unet_classic import ClassicUNet
from mavton_lite.models.unet_study import SETTINGS, Parsed, edges, judge, labelled, teach
from mavton_lite.plots.unet import classic_unet, skip_bars, skip_pictures, trace

PAIRS = [(1, 64), (64, 128), (128, 256), (256, 512), (512, 1024), (1024, 512), (512, 256), (256, 128), (128, 64)]


def test_it_has_the_parameters_of_the_paper():
    with torch.device("meta"):
        network = ClassicUNet(1, 2)
    pairs = sum(9 * a * b + b + 9 * b * b + b for a, b in PAIRS)
    enlarge = sum(4 * 2 * c * c + c for c in (512, 256, 128, 64))
    assert sum(p.numel() for p in network.parameters()) == pairs + enlarge + 64 * 2 + 2 == 31_030_658


def test_by_hand_with_one_level():
    torch.manual_seed(0)
    network, x = ClassicUNet(3, 5, width=4, levels=1), torch.randn(2, 3, 6, 8)
    skip = network.down[0](x)
    deep = network.bottom(nn.MaxPool2d(2)(skip))
    wanted = network.last(network.up[0](torch.cat([skip, network.enlarge[0](deep)], 1)))
    assert torch.equal(network(x), wanted) and wanted.shape == (2, 5, 6, 8)
    network.carried = ()
    wanted = network.last(network.up[0](torch.cat([torch.zeros_like(skip), network.enlarge[0](deep)], 1)))
    assert torch.equal(network(x), wanted)


def test_a_cut_skip_stops_the_gradient_at_full_resolution():
    network, x = ClassicUNet(1, 1, width=4, levels=2), torch.rand(1, 1, 8, 8, requires_grad=True)
    network(x)[0, 0, 3, 3].backward()
    assert x.grad.abs().sum() > 0
    for bad in (torch.zeros(1, 1, 8, 6), torch.zeros(1, 2, 8, 8), torch.zeros(1, 8, 8)):
        with pytest.raises(ValueError, match=r"wants \(B, 1, H, W\) with H and W divisible by 4"):
            network(bad)
    with pytest.raises(ValueError, match="levels >= 1"):
        ClassicUNet(1, 1, levels=0)


def test_the_drawing_reads_the_running_module():
    with torch.device("meta"):
        network = ClassicUNet(3, 20)
    seen = trace(network, (256, 192))
    assert seen.pairs[0] == [(3, 256, 192), (64, 256, 192), (64, 256, 192)]
    assert seen.pairs[4] == [(512, 16, 12), (1024, 16, 12), (1024, 16, 12)]
    assert seen.pairs[5][0] == (1024, 32, 24) and seen.raised == [
        (512, 32, 24), (256, 64, 48), (128, 128, 96), (64, 256, 192)]  # fmt: skip
    assert seen.out == (20, 256, 192)
    words = [t.get_text() for t in classic_unet(network, (256, 192)).axes[0].texts]
    assert "512 + 512" in words and "16 × 12" in words and "31,032,980 parameters" in words
    assert sum("skip" in w for w in words) == 4


def test_edges_are_where_another_label_is_near():
    parse = torch.zeros(1, 8, 10, dtype=torch.long)
    parse[..., 5:] = 3
    assert edges(parse)[0].any(0).tolist() == [False] * 3 + [True] * 4 + [False] * 3
    truth = parse.clone()
    parse[..., 4] = 3  # one column beside the edge
    assert judge(parse, truth) == Parsed(inside=1.0, edge=0.75)


def test_teaching_lowers_the_loss_and_cutting_is_undone():
    dice = torch.Generator().manual_seed(0)
    parses = torch.zeros(12, 64, 48, dtype=torch.long)
    parses[:, 16:, 12:36] = 5
    pictures = torch.where(parses[:, None] == 5, 0.8, -0.5).expand(-1, 3, -1, -1)
    pictures = pictures + 0.05 * torch.randn(pictures.shape, generator=dice)
    people = People(pictures, parses, pictures, parses[:, None].float(), torch.zeros(12, 2, 64, 48))
    settings = SETTINGS["smoke"].__class__(train=12, test=4, steps=25, batch=6)
    for skips in (True, False):
        network = teach(settings, people, skips)
        assert list(network.carried) == ([1, 2, 3, 4] if skips else [])
        whole = labelled(network, pictures)
        assert (whole == parses).float().mean() > 0.8
        if skips:
            cut = labelled(network, pictures, cut=1)
            assert not torch.equal(cut, whole), "the skip at full size carries nothing"
            assert torch.equal(labelled(network, pictures), whole)
    with pytest.raises(ValueError, match="no skip 5; there are 1 to 4"):
        labelled(network, pictures, cut=5)
    assert len(skip_pictures(pictures[:2], {"a": whole[:2]}).axes) == 4
    assert skip_bars({"with": Parsed(0.9, 0.5), "without": Parsed(0.8, 0.3)}).axes[0].get_yticklabels()[1].get_text()
