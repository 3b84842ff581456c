"""What a module becomes when one thing in it is wrong; by the operators of Cosmic Ray."""

from __future__ import annotations

import ast
import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Mutant:
    """A module with one change."""

    module: str
    """Its path, from the project's folder."""
    code: str
    old: str
    """The lines that it changes, and what they become."""
    new: str
    line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: `{self.old}` → `{self.new}`"


def mutants(root: Path, modules: list[str]) -> list[Mutant]:
    """Return every mutant of some modules that means something else, each once."""
    return [each for module in modules for each in _of(root, module)]


def _of(root: Path, module: str) -> Iterator[Mutant]:
    source = (root / module).read_text(encoding="utf-8")
    tree = get_ast(source)
    seen = {_meaning(source), ""}
    for name in cosmic_ray.plugins.operator_names():
        kind = cosmic_ray.plugins.get_operator(name)
        if kind.arguments():
            continue
        operator = kind()
        places = sum(1 for node in ast_nodes(tree) for _ in operator.mutation_positions(node))
        for occurrence in range(places):
            code = mutate_code(source, operator, occurrence)
            if code is None or (meaning := _meaning(code)) in seen:
                continue
            seen.add(meaning)
            yield _mutant(module, source, code)


def _mutant(module: str, source: str, code: str) -> Mutant:
    before, after = source.splitlines(), code.splitlines()
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    changed = [each for each in matcher.get_opcodes() if each[0] != "equal"]
    _, i, _, j, _ = changed[0]
    _, _, i_end, _, j_end = changed[-1]
    old, new = (" ".join(map(str.strip, part)) for part in (before[i:i_end], after[j:j_end]))
    return Mutant(module, code, old, new, i + 1)


class _Bare(ast.NodeTransformer):
    """Takes away what no run can tell: annotations, docstrings, imports for the type checker."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self._without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._without_docstring(node)

    def visit_Module(self, node: ast.Module) -> ast.AST:
        return self._without_docstring(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        node.annotation = ast.Constant(None)
        return node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if ast.unparse(node.test) == "TYPE_CHECKING":
            return None
        return self.generic_visit(node)

    def _without_docstring(self, node: ast.FunctionDef | ast.ClassDef | ast.Module) -> ast.AST:
        node.body = [
            each for each in node.body
            if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        ]  # fmt: skip
        return self.generic_visit(node)


def _meaning(code: str) -> str:
    """Two sources of one meaning differ in what no run can tell; nothing: it is no Python."""
    try:
        return ast.dump(_Bare().visit(ast.parse(code)))
    except SyntaxError:
        return ""
