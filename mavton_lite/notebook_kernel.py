"""One notebook run by papermill in a kernel that can be watched and interrupted."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

# jupyterlab brings this parser, which costs 1.4 s at every import of nbformat and is not needed here
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

import papermill  # noqa: E402
from jupyter_client.manager import AsyncKernelManager  # noqa: E402
from papermill.engines import NBClientEngine, papermill_engines  # noqa: E402
from papermill.exceptions import PapermillExecutionError  # noqa: E402

from mavton_lite import notebook_files as files  # noqa: E402


class NotebookFailed(RuntimeError):
    """A cell of a notebook failed; the message names the notebook, the cell and the error."""


class Interrupted(Exception):
    """A notebook was stopped on request."""


class Execution:
    """One notebook being executed: `run()` in a thread, `status()` and `interrupt()` from any other."""

    def __init__(self, source: Path, parameters: dict, profile: str, root: Path):
        self.source, self.parameters, self.profile, self.root = source, parameters, profile, root
        self.started = time.monotonic()
        self.cell = 0
        self.cells = 0
        self.manager: Any = None  # of the running notebook, papermill's
        self.kernel: AsyncKernelManager | None = None
        self.stopping = threading.Event()

    def run(self, target: Path) -> dict:
        """Execute into `target`, a scratch file, and return the executed notebook.

        Raises: NotebookFailed; Interrupted after `interrupt()`.
        """
        execution = self

        class Kernel(AsyncKernelManager):
            def __init__(self, **settings):
                super().__init__(**settings)
                if os.name == "posix":
                    self.transport = "ipc"  # no ports: parallel kernels cannot race for one
                    self.ip = f"{sockets}/k"  # else a relative path, which the kernel's working folder would break
                execution.kernel = self

            async def start_kernel(self, **settings):
                settings["env"] = execution.environment()
                settings["cwd"] = str(execution.root)
                await super().start_kernel(**settings)
                if execution.stopping.is_set():
                    execution.signal_kernel(signal.SIGINT)

        try:
            # short: the path of a socket is limited to about 100 characters
            with tempfile.TemporaryDirectory(prefix="mavton-", ignore_cleanup_errors=True) as sockets:
                papermill.execute_notebook(
                    self.source,
                    target,
                    self.parameters,
                    engine_name="mavton",
                    kernel_name="python3",
                    progress_bar=False,
                    kernel_manager_class=Kernel,
                    execution=self,
                )
        except PapermillExecutionError as error:
            if self.stopping.is_set():
                raise Interrupted(self.source.stem) from None
            raise NotebookFailed(self._failure(target, error)) from None
        except Exception as error:
            if self.stopping.is_set():
                raise Interrupted(self.source.stem) from None
            where = f", cell {self.cell}" if self.cell else ""
            raise NotebookFailed(f"{self.source.stem}{where}: {type(error).__name__}: {error}") from error
        executed = files.read(target)
        for cell in executed["cells"]:
            # sys.exit(0) ends the kernel without an error, and the rest would silently never run
            if cell["cell_type"] == "code" and cell["source"].strip() and cell["execution_count"] is None:
                line = cell["source"].strip().splitlines()[0]
                raise NotebookFailed(f"{self.source.stem}: ended early; the cell that starts {line!r} never ran")
        return executed

    def environment(self) -> dict[str, str]:
        """The kernel's environment: this process's, at the right profile, and with figures inline."""
        hidden = ("MPLBACKEND",)  # Agg would leave the notebook without figures, and without an error
        own = {k: v for k, v in os.environ.items() if k not in hidden}
        path = os.pathsep.join([str(files.PACKAGE.parent), *filter(None, [own.get("PYTHONPATH")])])
        # Two kernels on two cores: a thread that spins while it waits for its sister takes the core she needs, and a
        # training step takes ten times as long. A thread that sleeps costs microseconds.
        patient = {"OMP_WAIT_POLICY": "PASSIVE"}
        return {**patient, **own, "MAVTON_PROFILE": self.profile, "MAVTON_ROOT": str(self.root), "PYTHONPATH": path}

    def interrupt(self) -> None:
        """Ask the kernel to stop as Ctrl-C does: training saves its checkpoint first."""
        self.stopping.set()
        self.signal_kernel(signal.SIGINT)

    def kill(self) -> None:
        """Stop the kernel now."""
        self.stopping.set()
        self.signal_kernel(getattr(signal, "SIGKILL", signal.SIGTERM))

    def signal_kernel(self, number: int) -> None:
        """Send a signal to the kernel, if it is running."""
        process = getattr(getattr(self.kernel, "provisioner", None), "pid", None)
        if process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def status(self) -> str:
        """Where it is: cell, and the last line of a progress bar if one is running."""
        text = f"cell {self.cell}/{self.cells}" if self.cells else "starting"
        with contextlib.suppress(Exception):  # another thread is writing what is read here
            outputs = self.manager.nb.cells[self.cell - 1].outputs
            stream = [o["text"] for o in outputs if o.get("name") == "stderr"][-1]
            text += "  " + [line.strip() for line in stream.replace("\r", "\n").split("\n") if line.strip()][-1][:90]
        return text

    def _failure(self, target: Path, error: PapermillExecutionError) -> str:
        cells = [c["source"] for c in files.read(self.source)["cells"]]
        number = f"cell {cells.index(error.source) + 1}" if error.source in cells else "the injected parameters"
        line = next((x for x in error.source.splitlines() if x.strip()), "")
        return f"{self.source.stem}, {number} ({line.strip()!r}): {error.ename}: {error.evalue}"


class _Engine(NBClientEngine):
    """papermill's own engine, which also tells its `Execution` which cell is running."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, *, execution: Execution, **settings):
        execution.manager = nb_man
        execution.cells = len(nb_man.nb.cells)
        start = nb_man.cell_start

        def cell_start(cell, cell_index=None, **more):
            execution.cell = (cell_index or 0) + 1
            return start(cell, cell_index, **more)

        nb_man.cell_start = cell_start
        return super().execute_managed_notebook(nb_man, kernel_name, **settings)


papermill_engines.register("mavton", _Engine)
