"""Data and networks that the benchmarks share, and the table at the end of a run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from benchmarks.report import table, write
from benchmarks.side_by_side import Rows
from mavton_lite.config import PAPER
from mavton_lite.heap import keep_freed

EXAMPLES = 8  # of each split of the Atelier at 256 x 192


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", type=Path, help="a file to write the table into, between its markers")


def pytest_configure(config: pytest.Config) -> None:
    config.mavton_rows = Rows()
    keep_freed()  # as every training does; it serves both sides
    if threads := os.environ.get("MAVTON_THREADS"):
        torch.set_num_threads(int(threads))


def pytest_terminal_summary(terminalreporter, exitstatus: int, config: pytest.Config) -> None:
    found = config.mavton_rows.found
    if not found:
        return
    command = "make bench"
    terminalreporter.write_line("")
    terminalreporter.write_line(table(found, command))
    if config.getoption("--table") and exitstatus == 0:
        write(config.getoption("--table"), found, command)
        terminalreporter.write_line(f"wrote {config.getoption('--table')}")


@pytest.fixture
def rows(request: pytest.FixtureRequest) -> Rows:
    """Where a benchmark puts its line."""
    return request.config.mavton_rows


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Atelier at 256 x 192."""
    from mavton_lite.data.atelier import write_world

    root = tmp_path_factory.mktemp("atelier")
    write_world(root, EXAMPLES, EXAMPLES, *PAPER.size, workers=1, progress=False)
    return root


@pytest.fixture(scope="session")
def batch(world: Path) -> dict:
    """Four training examples of 256 x 192, as a training step gets them."""
    from mavton_lite.data import open_dataset
    from mavton_lite.data.sample import collate

    dataset = open_dataset(world, "train", "paired", PAPER.size)
    examples = collate([dataset[i] for i in range(4)])
    return {k: v for k, v in examples.items() if not k.startswith("truth_")}
