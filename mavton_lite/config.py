"""Profiles, paths and seeds: every number that differs between smoke, lite and paper lives here.

A `Profile` is a frozen dataclass of frozen dataclasses; change one with `dataclasses.replace`. `paper` is the thesis
and CP-VTON as published; every other value is a deviation and says so in a `Differs:` line.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

ProfileName = Literal["smoke", "lite", "paper"]
Reading = Literal["bilinear", "bicubic"]
SEED = 2024  # of the world, of initialisation and of batch order, unless a caller gives another


@dataclass(frozen=True)
class PersonSettings:
    """How a `Sample` becomes the 22-channel person representation (`data/person.py`).

    Source: CP-VTON's data loader. Defaults are the original's behaviour at 256 x 192.
    """

    pose_radius_px: int = 5  # half side of the white square of a key point: 5 draws 11 x 11 px
    shape_grid: tuple[int, int] = (16, 12)  # rows, columns the silhouette is blurred through
    shape_ignores: tuple[int, ...] = ()  # LIP labels left out of the silhouette (VITON: the head set)
    kept_labels: tuple[int, ...] = (1, 2, 4, 13)  # LIP labels whose colours are kept: hat, hair, sunglasses, face
    matching_kept_labels: tuple[int, ...] | None = None  # those the matching module is shown; None: the same
    lower_from_hips: bool = False  # of the lower body keep only what lies below the hips: the old hem is not given away
    garment_labels: tuple[int, ...] = (5, 6, 7)  # upper clothes, dress, coat
    kept_fill: float = -1.0  # colour where nothing is kept (black)
    ground: bool = False  # there the try-on networks are shown the wall behind the person, guessed, instead
    worn_fill: float = 1.0  # colour around the worn garment (white)


@dataclass(frozen=True)
class GMMSettings:
    """Geometric matching module.   Source: CP-VTON's code; at 256 x 192 19,057,650 parameters."""

    width: int = 64  # channels of the first layer; doubled by each halving
    downs: int = 4  # stride-2 layers: the correlation is taken at (H / 2**downs, W / 2**downs)
    grid: int = 5  # control points a side
    cloth_input: Literal["cloth", "mask"] = "cloth"  # CP-VTON+ gives the mask


@dataclass(frozen=True)
class TOMSettings:
    """U-Net of the try-on module.   Source: CP-VTON's code; at 256 x 192 21,349,252 parameters."""

    width: int = 64
    downs: int = 6
    upsample: Literal["bilinear", "nearest"] = "bilinear"  # code says bilinear, paper says nearest
    final_norm: bool = True  # InstanceNorm on the four outputs, as in the code (holds the mask near 0.5 on average)
    mask_input: bool = False  # CP-VTON+ also gives the warped mask (26 channels)
    keep: bool = False  # a fifth output K: the rendered person is the kept parts and the wall where K is 1
    gate_reduction: int = 16  # CBAM's r
    gate_kernel: int = 7  # CBAM's spatial kernel


@dataclass(frozen=True)
class DiscriminatorSettings:
    """Conditional PatchGAN: sees person representation, warped cloth and picture."""

    width: int = 64
    layers: int = 3  # 3: receptive field 70 px
    rate: float = 1.0  # its learning rate, in those of the try-on network


# VITON's perceptual levels: every error is divided by its usual size, then by 5 levels. Its network reads grey levels
# less a mean and divides the errors by 128; torchvision's reads standard deviations of 57 grey levels.
_GREY = 57 / 128


