"""A JupyterLab server and a page of it in a headless Chromium, for the tests of this folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip
HARMLESS = re.compile(r"favicon|ResizeObserver loop|Failed to load resource|preload|fontawesome")
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},  # else cells out of sight are not in the page
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


def missing() -> str | None:
    """Why no page can be opened here, or None."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "playwright is not installed (make test-browser installs it)"
    return None if browser() else f"no Chromium here: none of {', '.join(BROWSERS)} is on the PATH"


def browser() -> str | None:
    """The system's Chromium."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextmanager
def serving(command: list[str], cwd: Path, port: int, ready: str, env: dict | None = None) -> Iterator[str]:
    """Run a server until the block ends; its address once `ready` answers.   Raises: RuntimeError with its log."""
    log = (cwd / "server.log").open("w+")
    server = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(address + ready, timeout=5).read()
                break
            except OSError:
                if server.poll() is not None:
                    break
                time.sleep(0.5)
        else:
            server.terminate()
        if server.poll() is not None:
            log.seek(0)
            raise RuntimeError(f"{' '.join(command)} did not start:\n{log.read()[-3000:]}")
        yield address
    finally:
        server.terminate()
        server.wait(20)
        log.close()


@contextmanager
def lab(folder: Path) -> Iterator[str]:
    """JupyterLab over a folder of notebooks, at the smoke profile."""
    port = free_port()
    for plugin, values in SETTINGS.items():
        file = folder / ".settings" / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    options = {"ServerApp.port": port, "ServerApp.open_browser": False, "ServerApp.allow_root": True,
               "IdentityProvider.token": "", "ServerApp.root_dir": str(folder)}  # fmt: skip
    command = [sys.executable, "-m", "jupyter", "lab", *(f"--{name}={value}" for name, value in options.items())]
    env = {"MAVTON_PROFILE": "smoke", "JUPYTER_CONFIG_DIR": str(folder / ".config"), "PYTHONPATH": str(ROOT),
           "JUPYTERLAB_SETTINGS_DIR": str(folder / ".settings"),
           "JUPYTERLAB_WORKSPACES_DIR": str(folder / ".workspaces")}  # fmt: skip
    with serving(command, folder, port, "/api", env) as address:
        yield address


@contextmanager
def page(shots: str | None = None, name: str = "page", width: int = 1300, height: int = 1000) -> Iterator:
    """A page of a fresh browser; its `complaints` are what the console called an error.

    Its last look is stored as `shots/name.png`, also when the test fails.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=browser(), args=list(QUIET))
        opened = chromium.new_page(viewport={"width": width, "height": height})
        opened.complaints = []
        opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.on(
            "console",
            lambda said: said.type == "error"
            and not HARMLESS.search(said.text)
            and opened.complaints.append(said.text),
        )
        opened.set_default_timeout(60_000)
        try:
            yield opened
        finally:
            if shots:
                opened.screenshot(path=f"{shots}/{name}.png")
            chromium.close()


def run_all(opened, address: str, notebook: str, timeout_s: float = 240) -> None:
    """Open a notebook, run every cell, wait for its kernel to rest.   Raises: AssertionError naming a failed cell."""
    opened.goto(f"{address}/lab/tree/{notebook}?reset")
    bar = opened.locator("#jp-main-statusbar")
    # Earlier, while the kernel starts, "Run All" would be dropped without a word.
    bar.get_by_text("| Idle").wait_for(timeout=120_000)
    opened.get_by_role("menuitem", name="Run", exact=True).click()
    opened.get_by_text("Run All Cells", exact=True).click()
    bar.get_by_text("| Busy").wait_for()
    bar.get_by_text("| Idle").wait_for(timeout=timeout_s * 1000)


def picture_of(opened) -> str:
    """The address of the picture that the page's widget shows; a new one with every picture."""
    return opened.locator("img.explorer-image").first.get_attribute("src")


def use(opened, control: str, key: str | int) -> bool:
    """Press a key on the slider, or choose the n-th option of the menu, of that label; did another picture come?

    Sliders are worked by keys; JupyterLab keeps the arrow keys of a menu for itself.
    """
    before = picture_of(opened)
    box = opened.locator(f'.widget-inline-hbox:has(> label:text-is("{control}"))').first
    handle = box.locator(".noUi-handle, select").first
    handle.scroll_into_view_if_needed()
    if isinstance(key, int):
        handle.select_option(index=key)
    else:
        handle.focus()
        opened.keyboard.press(key)
    for _ in range(100):
        if picture_of(opened) != before:
            return True
        opened.wait_for_timeout(200)
    return False
