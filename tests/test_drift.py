"""The code in the notebooks is the code of the reference.

A cell whose first line is ``# ref: http1.Connection.next_event`` (several names with commas)
repeats definitions of ``reference/handmade``; both must have the same syntax tree, comments and
docstrings aside.  And each public class and function of the reference stands in such a cell, or in
a call of ``show``, or in ``drift_exceptions.toml`` with a reason.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXCEPTIONS = tomllib.loads((ROOT / "tests" / "drift_exceptions.toml").read_text("utf-8"))
SOURCES = {
    path.stem: path.read_text("utf-8")
    for path in sorted((ROOT / "reference" / "handmade").glob("*.py"))
}
REF = re.compile(r"# ref:(.*)")
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def definitions(body: Iterable[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.stmt]]:
    """Yield each definition and assignment with its qualified name, the outer before the inner."""
    for node in body:
        if isinstance(node, Definition):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from definitions(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield prefix + target.id, node
        elif isinstance(node, ast.If | ast.Try):
            yield from definitions(node.body, prefix)


def bare(node: ast.stmt) -> ast.Module:
    """Return a copy of the syntax tree without docstrings; comments never were in it."""
    tree = ast.parse(ast.unparse(node))
    for inner in ast.walk(tree):
        if isinstance(getattr(inner, "body", None), list):
            inner.body = [line for line in inner.body if not is_text(line)] or [ast.Pass()]
    return tree


def is_text(node: ast.stmt) -> bool:
    """Tell whether a statement is a docstring, or a text in the place of one."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def refs(source: str) -> list[str]:
    """Return the names that a cell says it repeats, without the package's name."""
    match = REF.match(source.lstrip())
    names = match[1].split(",") if match else []
    return [name.strip().removeprefix("handmade.") for name in names]


def drift(source: str, sources: dict[str, str]) -> list[str]:
    """Return how a ``# ref`` cell differs from the reference; nothing when it does not."""
    names = refs(source)
    if not names:
        return []
    shown = dict(definitions(ast.parse(source).body))
    found = []
    for name in names:
        module, _, qualified = name.partition(".")
        original = dict(definitions(ast.parse(sources.get(module, "")).body)).get(qualified)
        copy = shown.get(qualified) or shown.get(qualified.rpartition(".")[2])
        if original is None:
            found.append(f"{name} is not in the reference")
        elif copy is None:
            found.append(f"{name} is not in the cell")
        elif ast.dump(bare(copy)) != ast.dump(bare(original)):
            found.append(
                f"{name} is not what the reference has: {first_difference(copy, original)}"
            )
    listed = {part for name in names for part in name.split(".")[1:]}
    return found + [
        f"{name} is defined beside what the cell lists: list it, or move it out"
        for name, node in shown.items()
        if isinstance(node, Definition) and "." not in name and name not in listed
    ]


def first_difference(copy: ast.stmt, original: ast.stmt) -> str:
    """Return the first pair of lines in which the two differ, both laid out alike."""

    ours, theirs = (ast.unparse(bare(node)).splitlines() for node in (copy, original))
    for one, other in zip(ours, theirs, strict=False):
        if one != other:
            return f"{one.strip()!r} for {other.strip()!r}"
    return "one goes on where the other ends"


def shows(cells: list[str]) -> set[str]:
    """Return the names in calls of ``show``, as ``module.Name``; imports tell the modules."""
    trees = [tree for tree in map(parsed, cells) if tree is not None]
    imported = {}
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("handmade"):
            for alias in node.names:
                path = f"{node.module}.{alias.name}".removeprefix("handmade.")
                imported[alias.asname or alias.name] = path
    found = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "show":
            for argument in node.args:
                text = isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                name = argument.value if text else ast.unparse(argument)
                first, dot, rest = name.removeprefix("handmade.").partition(".")
                found.add(imported.get(first, first) + dot + rest)
    return found


def parsed(cell: str) -> ast.Module | None:
    """Return the tree of a cell, or None where it is not plain Python (a magic, a mistake)."""
    try:
        return ast.parse(cell)
    except SyntaxError:
        return None


def public_names(sources: dict[str, str]) -> set[str]:
    """Return each public class and function of each module, as ``module.Name``."""
    return {
        f"{module}.{node.name}"
        for module, source in sources.items()
        for node in ast.parse(source).body
        if isinstance(node, Definition) and not node.name.startswith("_")
    }


