"""Training steps at `paper`, batch 4: the package's networks beside the same said plainly, and beside each other."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from benchmarks import plain_models as plain
from benchmarks.plain_person import people
from benchmarks.side_by_side import SGEMM_FLOPS, Target, flops, in_turns, sgemm
from mavton_lite.config import PAPER
from mavton_lite.data.person import Person, represent
from mavton_lite.losses import l1, mask_loss
from mavton_lite.models.build import build_gmm, build_tom
from mavton_lite.study.cost import Stepper

PART = "Training steps at paper: batch 4, 256 x 192, fp32"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))  # fewer for a quick look
SHARE = Target(0.65, True)


def step_of(network: nn.Module, loss: Callable[[], Tensor], **adam: bool) -> Callable[[], None]:
    """Forward, backward and Adam."""
    optimiser = torch.optim.Adam(network.parameters(), 1e-4, (0.5, 0.999), **adam)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss().backward()
        optimiser.step()

    return step


def ours_and_plain(ours: nn.Module, theirs: nn.Module) -> None:
    """Give both the same weights, and ours the layout in which it is trained."""
    plain.carry_over(ours, theirs)
    ours.to(memory_format=torch.channels_last)


@pytest.fixture(scope="module")
def person(batch: dict) -> Person:
    return represent(batch)


def test_gmm(benchmark, rows, batch, person):
    torch.manual_seed(0)
    ours, theirs = build_gmm(PAPER), plain.GMM(*PAPER.size)
    ours_and_plain(ours, theirs)
    given = person.agnostic, batch["cloth"], batch["cloth_mask"]
    with torch.no_grad():
        torch.testing.assert_close(ours(*given).grid, theirs(*given)[2], rtol=0, atol=2e-3)  # a fifth of a pixel
    mine = step_of(ours, lambda: l1(ours(*given).cloth, person.worn_cloth), fused=True)
    others = step_of(theirs, lambda: l1(theirs(*given)[0], person.worn_cloth))
    add_step(rows, "GMM", mine, in_turns(benchmark, mine, others, sgemm(), rounds=ROUNDS), SHARE)


@pytest.mark.parametrize("gate", ["none", "cbam"])
def test_tom(benchmark, rows, batch, person, gate):
    torch.manual_seed(0)
    ours, theirs = build_tom(PAPER, gate), plain.TOM(gate == "cbam", PAPER.tom.width)
    ours_and_plain(ours, theirs)
    given, image, mask = (person.agnostic, batch["cloth"]), batch["image"], batch["cloth_mask"]
    with torch.no_grad():
        # instance norms make much of the last digits of flat maps
        torch.testing.assert_close(ours(*given, mask).image, theirs(*given)[0], rtol=0, atol=1e-2)

    def loss(drawn: Tensor, seen: Tensor) -> Tensor:
        return l1(drawn, image) + mask_loss(seen, "warped", mask)

    def my_loss() -> Tensor:
        drawn = ours(*given, mask)
        return loss(drawn.image, drawn.mask)

    mine, others = step_of(ours, my_loss, fused=True), step_of(theirs, lambda: loss(*theirs(*given)))
    taken = in_turns(benchmark, mine, others, sgemm(), rounds=ROUNDS)
    name = "MA-UNet" if gate == "cbam" else "TOM"
    add_step(rows, f"{name}, without the perceptual term", mine, taken, SHARE if gate == "none" else None)


def add_step(rows, name: str, step: Callable[[], None], taken: tuple[float, ...], share: Target | None) -> None:
    """Two lines: beside the plain modules, and as a share of the peak that was measured in the same rounds."""
    ours, theirs, product = taken
    rows.add(PART, f"{name}: step", ours / theirs, "x", Target(1), ours, "plain modules", theirs, ROUNDS)
    peak = SGEMM_FLOPS / product
    reached, against = flops(step) / ours / peak, f"{peak / 1e9:.0f} GFLOP/s"
    rows.add(PART, f"{name}: share of sgemm's peak", reached, "", share, ours, against, None, ROUNDS)


def test_gates_and_joint_loss(benchmark, rows, batch):
    """Whole steps, as `fit` takes them: representation, frozen warp, all losses, all players, Adam."""
    names = ("ma_vton", "ma_vton_no_gan", "cp_vton")
    joint, gated, baseline = (Stepper(name, PAPER, batch).step for name in names)
    *taken, product = in_turns(benchmark, joint, gated, baseline, plain_cp_vton(batch), sgemm(), rounds=ROUNDS)
    peak, operations = SGEMM_FLOPS / product, flops(baseline)
    rows.add(
        PART, "CP-VTON's step, all terms: share of sgemm's peak", operations / taken[2] / peak, "", None,
        taken[2], f"{peak / 1e9:.0f} GFLOP/s", None, ROUNDS,
    )  # fmt: skip
    rows.add(
        PART, "joint-loss step (MA-UNet, discriminator)", taken[0] / taken[2], "x", Target(1.25),
        taken[0], "CP-VTON's step, all terms", taken[2], ROUNDS,
    )  # fmt: skip
    rows.add(
        PART, "joint-loss step (MA-UNet, discriminator)", taken[0] / taken[3], "x", Target(1.25),
        taken[0], "CP-VTON's step by plain modules", taken[3], ROUNDS,
    )  # fmt: skip
    rows.add(
        PART, "joint-loss step: its operations alone", flops(joint) / operations, "x", None,
        None, f"CP-VTON's step, {operations / 1e9:.0f} GFLOP", None,
    )  # fmt: skip
    rows.add(
        PART, "MA-UNet's step, all of CP-VTON's terms", taken[1] / taken[2], "x", Target(1.08),
        taken[1], "the plain U-Net's, the same terms", taken[2], ROUNDS,
    )  # fmt: skip


def plain_cp_vton(batch: dict) -> Callable[[], None]:
    """CP-VTON's second stage said plainly, from the decoded examples to Adam."""
    warper, tom, perceptual = plain.GMM(*PAPER.size).eval(), plain.TOM(), plain.VGGLoss()

    def loss() -> Tensor:
        agnostic, _, _ = people(batch)
        with torch.no_grad():
            cloth, mask, _ = warper(agnostic, batch["cloth"], batch["cloth_mask"])
        image, seen = tom(agnostic, cloth)
        return l1(image, batch["image"]) + perceptual(image, batch["image"]) + mask_loss(seen, "warped", mask)

    return step_of(tom, loss)


def test_ma_unet_beside_the_plain_u_net(benchmark, rows, batch, person):
    """The gates' price on the networks alone."""
    torch.manual_seed(0)
    steps = []
    for gate in ("cbam", "none"):
        network = build_tom(PAPER, gate).to(memory_format=torch.channels_last)

        def loss(network: nn.Module = network) -> Tensor:
            return l1(network(person.agnostic, batch["cloth"], batch["cloth_mask"]).image, batch["image"])

        steps.append(step_of(network, loss, fused=True))
    gated, bare = in_turns(benchmark, *steps, rounds=ROUNDS)
    what = "MA-UNet's step, without the perceptual term"
    rows.add(PART, what, gated / bare, "x", Target(1.08), gated, "the U-Net without gates", bare, ROUNDS)
