"""Vision transformers and the fetching experiment: equal to PyTorch's layers, exact truth, controls, learning."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mavton_lite.attention import record
from mavton_lite.data.lessons import people_pictures
from mavton_lite.models import fetching
from mavton_lite.models.fetching import at, attention_of, build, moved, on_target, pairs_of, true_places, true_weights
from mavton_lite.models.vit import Block, Fetcher, PatchEmbedding, ViT

TINY = at("smoke")
PATCH = TINY.patch


@pytest.fixture(scope="module")
def pairs():
    return pairs_of(people_pictures(TINY.n_train, TINY.height, TINY.width))


def test_block_equals_torchs_layer():
    ours = Block(8, 2, expansion=2)
    theirs = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
    with torch.no_grad():
        attention = theirs.self_attn
        for i, layer in enumerate((ours.attention.query, ours.attention.key, ours.attention.value)):
            layer.weight.copy_(attention.in_proj_weight.chunk(3)[i])
            layer.bias.copy_(attention.in_proj_bias.chunk(3)[i])
        ours.attention.out.load_state_dict(attention.out_proj.state_dict())
        ours.mlp[0].load_state_dict(theirs.linear1.state_dict())
        ours.mlp[2].load_state_dict(theirs.linear2.state_dict())
    a = torch.randn(2, 5, 8).requires_grad_()
    b = a.detach().clone().requires_grad_()
    mine, other = ours(a), theirs(b)
    torch.testing.assert_close(mine, other)
    weights = torch.randn(mine.shape)
    (mine * weights).sum().backward()
    (other * weights).sum().backward()
    torch.testing.assert_close(a.grad, b.grad)


def test_a_patch_becomes_a_token():
    embedding = PatchEmbedding(3, (8, 12), 4, 16)
    x = torch.randn(2, 3, 8, 12)
    out = embedding(x)
    assert out.shape == (2, 6, 16) and embedding.grid == (2, 3)
    by_hand = embedding.project.weight.flatten(1) @ x[1, :, 4:8, 0:4].flatten() + embedding.project.bias
    torch.testing.assert_close(out[1, 3], by_hand + embedding.positions[3])


def test_without_positions_shuffled_patches_are_the_same_picture():
    x = torch.randn(1, 3, 8, 8)
    shuffled = torch.cat([x[:, :, 4:], x[:, :, :4]], 2)  # upper and lower half exchanged
    order = [2, 3, 0, 1]
    blind, placed = ViT(3, (8, 8), 4, 16, positions=False), ViT(3, (8, 8), 4, 16)
    torch.testing.assert_close(blind(shuffled), blind(x)[:, order])
    assert (placed(shuffled) - placed(x)[:, order]).abs().max() > 1e-3


def test_the_fetcher_gives_what_lies_on_the_garment_and_is_recorded():
    network = Fetcher(4, 4, (8, 12), 4, 16, heads=2)
    person, garment, values = torch.randn(2, 4, 8, 12), torch.randn(2, 4, 8, 12), torch.randn(2, 6, 3)
    with record(network) as maps:
        out = network(person, garment, values)
    assert set(maps) == {"map", "person.blocks.0.attention.map", "garment.blocks.0.attention.map"}
    assert maps["map"].shape == (2, 2, 6, 6)
    torch.testing.assert_close(out, maps["map"].mean(1) @ values)
    torch.testing.assert_close(network(person, garment, torch.full((2, 6, 1), 3.0)), torch.full((2, 6, 1), 3.0))


def test_true_places_and_weights(pairs):
    """A patch's true place lies on the garment, and ideal attention fetches a linear print without error."""
    places, share = true_places(pairs, PATCH)
    asked = share >= 0.75
    assert asked.any(1).all() and share.max() <= 1
    middles = fetching.centres(TINY.height, TINY.width, PATCH)
    assert middles[0].tolist() == [1.5, 1.5] and middles[1].tolist() == [5.5, 1.5]
    weights = true_weights(places, middles, PATCH)
    torch.testing.assert_close(weights.sum(2)[asked], torch.ones(int(asked.sum())))
    inside = places.clamp(middles.amin(0), middles.amax(0))
    torch.testing.assert_close((weights @ middles)[asked], inside[asked], atol=1e-3, rtol=1e-4)
    assert (on_target(weights, pairs, PATCH) > 0.85).all(), "what is wanted is on target"
    x, y = places[asked].round().long().T
    which = asked.nonzero()[:, 0]
    assert (pairs.garment[which, 3, y, x] > -1).float().mean() > 0.97


