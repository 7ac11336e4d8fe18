"""CP-VTON+: what it changes in CP-VTON, at the paper's size and in a chain that was trained."""

import pytest
import torch
from trainings import shortened
from worlds import random_batch, write_viton

from mavton_lite.config import LITE, PAPER, SMOKE
from mavton_lite.experiments import get_experiment
from mavton_lite.models.build import build_gmm, build_tom
from mavton_lite.train import fit
from mavton_lite.trained import load_pipeline

PLUS = get_experiment("cp_vton_plus")


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_at_the_papers_size_it_is_cp_vton_plus():
    profile = PLUS.apply(PAPER)
    with torch.device("meta"):
        gmm, tom = build_gmm(profile), build_tom(profile)
    assert parameters(gmm) == 19_057_650 - 2 * 64 * 16, "one channel of mask for three of colour"
    assert parameters(tom) == 21_350_276, "26 channels"
    assert profile.loss.warp_interval == 40 and profile.loss.mask_target == "worn"
    assert profile.loss.warp_l1 == 1 and profile.loss.warp_bend == profile.loss.warp_mask == 0
    assert profile.person.matching_kept_labels == (1, 4, 13), "no hair for the matching module"
    assert set(profile.person.kept_labels) == {1, 2, 4, 9, 12, 13, 16, 17}, "and the lower body for the try-on module"
    assert (profile.train_gmm, profile.train_tom) == (PAPER.train_gmm, PAPER.train_tom)


@pytest.mark.parametrize("profile", [SMOKE, LITE, PAPER], ids=lambda p: p.name)
def test_both_modules_share_their_settings_and_applying_twice_changes_nothing(profile):
    once = PLUS.apply(profile)
    assert PLUS.gmm == PLUS.base == "gmm_plus" and get_experiment("gmm_plus").apply(profile) == once
    assert once.loss.warp_interval == 40 and once.loss.warp_bend == 0
    assert PLUS.apply(once) == once, "a card holds the applied profile, and is applied again when it is read"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    data, out = write_viton(tmp_path_factory.mktemp("world"), 5, 2), tmp_path_factory.mktemp("out")
    profile = shortened(steps=3)
    for name in ("gmm_plus", "cp_vton_plus"):
        assert fit(name, profile, data, out, device="cpu", progress=False).finished
    assert not (out / "gmm").exists(), "it has a matching module of its own"
    with pytest.raises(ValueError, match="no finished geometric matching module"):
        fit("cp_vton", profile, data, out, device="cpu", progress=False)
    return load_pipeline("cp_vton_plus", profile, out)


@torch.no_grad()
def test_the_warp_reads_the_outline_and_neither_print_nor_hair(pipeline):
    batch = random_batch(2)
    _, warp, tryon = pipeline(batch)
    _, other, _ = pipeline(batch | {"cloth": -batch["cloth"]})
    assert torch.equal(warp.grid, other.grid) and not torch.equal(warp.cloth, other.cloth)
    _, smaller, _ = pipeline(batch | {"cloth_mask": batch["cloth_mask"].roll(12, -1) * batch["cloth_mask"]})
    assert not torch.equal(warp.grid, smaller.grid)

    hair = (batch["parse"] == 2)[:, None]
    assert hair.any()
    _, same, repainted = pipeline(batch | {"image": torch.where(hair, -batch["image"], batch["image"])})
    assert torch.equal(warp.grid, same.grid), "the matching module is not shown the hair"
    assert not torch.equal(tryon.image, repainted.image), "the try-on module is"
