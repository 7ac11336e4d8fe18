"""torch.compile is for GPUs and for profiles that ask for it; it renames nothing and no fingerprint knows of it."""

import json

import pytest
import torch
from torch import nn

from mavton_lite import compiling
from mavton_lite.config import PROFILES
from mavton_lite.experiments import EXPERIMENTS
from mavton_lite.stages import settings_of


@pytest.fixture
def compiled(monkeypatch):
    """The modules that were asked to compile; nothing is."""
    asked: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: asked.append(self))
    with torch._functorch.config.patch(donated_buffer=True):
        yield asked


@pytest.mark.parametrize("device, triton, wanted", [("cpu", True, False), ("cuda", False, False), ("cuda", True, True)])
def test_only_a_gpu_with_the_compiler_compiles(compiled, monkeypatch, device, triton, wanted):
    monkeypatch.setattr(compiling, "has_triton", lambda: triton)
    networks = [nn.Linear(2, 2), nn.Linear(2, 1)]
    assert compiling.compile_on_gpu(networks, torch.device(device)) is wanted
    assert compiled == (networks if wanted else [])
    assert torch._functorch.config.donated_buffer is not wanted  # several backward passes want the graph's memory


def test_paper_asks_for_it_and_no_fingerprint_says_so():
    assert [name for name, profile in PROFILES.items() if profile.compile] == ["paper"]
    for experiment in EXPERIMENTS.values():
        assert "compile" not in json.dumps(settings_of(experiment, PROFILES["paper"]))
