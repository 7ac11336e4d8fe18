"""What other code may rely on: the names that `mavton_lite` lists, with their arguments; the command line's options.

tests/data/api.txt is the promise. A change of it is a change of the interface: say so in the commit, then run
`python tests/test_api.py` to write it anew.
"""

import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path

import mavton_lite

PROMISE = Path(__file__).parent / "data/api.txt"


def described() -> str:
    """One line a name, argument, field and method; one line a command's option."""
    lines = []
    for name in sorted(mavton_lite.__all__):
        thing = getattr(mavton_lite, name)
        if inspect.isclass(thing):
            lines += [f"class {name}"]
            lines += [f"  {f.name}: {f.type}" for f in dataclasses.fields(thing)]
            methods = [(n, m) for n, m in vars(thing).items() if not n.startswith("_") and inspect.isfunction(m)]
            lines += [f"  def {n}{inspect.signature(m)}" for n, m in sorted(methods)]
        elif callable(thing):
            signature = inspect.signature(thing)
            lines += [f"def {name} -> {signature.return_annotation}"]
            lines += [f"  {p}" for p in signature.parameters.values()]
        else:
            lines += [f"{name}: {', '.join(thing)}"]
    from mavton_lite import cli, commands, commands_data, commands_study

    for module in (commands, commands_data, commands_study):
        for name, command in sorted(vars(module).items()):
            if dataclasses.is_dataclass(command) and command.__module__ == module.__name__:
                lines += [f"mavton: {name}", *(f"  {f.name}: {f.type}" for f in dataclasses.fields(command))]
    assert cli.main
    return "\n".join(lines) + "\n"


def test_the_public_names_and_their_arguments_are_as_promised():
    assert described() == PROMISE.read_text(encoding="utf8"), "run `python tests/test_api.py` if it is meant so"


def test_every_public_name_is_explained():
    for name in mavton_lite.__all__:
        thing = getattr(mavton_lite, name)
        if callable(thing):
            assert (inspect.getdoc(thing) or "").strip(), f"{name} has no docstring"
            given = inspect.signature(thing).parameters.values()
            assert all(p.annotation is not p.empty for p in given), f"{name} has arguments without a type"


def test_importing_the_package_imports_nothing_else():
    code = "import mavton_lite, sys; print([m for m in ('torch', 'numpy') if m in sys.modules], dir(mavton_lite))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.startswith("[] ") and "'fit'" in told


if __name__ == "__main__":
    PROMISE.write_text(described(), encoding="utf8")
