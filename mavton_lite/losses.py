"""One function for every term the models are trained with; weighing and adding them is the objective's business."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mavton_lite.config import LossSettings
from mavton_lite.shares import summed
from mavton_lite.weights import layer_names, trunk


def _same(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise ValueError(f"wanted two tensors of one shape, got {tuple(a.shape)} and {tuple(b.shape)}")


def l1(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference: mean |a - b|.

    Source: thesis eq. 2-10, |T_theta(c) - c_t|_1, and the first term of eq. 2-12, |I_o - I_t|_1 (means, as in CP-VTON's
    code).   Shape: two of one shape -> ().   Raises: ValueError when the shapes differ (no broadcasting).
    """
    _same(a, b)
    return (a - b).abs().mean()


def mask_loss(mask: Tensor, target: str, warped: Tensor | None = None, worn: Tensor | None = None) -> Tensor:
    """Mean absolute difference of the composition mask M from what it is taught.

    Source: `target="ones"`: |1 - M|_1, thesis eq. 2-12 and CP-VTON's paper; "warped": |M - warped cloth mask|_1,
    CP-VTON's code; "worn": |M - worn garment's mask|_1, CP-VTON+.
    Shape: all (B, 1, H, W) -> ().   Raises: ValueError for an unknown target, or when the mask it names is missing.
    """
    if target == "ones":
        return (1 - mask).abs().mean()
    known = {"warped": warped, "worn": worn}
    if target not in known:
        raise ValueError(f"unknown mask target {target!r}; known: warped, worn, ones")
    wanted = known[target]
    if wanted is None:
        raise ValueError(f"mask target {target!r} wants the {target} mask, got None")
    return l1(mask, wanted)


def jaccard(logits: Tensor, labels: Tensor) -> Tensor:
    """One minus intersection over union with shares for pixels, averaged over the classes that the batch shows.

    1 - mean over c of sum p_c y_c / sum (p_c + y_c - p_c y_c), p the softmax, y 1 where the label is c, else 0: the
    metric itself, so that a class counts the same however few its pixels are.
    Source: Rahman and Wang 2016, "Optimizing intersection-over-union in deep neural networks for image segmentation".
    Shape: logits (B, C, H, W), labels (B, H, W) in 0..C-1 -> ().   Raises: ValueError when the two do not agree.
    """
    if logits.ndim != 4 or labels.shape != (len(logits), *logits.shape[2:]):
        raise ValueError(f"wanted logits (B, C, H, W) and labels (B, H, W), got {logits.shape} and {labels.shape}")
    shares = logits.float().softmax(1)  # (B, C, H, W)
    at, classes = labels.flatten(), logits.shape[1]
    truth = summed(torch.bincount(at, minlength=classes))  # (C,): pixels of each class
    hits = shares.gather(1, labels[:, None]).flatten(0, 2)  # (B * H, W)
    # row by row first: one by one into a single sum, the last of some million terms would be rounded away
    right = summed(shares.new_zeros(len(hits), classes).scatter_add(1, labels.flatten(0, 1), hits).sum(0))
    either = summed(shares.sum((0, 2, 3))) + truth - right
    return 1 - (right / either)[truth > 0].mean()


def gan_discriminator(real: Tensor, fake: Tensor, kind: str) -> Tensor:
    """What the discriminator minimises over its logits of real and generated pictures (give it detached ones).

    Source: "lsgan": 1/2 mean (D(x) - 1)^2 + 1/2 mean D(G)^2 (Mao et al. 2017, eq. 9); "bce": the thesis's eq. 2-2 with
    its sign turned, halved: -1/2 mean log s(D(x)) - 1/2 mean log(1 - s(D(G))). Halved as in pix2pix.
    Shape: logits of any shape -> ().   Raises: ValueError for an unknown kind.
    """
    if kind == "lsgan":
        return 0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean()
    if kind == "bce":  # softplus(-x) = -log sigmoid(x), without its overflow
        return 0.5 * F.softplus(-real).mean() + 0.5 * F.softplus(fake).mean()
    raise ValueError(f"unknown gan loss {kind!r}; known: lsgan, bce")


def gan_generator(fake: Tensor, kind: str) -> Tensor:
    """What the generator minimises over the discriminator's logits of its picture (not detached).

    Source: "lsgan": mean (D(G) - 1)^2; "bce": -mean log s(D(G)).   Differs: eq. 2-3 is mean log(1 - s(D(G))), whose
    gradient vanishes when the discriminator wins; this is the non-saturating form of Goodfellow et al. 2014.
    Shape: logits of any shape -> ().   Raises: ValueError for an unknown kind.
    """
    if kind == "lsgan":
        return (fake - 1).square().mean()
    if kind == "bce":
        return F.softplus(-fake).mean()
    raise ValueError(f"unknown gan loss {kind!r}; known: lsgan, bce")


def _local_contrast(picture: Tensor, window: int = 7, floor: float = 0.003) -> Tensor:
    """A picture less its local mean, over its local standard deviation.   Shape: (B, C, H, W) -> same."""

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, window, 1, window // 2, count_include_pad=False)

    centred = picture - mean(picture)
    return centred / (mean(centred**2) + floor).sqrt()