def test_moving_a_garment_moves_its_truth(pairs):
    """The cloth fetched along the moved truth is the cloth fetched along the truth, but for resampling."""
    again = moved(pairs, 0.6, torch.Generator().manual_seed(0))
    assert torch.equal(again.person, pairs.person) and not torch.equal(again.garment, pairs.garment)

    def fetch(p):
        scale = torch.tensor([TINY.width - 1, TINY.height - 1]).view(1, 2, 1, 1)
        grid = (p.warp / scale * 2 - 1).permute(0, 2, 3, 1)
        return torch.nn.functional.grid_sample(p.garment, grid, align_corners=True)

    seen = pairs.worn.expand(-1, 4, -1, -1) > 0
    before, after = fetch(pairs)[seen], fetch(again)[seen]
    assert (before - after).abs().mean() < 0.12
    wrong = fetch(again._replace(warp=pairs.warp))[seen]
    assert (before - wrong).abs().mean() > 2 * (before - after).abs().mean()
    still = moved(pairs, 1.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(still.garment, pairs.garment, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(still.warp, pairs.warp, atol=1e-4, rtol=1e-4)


def test_a_mirrored_pair_is_a_pair(pairs):
    turned = fetching.mirrored(pairs)
    twice = fetching.mirrored(turned)
    for a, b in zip(pairs, twice, strict=True):
        torch.testing.assert_close(a, b)
    seen = turned.worn[0, 0] > 0
    x, y = turned.warp[0][:, seen].round().long()
    assert (turned.garment[0, 3, y, x] > -1).float().mean() > 0.95


def test_training_beats_every_control_on_what_it_was_trained_on(pairs):
    settings = at("smoke", steps=160, batch=8)
    network = build(settings, 0)
    untrained = on_target(attention_of(network, pairs).mean(1), pairs, PATCH).mean()
    losses = fetching.train(network, pairs, settings, 0)
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])
    given = moved(pairs, settings.smallest, torch.Generator().manual_seed(5))
    trained = on_target(attention_of(network, given).mean(1), given, PATCH).mean()
    rivals = fetching.controls(given, pairs, PATCH)
    assert set(rivals) == {"uniform", "centre", "same place", "mean place"}
    for weights in rivals.values():
        torch.testing.assert_close(weights.sum(2), torch.ones(weights.shape[:2]))
    assert trained > untrained + 0.2 and trained > on_target(rivals["uniform"], given, PATCH).mean() + 0.1


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="8 x 10 do not divide into patches of 4"):
        PatchEmbedding(3, (8, 10), 4, 16)
    with pytest.raises(ValueError, match=r"wants \(B, 3, 8, 12\), got \(1, 3, 8, 8\)"):
        ViT(3, (8, 12), 4, 16)(torch.zeros(1, 3, 8, 8))
    network = Fetcher(4, 4, (8, 8), 4, 16, heads=2)
    with pytest.raises(ValueError, match=r"wants values \(1, 4, 'E'\), got \(1, 5, 3\)"):
        network(torch.zeros(1, 4, 8, 8), torch.zeros(1, 4, 8, 8), torch.zeros(1, 5, 3))
    with pytest.raises(ValueError, match="width of 16 does not divide into 3 heads"):
        Fetcher(4, 4, (8, 8), 4, 16, heads=3)
    with pytest.raises(ValueError, match="no settings for profile 'huge'"):
        at("huge")
