"""What the exercises of notebooks 05 and 06 are checked against; read it after you have tried."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from mavton_lite.attention import EfficientChannelAttention


def eca_kernel(channels: int) -> int:
    """05, exercise 1: how many neighbouring channels ECA looks at."""
    return EfficientChannelAttention(channels).conv.kernel_size[0]


def efficient_channel_attention(x: Tensor, weight: Tensor) -> Tensor:
    """05, exercise 2: sigmoid(conv1d(mean)).   Shape: (B, C, H, W), (k,) -> (B, C, 1, 1)."""
    means = x.mean((2, 3))[:, None]  # (B, 1, C)
    return torch.sigmoid(F.conv1d(means, weight.view(1, 1, -1), padding=len(weight) // 2))[:, 0, :, None, None]


def let_through(gates: int) -> float:
    """05, exercise 3: the share of a feature that passes so many CBAMs whose scores are all 0."""
    return 0.25**gates


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """06, exercise 1: (2-7), by PyTorch's own.   Shape: (N, d), (M, d), (M, e) -> (N, e)."""
    return F.scaled_dot_product_attention(query[None], key[None], value[None])[0]


def multi_head_parameters(width: int, heads: int) -> int:
    """06, exercise 2: four layers with biases; the heads share them out."""
    return 4 * (width * width + width)


def map_bytes(height: int, width: int, patch: int, heads: int) -> int:
    """06, exercise 3: float32 weights of all heads of one attention over all patches of a picture."""
    tokens = math.prod((height // patch, width // patch))
    return 4 * heads * tokens**2