@dataclass(frozen=True)
class VITONSettings:
    """VITON's coarse and refinement networks and what they are taught.   Source: Han et al. 2018, its code foremost."""

    width: int = 64  # channels of the encoder's first layer
    downs: int = 6
    keep: bool = False  # a fifth output, as of the try-on module: see `TOMSettings`
    dropout: float = 0.5  # of the decoder's innermost step, while it learns
    norm_momentum: float = 0.001  # of batch norm's running statistics
    refine_width: int = 64
    points: int = 100  # samples of each outline that are matched
    warp_grid: int = 10  # control points a side of the warp that is kept
    l1: float = 1.0  # coarse: |I' - I|, level 0 of (2-8)
    mask: float = 1.0  # coarse: |M - M0|
    perceptual: float = 3.0  # coarse: levels 1 to 5 of (2-8)
    levels: tuple[tuple[str, float], ...] = (
        ("relu1_2", _GREY / 5 / 5.3 * 2.5),
        ("relu2_2", _GREY / 5 / 2.7 / 1.2),
        ("relu3_2", _GREY / 5 / 1.35 / 2.3),
        ("relu4_2", _GREY / 5 / 0.67 / 8.2),
        ("relu5_2", _GREY / 5 / 0.16),
    )
    refine_l1: float = 0.2  # the paper has none
    refine_perceptual: float = 0.8  # 1 in the paper
    refine_levels: tuple[tuple[str, float], ...] = (
        ("relu3_2", _GREY / 3 / 1.35 / 2.3), ("relu4_2", _GREY / 3 / 0.67 / 8.2), ("relu5_2", _GREY / 3 / 0.16)
    )  # fmt: skip
    average_pool: bool = True  # in the perceptual network
    take: float = 0.1  # refinement: a mean alpha of 1 is worth this much
    smooth: float = 5e-6  # refinement: total variation of alpha


@dataclass(frozen=True)
class ParserSettings:
    """The network that labels pictures with LIP classes.   Differs: CP-VTON takes parses as given and has none."""

    width: int = 64
    downs: int = 6
    varied: float = 0.75  # share of the pictures it learns from that get other grounds, light, colours and framing


@dataclass(frozen=True)
class LossSettings:
    """Weights and variants of every loss term.   Source: CP-VTON's code; adversarial: see the thesis, section 3.4."""

    l1: float = 1.0
    perceptual: float = 1.0
    mask: float = 1.0
    adversarial: float = 0.1  # used by experiments with a discriminator only
    gan: Literal["lsgan", "bce"] = "lsgan"
    mask_target: Literal["warped", "worn", "ones"] = "warped"  # code: warped mask; CP-VTON+: parse; paper: ones
    perceptual_net: Literal["vgg19", "vgg16", "lite0"] = "vgg19"
    perceptual_normalise: bool = False  # CP-VTON feeds [-1, 1] without ImageNet statistics
    perceptual_scale: float = 1.0  # side of the pictures shown to the perceptual network
    perceptual_levels: tuple[tuple[str, float], ...] = (  # activations compared and their weights, as in pix2pixHD
        ("relu1_1", 1 / 32), ("relu2_1", 1 / 16), ("relu3_1", 1 / 8), ("relu4_1", 1 / 4), ("relu5_1", 1.0)
    )  # fmt: skip
    warp_l1: float = 1.0  # GMM: |warped cloth - worn cloth| (2-10)
    warp_mask: float = 0.0  # GMM: |warped mask - worn mask|
    warp_contrast: float = 0.0  # GMM: difference of local contrasts inside the worn mask
    warp_bend: float = 0.0  # GMM: mean squared second difference of the control offsets
    warp_interval: float = 0.0  # GMM: CP-VTON+'s grid interval consistency (40 there)


@dataclass(frozen=True)
class TrainSettings:
    """Length and optimiser of one stage.   Source: CP-VTON's code: Adam(0.5, 0.999), 1e-4, batch 4, 200k steps."""

    steps: int = 200_000
    batch: int = 4
    lr: float = 1e-4
    betas: tuple[float, float] = (0.5, 0.999)
    schedule: Literal["constant", "linear", "onecycle"] = "linear"  # linear: constant first half, then to zero
    flip: bool = False  # mirror half of the examples (labels and key points swap sides)
    silhouette_noise: float = 0.0  # try-on stage: smooth noise on the silhouette, so that its outline is not relied on
    save_every: int = 5_000


