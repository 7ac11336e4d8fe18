"""A batch shared by several processes is still one batch: statistics, random numbers and sums over all of it.

Each process holds an equal share, in the order of the ranks. What a network computes for each example alone needs
nothing of this; batch norm, dropout, invented pictures and losses that divide sums by sums do. With one process every
function here gives what it was given.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce


def place() -> tuple[int, int]:
    """This process's rank among those that train together, and their number."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def drawn(draw: Callable[..., Tensor], count: int, *shape: int, device: torch.device) -> Tensor:
    """This process's rows of random numbers that are drawn for the whole batch; the seed must be the same in all.

    Shape: -> (count, *shape).
    """
    rank, world = place()
    return draw(count * world, *shape, device=device)[rank * count : (rank + 1) * count]


def summed(x: Tensor) -> Tensor:
    """The sum over all processes; gradients go back to each.   Shape: any -> same."""
    return all_reduce(x) if place()[1] > 1 else x


def dropout(x: Tensor, share: float, training: bool) -> Tensor:
    """`F.dropout` whose mask is this process's part of the whole batch's.   Shape: any -> same."""
    rank, world = place()
    if world == 1 or not training or not share:
        return F.dropout(x, share, training)
    count = len(x)
    ones = x.new_ones(count * world, *x.shape[1:])
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):  # random numbers come in memory's order
        ones = ones.contiguous(memory_format=torch.channels_last)
    mask = F.dropout(ones, share, training)
    return x * mask[rank * count : (rank + 1) * count]


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the shares of all processes, on any device; `nn.SyncBatchNorm` demands a GPU.

    Shape: (B, C, H, W) -> same.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or place()[1] == 1:
            return super().forward(input)
        x = input.float()
        count = len(x) * x.shape[2] * x.shape[3] * place()[1]
        mean = summed(x.sum((0, 2, 3))) / count  # (C,)
        centred = x - mean.view(1, -1, 1, 1)
        variance = summed(centred.square().sum((0, 2, 3))) / count
        if self.running_mean is not None and self.running_var is not None and self.momentum is not None:
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * count / (count - 1), self.momentum)
                if self.num_batches_tracked is not None:
                    self.num_batches_tracked.add_(1)
        out = centred * (variance + self.eps).rsqrt().view(1, -1, 1, 1)
        return (out * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)).to(input.dtype)


def share_norms(network: nn.Module, device: torch.device) -> nn.Module:
    """The network with every batch norm over all processes; names and values of its parameters stay the same."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for module in network.modules():
        for name, child in module.named_children():
            if type(child) is nn.BatchNorm2d:
                shared = SharedBatchNorm(child.num_features, child.eps, child.momentum)
                shared.load_state_dict(child.state_dict())
                shared.train(child.training)
                setattr(module, name, shared)
    return network
