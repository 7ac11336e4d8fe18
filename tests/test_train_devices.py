"""Two processes on the CPU train one network: through Fabric, gradients in step."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from trainings import rows, shortened
from worlds import write_viton

from mavton_lite import checkpoint
from mavton_lite.train import fit

SCRIPT = """
import sys
from pathlib import Path

import torch
torch.set_num_threads(1)
sys.path[:0] = [{tests!r}, {root!r}]
from trainings import shortened
from mavton_lite import checkpoint
from mavton_lite.train import _Training, fit

folder = Path({folder!r})
finish = _Training._finish


def finish_and_tell(self, log):  # what every process ended with, not only the one that saves
    name = f"{{self.job.experiment.name}}-{{self.fabric.global_rank}}.safetensors"
    checkpoint.save_weights(folder / name, self.bare)
    return finish(self, log)


_Training._finish = finish_and_tell
for name in ("gmm", "ma_vton"):
    fit(name, shortened(3, 2, silhouette_noise=0.0), Path({data!r}), folder, device="cpu", devices=2, progress=False)
"""


def test_two_processes_keep_one_network(tmp_path):
    data = write_viton(tmp_path / "world", 6, 2)
    tests, two = Path(__file__).parent, tmp_path / "two"
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(tests), root=str(tests.parent), folder=str(two), data=str(data)))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    for name in ("gmm", "ma_vton"):
        first, second = (checkpoint.load_tensors(two / f"{name}-{rank}.safetensors")[0] for rank in (0, 1))
        for key, value in first.items():
            if "running_" not in key:  # each process's batch norms saw their own half; the first one's are kept
                assert torch.equal(value, second[key]), key
        final = checkpoint.load_tensors(two / name / "final.safetensors")[0]
        assert all(torch.equal(final[k], v) for k, v in first.items())
    # The try-on network has no batch norm, so two halves of a batch are worth the whole. (Each process draws its own
    # noise on the silhouettes, so that is off.)
    quiet = shortened(3, 2, silhouette_noise=0.0)
    fit("ma_vton", quiet, data, tmp_path / "one", device="cpu", progress=False, base=two / "gmm")
    whole, halves = rows(tmp_path / "one/ma_vton"), rows(two / "ma_vton")
    assert len(whole) == 3
    for a, b in zip(whole, halves, strict=True):
        assert a == pytest.approx(b, rel=2e-3)
