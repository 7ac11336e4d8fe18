"""What a step frees stays with the process, for the next one."""

import subprocess
import sys

import pytest

GROWN = """
import sys, torch
from mavton_lite.heap import keep_freed
if sys.argv[1] == "keep":
    keep_freed()
def resident():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmRSS"))  # MiB
torch.ones(1)
before = resident()
blocks = [torch.ones(3, 2**20) for _ in range(8)]  # of 12 MiB
held = resident()
del blocks
print(held - before, resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere malloc is left as it is")
def test_what_is_freed_stays_with_the_process():
    def grown(how: str) -> tuple[int, int]:
        command = [sys.executable, "-c", GROWN, how]
        held, after = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
        return held, after

    held, after = grown("keep")
    assert held > 90 and after > 90
    held, after = grown("plain")
    assert held > 90 and after < 48
