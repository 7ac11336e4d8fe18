"""`mavton`: the command line. It parses and calls, and turns errors into one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro
from tyro.conf import arg, subcommand

from mavton_lite.commands import Convert, Doctor, Evaluate, Figures, Models, Studio, Train, Tryon
from mavton_lite.commands_data import Data
from mavton_lite.commands_study import Plan, Study
from mavton_lite.terminal import printable, speak_any_name


@dataclass
class Mavton:
    """Virtual try-on with multi-level attention (基于多级注意力机制的虚拟试衣)."""

    command: (
        Annotated[Data, subcommand("data")]
        | Annotated[Models, subcommand("models")]
        | Annotated[Train, subcommand("train")]
        | Annotated[Evaluate, subcommand("evaluate")]
        | Annotated[Study, subcommand("study")]
        | Annotated[Plan, subcommand("plan")]
        | Annotated[Figures, subcommand("figures")]
        | Annotated[Tryon, subcommand("tryon")]
        | Annotated[Studio, subcommand("studio")]
        | Annotated[Convert, subcommand("convert")]
        | Annotated[Doctor, subcommand("doctor")]
    )
    debug: Annotated[bool, arg(help="Show the whole traceback of an error.")] = False


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the command; exits 0, 1 for bad input, 2 for bad usage, 130 after Ctrl-C."""
    speak_any_name()
    parsed = tyro.cli(
        Mavton,
        prog="mavton",
        args=arguments,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes, tyro.conf.CascadeSubcommandArgs,
                tyro.conf.FlagCreatePairsOff),
    )  # fmt: skip
    try:
        code = parsed.command.run()
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        code = 130
    except BrokenPipeError:  # `mavton models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        if parsed.debug:
            raise
        print(f"mavton: {_one_line(error)}", file=sys.stderr)
        code = 1
    sys.exit(code)


def _one_line(error: Exception) -> str:
    said = str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        said = f"{error.filename}: {error.strerror}"
    text = printable(" ".join(said.split()))
    # a ValueError or a missing file is the reader's input and explains itself; anything else names its kind
    expected = isinstance(error, (ValueError, OSError)) and text
    return text if expected else f"{type(error).__name__}: {text} (--debug shows where)"
