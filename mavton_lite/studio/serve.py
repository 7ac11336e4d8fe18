"""The studio as a web app on this computer: Voila, a notebook of one cell, and a page that asks no other server."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from pathlib import Path
from typing import Any

from mavton_lite.plots.style import FAMILIES, FONT

PORT = 8866
CELL = "from mavton_lite.studio.page import studio\n\nstudio()"
LARGEST_UPLOAD = 64 * 2**20  # bytes in one message; servers admit 10 MB by themselves
FROM_AFAR = ("all", "v4-shims")  # style sheets that Voila's template fetches from another server

TEMPLATE = """{%- extends 'voila/templates/lab/index.html.j2' -%}
{%- block notebook_css -%}
{{ super()SUPER }}
<style>
@font-face { font-family: "FAMILY"; unicode-range: U+2E80-9FFF, U+FF00-FFEF;
  src: url("data:font/ttf;base64,FONT") format("truetype"); }
body, .studio, .jupyter-widgets, .lm-TabBar-tabLabel { font-family: "FAMILY", system-ui, "DejaVu Sans", sans-serif; }
</style>
<script>  // a slider's handle takes the keyboard, but only its box has a name
new MutationObserver(() => document.querySelectorAll(".widget-inline-hbox").forEach((box) => {
  const handle = box.querySelector("[role=slider]:not([aria-label])"), label = box.querySelector("label");
  if (handle && label) handle.setAttribute("aria-label", label.innerText);
})).observe(document, { childList: true, subtree: true });
</script>
{%- endblock notebook_css -%}
"""


def command(folder: Path, port: int = PORT) -> list[str]:
    """The server's command line; `write` has put what it needs into the folder.

    Raises: ValueError saying what to install when there is no Voila.
    """
    if not 1 <= port <= 65535:
        raise ValueError(f"port: found {port}, wanted 1 to 65535")
    if importlib.util.find_spec("voila") is None:
        from mavton_lite.doctor import extra

        raise ValueError(f"the studio's page needs Voila: {extra('lab')}")
    options = {
        "Voila.ip": "127.0.0.1",
        "port": port,
        "template": "mavton",
        "Voila.log_level": "WARN",  # `serve` says what a visitor needs to know
        "ZMQChannelsWebsocketConnection.limit_rate": False,  # a download is larger than a server expects of a cell
    }
    return [sys.executable, "-m", "voila", str(folder / "studio.ipynb"), "--no-browser",
            *(f"--{name}={value}" for name, value in options.items())]  # fmt: skip


def write(folder: Path) -> dict[str, str]:
    """Write notebook and template; returns the environment the server wants."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cell: dict[str, Any] = {"cell_type": "code", "id": "studio", "metadata": {}, "execution_count": None}
    cell |= {"outputs": [], "source": CELL}
    notebook = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / "studio.ipynb").write_text(json.dumps(notebook), encoding="utf8")
    settings = {"Voila": {"tornado_settings": {"websocket_max_message_size": LARGEST_UPLOAD}}}
    (folder / "voila.json").write_text(json.dumps(settings), encoding="utf8")  # Voila reads it where it is started
    template = folder / "voila" / "templates" / "mavton"
    template.mkdir(parents=True)
    (template / "conf.json").write_text(json.dumps({"base_template": "lab"}), encoding="utf8")
    (template / "index.html.j2").write_text(page_template(), encoding="utf8")
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("JUPYTER_PATH", "")]))
    return {**os.environ, "JUPYTER_PATH": path}


def page_template() -> str:
    """Voila's page without what it fetches from elsewhere, and with the project's Chinese font inside."""
    import base64

    cdn = "https://cdn.jsdelivr.net/npm/@fortawesome/fontawesome-free@^5/css"
    links = [f'<link rel="stylesheet" href="{cdn}/{name}.min.css" type="text/css" />' for name in FROM_AFAR]
    without = "".join(f" | replace({json.dumps(link)}, '')" for link in links)
    font = base64.b64encode(FONT.read_bytes()).decode()
    return TEMPLATE.replace("SUPER", without).replace("FAMILY", FAMILIES[1]).replace("FONT", font)


def serve(port: int = PORT, browser: bool = True) -> int:
    """Serve the page until interrupted, to this computer alone.

    Raises: ValueError when there is no Voila, or the port cannot be had.
    """
    with tempfile.TemporaryDirectory(prefix="mavton-studio-") as place:
        folder = Path(place)
        line = command(folder, port)
        _can_be_had(port)
        print("starting the studio ...", flush=True)
        server = subprocess.Popen(line, cwd=folder, env=write(folder))
        try:
            while server.poll() is None and not _answers(port):
                time.sleep(0.2)
            if server.poll() is None:
                address = f"http://127.0.0.1:{port}"
                print(f"the studio is at {address} (Ctrl-C ends it)", flush=True)
                if browser:  # not before there is something to see
                    webbrowser.open(address)
            return server.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            server.terminate()
            server.wait()


def _can_be_had(port: int) -> None:
    """Raises: ValueError when the port is no port, or another program has it; Voila would quietly take the next one."""
    if not 1 <= port <= 65535:
        raise ValueError(f"found the port {port}, wanted one from 1 to 65535")
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one just left is free
        try:
            trial.bind(("127.0.0.1", port))
        except OSError as error:
            why = error.strerror or error
            raise ValueError(f"port {port} cannot be had ({why}); is the studio open already? else --port") from None


def _answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0
