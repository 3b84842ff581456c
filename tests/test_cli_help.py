"""Help that shows how, and a completion script that works."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import numpy as np
import pytest
import xarray as xr

from dhess.cli import commands, main
from dhess.measures import MEASURES
from dhess.options import FLOATS, GEOMETRIES, NANS, SCHEMES, TIMES, Options

SECTIONS = {
    "Look": ["demo", "info", "measures"],
    "Find": ["find", "regions", "critical", "at"],
    "Compute": ["plan", "field"],
    "Jobs": [
        "run", "submit", "jobs", "show", "result", "cancel", "retry", "delete", "logs",
    ],
    "Service": ["serve", "token"],
    "Shell": ["completion"],
}  # fmt: skip
NAMES = [name for names in SECTIONS.values() for name in names]


def examples(name: str) -> list[str]:
    """The command lines under "Examples:" in a command's help, without what follows a pipe."""
    command = commands.commands[name] if name else commands
    lines = (command.epilog or "").splitlines()
    return [line.strip() for line in lines if "dhess " in line and line.startswith("  ")]


def test_the_help_is_a_tutorial_and_then_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """What to type first comes first, within the lines of a terminal's width."""
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    titles = [f"\n{title}:\n" for title in SECTIONS]
    begin = [out.index(line) for line in ("dhess demo", "dhess info", "dhess find", *titles)]
    assert begin == sorted(begin)
    for title, names in SECTIONS.items():
        section = re.split(r"\n\n", out.split(f"\n{title}:\n")[1])[0]
        assert re.findall(r"^  (\w+)  ", section, re.MULTILINE) == names


RUN = ["", "info", "find", "regions", "critical", "at", "plan", "field", "run", "measures"]
"""Commands of which examples are run; those of the service are run in tests/service."""


@pytest.mark.parametrize("name", RUN)
def test_the_first_examples_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a store such as they are about; dem.nc and others have other dimensions each."""
    monkeypatch.chdir(tmp_path)
    z, y, x = np.linspace(0, 1, 5), np.linspace(-2, 2, 6), np.linspace(0, 6, 7)
    values = np.random.default_rng(2).standard_normal((5, 6, 7))
    data = xr.DataArray(values, {"z": z, "y": y, "x": x}, ["z", "y", "x"], "temperature")
    data.to_dataset().to_zarr("run.zarr", consolidated=False)
    Path("flattest.toml").write_text('source = "run.zarr::temperature"\noutput = "flattest.json"\n')
    lines = [line for line in examples(name) if re.search("run.zarr::t|flattest.toml|sures", line)]
    for line in lines:
        words = shlex.split(re.split(r" [|>#] ?", line)[0])[1:]
        assert main(words) == 0, line
    assert lines
    capsys.readouterr()


@pytest.mark.parametrize("name", NAMES)
def test_help_has_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert "Examples:" in out
    assert all(line in out for line in examples(name))
    assert len(examples(name)) >= 2


@pytest.mark.parametrize("line", [line for name in ["", *NAMES] for line in examples(name)])
def test_examples_parse(line: str) -> None:
    text = re.sub(r'^eval "\$\((.*)\)".*', r"\1", line)
    words = shlex.split(re.split(r" [|>#] ?", text)[0])
    assert words[0] == "dhess"
    command, name, *rest = commands.commands[words[1]], *words[1:]
    if isinstance(command, click.Group):
        command, name, *rest = command.commands[rest[0]], *rest
    context = command.make_context(name, rest)
    assert context.params


def parts(command: click.Command) -> list[click.Command]:
    """A command, or the commands in a group."""
    return [command, *(command.commands.values() if isinstance(command, click.Group) else ())]


@pytest.mark.parametrize("name", NAMES)
def test_every_option_says_what_it_does(name: str) -> None:
    for command in parts(commands.commands[name]):
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, option.name


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"dhess {version('dhess')}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_calls_back(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "_DHESS_COMPLETE" in capfd.readouterr().out


def completed(words: str, environment: dict[str, str]) -> list[str]:
    """What the shell would offer after `words`."""
    done = subprocess.run(
        [sys.executable, "-c", "from dhess.cli import main; main()"],
        env={
            **environment,
            "_DHESS_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return [line.split(",")[1] for line in done.stdout.splitlines()]


def test_completion_offers_commands_options_and_measures(
    fresh_process_environment: dict[str, str],
) -> None:
    assert completed("dhess f", fresh_process_environment) == ["find", "field"]
    assert "--exclude-edges" in completed("dhess find --e", fresh_process_environment)
    offered = completed("dhess find --measure ", fresh_process_environment)
    assert set(MEASURES) <= set(offered)


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("order", {"2", "4", "6", "8"}),
        ("scheme", set(SCHEMES)),
        ("nan", set(NANS)),
        ("geometry", set(GEOMETRIES)),
        ("scale", {"span"}),
        ("datetime-unit", set(TIMES)),
        ("dtype", set(FLOATS)),
    ],
)
def test_completion_offers_what_an_option_takes(option: str, values: set[str]) -> None:
    for name in ("find", "field", "plan"):
        command = commands.commands[name]
        context = command.make_context(
            name, ["f.zarr", *(["--out", "g"] if name == "field" else [])]
        )
        each = next(each for each in command.params if f"--{option}" in each.opts)
        assert {item.value for item in each.shell_complete(context, "")} == values


@pytest.mark.parametrize("name", ["find", "field", "plan"])
def test_every_option_of_the_library_is_one_of_the_command(name: str) -> None:
    offered = {each.name for each in commands.commands[name].params}
    assert Options.__optional_keys__ <= offered
    assert "smooth" in offered


def test_help_imports_nothing_heavy(
    fresh_process_environment: dict[str, str], tmp_path: Path
) -> None:
    heavy = ["matplotlib", "distributed", "zarr", "pydantic", "rich"]
    code = (
        "import sys; from dhess.cli import main; main(['find', '--help']); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=fresh_process_environment, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"
