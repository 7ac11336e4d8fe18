"""Examples held in memory, decoded once: what makes a training step wait for no file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from mavton_lite.data.decode import WARP_NONE, WARP_STEPS_PER_PX
from mavton_lite.data.folder import FolderDataset, to_sample_types

_ALIASES = {"truth_image": "image", "truth_parse": "parse"}  # on paired examples the same picture: held once


class Cached:
    """A `FolderDataset` decoded once, by threads, and held as uint8 (warps as int16): 150 kB an example at 128 x 96.

    `batch(indices)` equals `collate([dataset[i] for i in indices])`, warps to 1/128 px, and costs microseconds an
    example. A data set larger than `max_bytes` is not held: its batches are decoded when asked for, by as many threads.
    """

    def __init__(self, dataset: FolderDataset, max_bytes: int = 4 << 30, workers: int | None = None, progress=False):
        self.dataset, self.size = dataset, dataset.size
        self._workers = workers or min(8, os.cpu_count() or 1)
        self._store: dict[str, Tensor] | None = None
        first = self._pack(dataset.arrays(0))
        self._paired = dataset.pairs == "paired"
        self._keys = [k for k in first if not (self._paired and k in _ALIASES)]
        self.nbytes = len(dataset) * sum(first[k].nbytes for k in self._keys)  # what holding it takes
        if self.nbytes <= max_bytes:
            self._store = self._decode(range(len(dataset)), progress)

    @property
    def held(self) -> bool:
        """Is the data set in memory?"""
        return self._store is not None

    @property
    def device(self) -> torch.device:
        """Where what is held is held; the CPU where nothing is."""
        return next(iter(self._store.values())).device if self._store else torch.device("cpu")

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        """One example with the keys of a `Sample`."""
        batch = self.batch([range(len(self))[index]])
        return {k: v[0] for k, v in batch.items()}

    def batch(self, indices: Iterable[int] | Tensor, device: torch.device | str = "cpu") -> dict:
        """The examples as one batch of `Sample`s' tensors on a device; names as lists.

        Raises: ValueError when there are no indices or one is out of range.
        """
        indices = torch.as_tensor(list(indices) if not torch.is_tensor(indices) else indices, dtype=torch.long).cpu()
        if indices.ndim != 1 or not len(indices) or indices.min() < 0 or indices.max() >= len(self):
            raise ValueError(f"indices: found {indices.tolist()}, wanted at least one in 0..{len(self) - 1}")
        if self._store is not None:
            packed = {k: v.index_select(0, indices.to(v.device)) for k, v in self._store.items()}  # (B, ...)
        else:
            packed = self._decode(indices.tolist())
        if torch.device(device).type == "cuda":  # only from pinned memory does a copy run beside the computation
            packed = {k: v if v.is_cuda else v.pin_memory() for k, v in packed.items()}
        packed = {k: v.to(device, non_blocking=True) for k, v in packed.items()}
        if "truth_warp" in packed and packed["truth_warp"].dtype == torch.int16:
            warp = packed["truth_warp"]
            packed["truth_warp"] = warp.float().div_(WARP_STEPS_PER_PX).masked_fill_(warp == WARP_NONE, torch.nan)
        batch = to_sample_types(packed)
        if self._paired:
            batch |= {alias: batch[key] for alias, key in _ALIASES.items()}
        words = [self.dataset.words(i) for i in indices.tolist()]
        return {**{k: [w[k] for w in words] for k in words[0]}, **batch}

    def to(self, device: torch.device | str) -> Cached:
        """Hold everything on a device (a GPU's memory takes `nbytes`), so that batches need no transfer."""
        if self._store is not None:
            self._store = {k: v.to(device) for k, v in self._store.items()}
        return self

    def _pack(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """int16 warps in 1/64 px; pictures too large for that keep float32."""
        if "truth_warp" in arrays and max(self.size) * WARP_STEPS_PER_PX < -WARP_NONE:
            warp = arrays["truth_warp"]
            limit = -WARP_NONE - 1
            steps = np.clip(np.rint(np.nan_to_num(warp) * WARP_STEPS_PER_PX), -limit, limit).astype(np.int16)
            arrays["truth_warp"] = np.where(np.isnan(warp), np.int16(WARP_NONE), steps)
        return arrays

    def _decode(self, indices: Iterable[int], progress: bool = False) -> dict[str, Tensor]:
        """Decode into tensors allocated once, so that memory never holds the examples twice."""
        indices = list(indices)
        store: dict[str, Tensor] = {}

        def read(index: int) -> dict[str, np.ndarray]:
            return self._pack(self.dataset.arrays(index))

        with ThreadPoolExecutor(self._workers) as pool:
            step = 64 * self._workers  # bounds how many decoded examples wait to be copied
            with tqdm(total=len(indices), desc="reading", unit="example", disable=not progress) as bar:
                for start in range(0, len(indices), step):
                    for row, arrays in enumerate(pool.map(read, indices[start : start + step]), start):
                        for key in self._keys:
                            if key not in store:
                                kind = torch.from_numpy(arrays[key][:0].copy()).dtype
                                store[key] = torch.empty((len(indices), *arrays[key].shape), dtype=kind)
                            store[key][row] = torch.from_numpy(np.require(arrays[key], requirements="W"))
                        bar.update()
        return store