def uncovered(cells: list[str], sources: dict[str, str], exceptions: dict[str, str]) -> list[str]:
    """Return what is wrong with the coverage: names that nobody shows, exceptions gone stale."""
    seen = {name for cell in cells for name in refs(cell)} | shows(cells)
    seen = {".".join(name.split(".")[:2]) for name in seen}  # a method stands for its class
    public = public_names(sources)
    return (
        [f"{name}: no notebook shows it" for name in sorted(public - seen - set(exceptions))]
        + [f"{name}: an exception, yet it is shown" for name in sorted(set(exceptions) & seen)]
        + [f"{name}: an exception, yet not there" for name in sorted(set(exceptions) - public)]
        + [f"{name}: without a reason" for name, reason in exceptions.items() if not reason.strip()]
    )


def code_cells(path: Path) -> list[str]:
    notebook = nbformat.read(path, as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_ref_cell_is_what_the_reference_has(path):
    cells = enumerate(code_cells(path), 1)
    assert [f"[{number}] {line}" for number, cell in cells for line in drift(cell, SOURCES)] == []


@pytest.mark.skipif(not NOTEBOOKS, reason="there are no notebooks yet")
def test_each_public_name_of_the_reference_is_shown_or_excused():
    cells = [cell for path in NOTEBOOKS for cell in code_cells(path)]
    assert uncovered(cells, SOURCES, EXCEPTIONS) == []


# ------------------------------------------------------------------ the checks checked

EXAMPLE = {
    "loop": '''
LIMIT: int = 10
class Loop:
    """Run."""
    def once(self, key: int) -> int:
        """Do one round."""
        return key + 1  # one more
    async def close(self):
        """Close."""
def start(): return Loop()
def _hidden(): pass
'''
}
METHOD = "# ref: loop.Loop.once\ndef once(self, key: int) -> int:\n    return key + 1\n"
WHOLE = f"# ref: handmade.loop.Loop, loop.start\n{EXAMPLE['loop']}".replace(
    "LIMIT: int = 10", ""
).replace("def _hidden(): pass", "")


@pytest.mark.parametrize(
    "cell",
    [
        METHOD,
        METHOD.replace("    return", '    """Said otherwise."""\n    # why\n    return'),
        "# ref: loop.Loop.once\nclass Loop:\n    def once(self, key: int) -> int:\n"
        "        return (key + 1)",
        "# ref: loop.Loop.close\nasync def close(self):\n    pass",
        "# ref: loop.LIMIT\nLIMIT: int = 10",
        WHOLE,
        "# an ordinary cell\ndef once(self): return 2",
        "%timeit 1 + 1",
    ],
)
def test_the_same_code_is_no_drift(cell):
    assert drift(cell, EXAMPLE) == []


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (METHOD.replace("key + 1", "key + 2"), "'return key + 2' for 'return key + 1'"),
        (METHOD.replace("key: int", "key: str"), "not what the reference has"),
        (METHOD.replace("def once", "async def once"), "not what the reference has"),
        (METHOD.replace("Loop.once", "Loop.twice"), "loop.Loop.twice is not in the reference"),
        (METHOD.replace("loop.Loop", "pool.Loop"), "pool.Loop.once is not in the reference"),
        ("# ref: loop.start\nstarted = 1", "loop.start is not in the cell"),
        ("# ref: loop.LIMIT\nLIMIT: int = 11", "'LIMIT: int = 11' for 'LIMIT: int = 10'"),
        (METHOD + "def stray(): pass", "stray is defined beside"),
        (WHOLE.replace("close", "closes"), "loop.Loop is not what"),
    ],
)
def test_a_change_in_the_cell_is_seen(cell, words):
    assert [line for line in drift(cell, EXAMPLE) if words in line], drift(cell, EXAMPLE)


def test_a_change_of_one_letter_in_the_reference_is_seen():
    changed = {"loop": EXAMPLE["loop"].replace("key + 1", "key - 1")}
    assert len(drift(METHOD, changed)) == 1


@pytest.mark.parametrize(
    ("cells", "exceptions", "wrong"),
    [
        ([WHOLE], {}, []),
        ([METHOD, "from handmade import loop\nshow(loop.start)"], {}, []),
        (["from handmade.loop import Loop as L, start\nx.show(L.once, start)"], {}, []),
        ([METHOD], {"loop.start": "one line"}, []),
        ([METHOD], {}, ["loop.start: no notebook shows it"]),
        ([METHOD], {"loop.start": " "}, ["loop.start: without a reason"]),
        ([WHOLE], {"loop.start": "one line"}, ["loop.start: an exception, yet it is shown"]),
        ([WHOLE], {"loop.gone": "old"}, ["loop.gone: an exception, yet not there"]),
    ],
)
def test_the_coverage_counts_cells_shows_and_exceptions(cells, exceptions, wrong):
    assert uncovered(cells, EXAMPLE, exceptions) == wrong