def contrast(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """L1 between the local contrasts of two pictures inside a mask, at half and at quarter size.

    Colours of large areas say nothing of where on the garment a pixel lies; seams, collars, prints and folds do,
    however faint they are, and here they count as much as bold stripes.
    Source: local contrast normalisation, Jarrett et al. 2009.   Differs: not in CP-VTON.
    Shape: (B, C, H, W), (B, C, H, W), (B, 1, H, W) in [0, 1] -> ().
    Raises: ValueError when the pictures differ in shape.
    """
    _same(a, b)
    total = a.new_zeros(())
    for scale in (2, 4):
        small = [F.avg_pool2d(x, scale) for x in (a, b, mask)]
        total = total + ((_local_contrast(small[0]) - _local_contrast(small[1])).abs() * small[2]).mean()
    return total / 2


def bend(theta: Tensor, grid: int) -> Tensor:
    """How unevenly the control points move: second differences of their offsets d, along both axes of the lattice.

    mean (d[i-1, j] - 2 d[i, j] + d[i+1, j])^2 + mean (d[i, j-1] - 2 d[i, j] + d[i, j+1])^2; 0 for every affine warp.
    Differs: not in CP-VTON, whose L1 alone lets a small module swirl the texture.
    Shape: theta (B, 2 * grid^2) -> ().   Raises: ValueError for another shape or fewer than 3 points a side.
    """
    if grid < 3 or theta.ndim != 2 or theta.shape[1] != 2 * grid**2:
        raise ValueError(f"wanted theta (B, {2 * grid**2}) and grid >= 3, got {tuple(theta.shape)} and {grid}")
    offsets = theta.view(-1, 2, grid, grid)  # (B, x or y offset, point's x, point's y)
    return offsets.diff(n=2, dim=2).square().mean() + offsets.diff(n=2, dim=3).square().mean()


def interval(grid: Tensor) -> Tensor:
    """How unevenly neighbouring pixels are spread by the warp: CP-VTON+'s grid interval consistency.

    sum over inner pixels of ||Gx(left) - Gx| - |Gx(right) - Gx|| + ||Gy(up) - Gy| - |Gy(down) - Gy||, over B * H * W.
    Source: Minar et al. 2020 (CP-VTON+) and its code, weight 40 there.
    Shape: grid (B, H, W, 2) -> ().   Raises: ValueError for another shape or a side below 3.
    """
    if grid.ndim != 4 or grid.shape[3] != 2 or min(grid.shape[1:3]) < 3:
        raise ValueError(f"wanted a sampling grid (B, H >= 3, W >= 3, 2), got {tuple(grid.shape)}")
    across = grid[:, 1:-1, :, 0].diff(dim=2).abs()  # (B, H - 2, W - 1)
    along = grid[:, :, 1:-1, 1].diff(dim=1).abs()  # (B, H - 1, W - 2)
    return (across.diff(dim=2).abs().sum() + along.diff(dim=1).abs().sum()) / grid[..., 0].numel()


def total_variation(mask: Tensor) -> Tensor:
    """How much neighbouring pixels differ: the sum over a mask, the mean over the batch.

    Source: Han et al. 2018, section 3.3, and its code.   Shape: (B, 1, H, W) -> ().
    """
    return (mask.diff(dim=2).abs().sum() + mask.diff(dim=3).abs().sum()) / len(mask)


class PerceptualLoss(nn.Module):
    """Weighted mean absolute differences between the features a frozen image classifier sees.

    sum over levels l of w_l * mean |phi_l(a) - phi_l(b)|.
    Source: thesis eqs. 2-8 and 2-12; levels and weights of CP-VTON's code (pix2pixHD's) by default.
    Gradients reach the first picture only.   `info` says which weights are inside (they can fall back, see `weights`).
    Shape: generated and target (B, 3, H, W) in [-1, 1] -> ().
    Raises: ValueError for a level the network does not have; FileNotFoundError when no weights can be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, settings: LossSettings):
        super().__init__()
        features, self.info = trunk(settings.perceptual_net)
        names = layer_names(features)
        unknown = [level for level, _ in settings.perceptual_levels if level not in names]
        if unknown or not settings.perceptual_levels:
            raise ValueError(f"{self.info.name} has no level {unknown}; known: {', '.join(names)}")
        self.weights = {names[level]: weight for level, weight in settings.perceptual_levels}  # layer index -> weight
        self.features = features[: max(self.weights) + 1].requires_grad_(False).eval()
        self.features.to(memory_format=torch.channels_last)
        self.normalise, self.scale = settings.perceptual_normalise, settings.perceptual_scale
        # ImageNet's statistics of [0, 1] pictures, put in terms of [-1, 1] ones.
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        self.register_buffer("mean", (2 * mean - 1).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", (2 * std).view(1, 3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> PerceptualLoss:
        """Stays in evaluation mode whatever its owner does."""
        return super().train(False)

    def levels(self, pictures: Tensor) -> list[Tensor]:
        """The features compared, shallow to deep.   Shape: (B, 3, H, W) in [-1, 1] -> one (B, C, h, w) a level."""
        x = pictures.float()  # the antialiased resize has no half precision
        if self.scale != 1:
            size = [max(1, round(side * self.scale)) for side in x.shape[2:]]
            x = F.interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)
        if self.normalise:
            x = (x - self.mean) / self.std
        x = x.contiguous(memory_format=torch.channels_last)
        seen = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.weights:
                seen.append(x)
        return seen

    def forward(self, generated: Tensor, target: Tensor) -> Tensor:
        _same(generated, target)
        with torch.no_grad():
            wanted = self.levels(target)
        weights = [self.weights[i] for i in sorted(self.weights)]
        # features may be in half precision; a mean in it would have three digits
        pairs = zip(weights, self.levels(generated), wanted, strict=True)
        return sum((w * l1(a.float(), b.float()) for w, a, b in pairs), start=generated.new_zeros(()))
