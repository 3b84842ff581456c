"""Every example that a reader can copy is run: README blocks in order, and all docstrings."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dhess

from .faults.stage import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = """
set -euo pipefail
dhess() {{
  '{python}' -c 'import sys; from dhess.cli import main; sys.exit(main(sys.argv[1:]))' "$@"
}}
"""


def blocks() -> list[tuple[int, str, str]]:
    """Line number, language and text of every block that is run."""
    text = README.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(text):
        language, body = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        ours = re.search(r"^dhess ", body, re.MULTILINE)
        if language == "python" or (language == "bash" and ours):
            found.append((line, language, body))
    return found


def modules() -> list[str]:
    walked = pkgutil.walk_packages(dhess.__path__, "dhess.")
    return ["dhess", *sorted(m.name for m in walked if not m.name.endswith("__main__"))]


def test_the_readme_has_examples_to_run() -> None:
    languages = [language for _line, language, _body in blocks()]
    assert "python" in languages
    assert "bash" in languages


def test_the_citation_is_of_this_version() -> None:
    text = README.read_text(encoding="utf-8")
    assert f"version = {{{version('dhess')}}}" in text


@pytest.mark.parametrize("what", ["A measure", "A geometry", "A source", "A task of jobs"])
def test_each_addition_has_an_example_of_ten_lines(what: str) -> None:
    text = README.read_text(encoding="utf-8").split("## Adding to it")[1]
    paragraph, block = text.split(f"**{what}**")[1].split("```python\n")[:2]
    assert "`dhess/" in paragraph, "it does not say where that goes"
    assert len([line for line in block.split("```")[0].splitlines() if line]) <= 10


def test_readme_examples_run_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_process_environment: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    port = free_port()
    monkeypatch.setenv("DHESS_SERVER", f"http://127.0.0.1:{port}")
    own = {"DHESS_SERVE_PORT": str(port), "XDG_DATA_HOME": str(tmp_path / "share")}
    environment = {**fresh_process_environment, **own, "DHESS_SERVER": os.environ["DHESS_SERVER"]}
    with ExitStack() as stack:
        run_blocks(environment, stack)


def run_blocks(environment: dict[str, str], stack: ExitStack) -> None:
    namespace: dict[str, object] = {"__name__": "__readme__"}
    for line, language, body in blocks():
        if body.startswith("dhess serve"):
            stack.enter_context(gateway(body.split()[1:], environment))
        elif language == "python":
            # empty lines in front, so that a traceback names the line of the README
            code = compile("\n" * line + body, str(README), "exec")
            exec(code, namespace)
        else:
            done = subprocess.run(
                ["bash", "-c", COMMAND.format(python=sys.executable) + body],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"README.md:{line}\n{body}{done.stderr}"


@contextmanager
def gateway(arguments: list[str], environment: dict[str, str]) -> Iterator[None]:
    """What runs in a terminal of its own."""
    code = "import sys; from dhess.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        assert any("http://" in line for line in process.stderr), "it does not say where it is"
        yield
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.parametrize("name", modules())
def test_docstring_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0, f"{result.failed} of {result.attempted} examples; see the output"


@pytest.mark.parametrize(
    "name", ["open", "gradient", "hessian", "laplacian", "measure", "eigenvalues", "find_minimum"]
)
def test_public_functions_show_an_example(name: str) -> None:
    assert ">>> " in (getattr(dhess, name).__doc__ or "")