@dataclass(frozen=True)
class Profile:
    """One scale of the whole project: smoke (tests), lite (two CPU cores) or paper (GPU)."""

    name: str
    height: int
    width: int
    n_train: int  # Atelier examples written
    n_test: int
    n_val: int = 0  # to choose settings by: what is reported must not choose them
    n_hard: int = 0  # hard cases only, beyond the test split
    person: PersonSettings = field(default_factory=PersonSettings)
    gmm: GMMSettings = field(default_factory=GMMSettings)
    tom: TOMSettings = field(default_factory=TOMSettings)
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
    viton: VITONSettings = field(default_factory=VITONSettings)
    parser: ParserSettings = field(default_factory=ParserSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    # Neither changes what is learnt, so no fingerprint has them. Measurements depend on the reading: records tell it.
    compile: bool = False  # torch.compile on a GPU
    reading: Reading = "bilinear"  # how a finished model reads the garment through its warp (training: bilinearly)
    train_gmm: TrainSettings = field(default_factory=TrainSettings)
    train_tom: TrainSettings = field(default_factory=TrainSettings)
    train_coarse: TrainSettings = field(default_factory=lambda: TrainSettings(15_000, 16, 2e-4, schedule="constant"))
    train_refine: TrainSettings = field(default_factory=lambda: TrainSettings(6_000, 16, 2e-4, schedule="constant"))
    train_parse: TrainSettings = field(
        default_factory=lambda: TrainSettings(20_000, 16, 1e-2, schedule="onecycle", flip=True)
    )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.height, self.width


LOWER_BODY = (8, 9, 12, 16, 17, 18, 19)  # LIP labels: socks, trousers, skirt, legs, shoes
KEEP_LOWER_BODY = (1, 2, 4, 13, *LOWER_BODY)  # with the head set

# The three levels that are cheap at half size; the weights make each count about alike, and their sum as large as
# CP-VTON's own five on blurred try-ons (0.6).
_SMALL_LOSS = LossSettings(
    mask_target="worn", perceptual_net="vgg16", perceptual_normalise=True, perceptual_scale=0.5,
    perceptual_levels=(("relu1_2", 1.0), ("relu2_2", 0.5), ("relu3_3", 0.4)),
    mask=0.1,  # at 1.0: SSIM on the garment 0.577 instead of 0.584 (lite, unpaired, 1,200 steps, one seed)
    # validation split, one seed: LPIPS on the garment 0.142, SSIM 0.571; at 0.1: 0.147, 0.554; CP-VTON: 0.161, 0.581
    adversarial=0.03,
    warp_mask=1.0,
    warp_contrast=3.0,  # end-point error on the validation split, 3,000 steps: 4.6 px; 5.6 at 0.3; 6.2 without
    warp_bend=0.1,
)

# Differs: the fifth output, width, no dropout (the coarse network has no capacity to spare), statistics that settle
# within the fewer steps, outlines sampled as densely as at full size, the perceptual loss of the other models.
_SMALL_VITON = VITONSettings(
    width=20, downs=5, dropout=0.0, norm_momentum=0.05, keep=True, refine_width=16, points=60, average_pool=False,
    perceptual=_SMALL_LOSS.perceptual, levels=_SMALL_LOSS.perceptual_levels,
    refine_levels=(("relu2_2", 0.5), ("relu3_3", 0.4)),
)  # fmt: skip

PAPER = Profile("paper", 256, 192, n_train=14_221, n_test=2_032, n_val=500, n_hard=500, compile=True)

# Differs: size, widths and steps are cut to fit two CPU cores; the lower body is kept (CP-VTON+), but only below the
# hips, and the silhouette is blurred at random while the try-on network learns: what is trained on paired pictures must
# not read the old garment's outline from the person. The warped mask is an input (CP-VTON+), the mask is taught the
# visible worn garment (CP-VTON+) with a tenth of the weight, the four outputs are not normalised, upsampling is
# nearest as in the paper (with no skip at full size, bilinear cannot paint an edge at 128 x 96). Nor can the network
# copy a face then: it is shown the kept parts before the wall, and a fifth output says where they are taken as they are
# (CP-VTON, 2,600 steps, validation split, one seed: LPIPS 0.088 instead of 0.126). The warp is regularised, VGG16
# stands for VGG19 and looks at half size, no deeper than relu3_3. Finished models read the garment bicubically
# (MA-VTON, validation split: LPIPS 0.0686; bilinearly 0.0724; training that way too gains no more).
LITE = Profile(
    "lite", 128, 96, n_train=3_000, n_test=200, n_val=100, n_hard=100,
    person=PersonSettings(pose_radius_px=3, kept_labels=KEEP_LOWER_BODY, lower_from_hips=True, ground=True),
    gmm=GMMSettings(width=16, downs=3),
    tom=TOMSettings(width=20, downs=5, upsample="nearest", final_norm=False, mask_input=True, keep=True,
                    gate_reduction=4),  # fmt: skip
    # at rate 1 it gives up when the learning rate peaks: from step 800 on it says 0.5 to everything
    discriminator=DiscriminatorSettings(width=24, layers=2, rate=0.2),
    viton=_SMALL_VITON,
    parser=ParserSettings(width=16, downs=5),
    loss=_SMALL_LOSS,
    reading="bicubic",
    train_gmm=TrainSettings(8_000, 16, 2e-3, schedule="onecycle", flip=True, save_every=250),
    train_tom=TrainSettings(8_000, 8, 1e-3, schedule="onecycle", flip=True, silhouette_noise=0.3, save_every=200),
    train_coarse=TrainSettings(7_000, 8, 1e-3, schedule="onecycle", flip=True, silhouette_noise=0.3, save_every=200),
    train_refine=TrainSettings(1_000, 8, 3e-3, schedule="onecycle", save_every=100),
    train_parse=TrainSettings(2_000, 8, 2e-2, schedule="onecycle", flip=True, save_every=200),
)

# Differs: as lite, and so small that every code path runs in seconds; nothing is learnt at this scale.
SMOKE = Profile(
    "smoke", 64, 48, n_train=48, n_test=16, n_val=8, n_hard=8,
    person=PersonSettings(pose_radius_px=1, kept_labels=KEEP_LOWER_BODY, lower_from_hips=True, ground=True),
    gmm=GMMSettings(width=8, downs=2),
    tom=TOMSettings(width=8, downs=4, upsample="nearest", final_norm=False, mask_input=True, keep=True,
                    gate_reduction=4),  # fmt: skip
    discriminator=DiscriminatorSettings(width=8, layers=1, rate=0.2),
    viton=dataclasses.replace(_SMALL_VITON, width=8, downs=4, refine_width=8, norm_momentum=0.1),
    parser=ParserSettings(width=8, downs=4),
    loss=_SMALL_LOSS,
    reading="bicubic",
    train_gmm=TrainSettings(30, 8, 1e-3, schedule="onecycle", flip=True, save_every=10),
    train_tom=TrainSettings(20, 4, 1e-3, schedule="onecycle", flip=True, silhouette_noise=0.3, save_every=10),
    train_coarse=TrainSettings(60, 8, 3e-3, schedule="onecycle", flip=True, silhouette_noise=0.3, save_every=20),
    train_refine=TrainSettings(20, 4, 3e-3, schedule="onecycle", save_every=10),
    train_parse=TrainSettings(40, 8, 2e-2, schedule="onecycle", flip=True, save_every=20),
)

PROFILES = {p.name: p for p in (SMOKE, LITE, PAPER)}


def get_profile(name: str) -> Profile:
    """The profile of that name.   Raises: ValueError naming the known ones."""
    try:
        return PROFILES[name]
    except KeyError:
        raise ValueError(f"unknown profile {name!r}; known: {', '.join(PROFILES)}") from None


def project_root() -> Path:
    """The checkout that holds `notebooks/`: `MAVTON_ROOT`, else this package's parent, else the working folder."""
    if os.environ.get("MAVTON_ROOT"):
        return Path(os.environ["MAVTON_ROOT"])
    parent = Path(__file__).resolve().parent.parent
    return parent if (parent / "pyproject.toml").exists() else Path.cwd()


def runs_dir(profile: Profile | str) -> Path:
    """Where a profile's data, checkpoints and executed notebooks go: `runs/<profile>` (git-ignored)."""
    return project_root() / "runs" / (profile if isinstance(profile, str) else profile.name)


def data_dir(profile: Profile | str) -> Path:
    """The data set of a profile: `MAVTON_DATA` (the user's own VITON copy), else the Atelier under `runs/`."""
    return Path(os.environ["MAVTON_DATA"]) if os.environ.get("MAVTON_DATA") else runs_dir(profile) / "atelier"


def train_anew() -> bool:
    """Whether `MAVTON_TRAIN` asks for trainings where released ones could be had (`make figures TRAIN=1`)."""
    return os.environ.get("MAVTON_TRAIN", "0") not in ("", "0")


def as_dict(settings) -> dict:
    """Any settings dataclass as plain JSON types, for checkpoints and records."""
    return dataclasses.asdict(settings)
