"""What may import what in the reference, and how long its parts may be (ARCHITECTURE in code)."""

from __future__ import annotations

import ast
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

# From the bottom to the top: a module imports from its own layer and from those above it here.
LAYERS = {
    "core": ["events", "grammar", "http1*", "websocket*", "http2*"],
    "gateways": ["gateway*", "wsgi*", "asgi*", "lifespan*", "history*"],
    "shells": [
        "access_log", "service", "waiting", "wire", "connection*", "blocking*", "threads*",
        "processes*", "loop*", "aio*", "async_*", "protocol*", "watchdog", "tls*",
        "cgi_process", "collector",
    ],
    "command line": ["cli", "options", "loading", "__main__"],
}  # fmt: skip
# The core is bytes and events: clocks, sockets, limits and randomness are passed in.
FORBIDDEN_IN_CORE = {
    "asyncio", "logging", "os", "random", "secrets", "select", "selectors", "signal", "socket",
    "ssl", "subprocess", "sys", "threading", "time",
}  # fmt: skip
FORBIDDEN_EVERYWHERE = {"workbench"}
FILE_LINES = 250
FUNCTION_LINES = 40  # without the docstring; seldom over 25

HANDMADE = Path(__file__).resolve().parents[1] / "reference" / "handmade"
FILES = sorted(HANDMADE.rglob("*.py"))
MODULES = [path for path in FILES if path.name != "__init__.py"]


def layer_of(module: str) -> str | None:
    found = [
        layer
        for layer, patterns in LAYERS.items()
        if any(fnmatchcase(module, pattern) for pattern in patterns)
    ]
    return found[0] if len(found) == 1 else None


def imports(tree: ast.AST) -> tuple[set[str], set[str]]:
    """Return the modules of ``handmade`` and the other top-level modules that are imported."""
    ours, others = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, ["handmade" if node.level else "", node.module]))
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            top, *rest = name.split(".")
            if top == "handmade":
                ours.update(rest[:1])
            else:
                others.add(top)
    return ours, others


def complaints(module: str, source: str) -> list[str]:
    """Return every rule that ``source`` breaks as the module of that name."""
    tree = ast.parse(source)
    layer = layer_of(module)
    if layer is None:
        return [f"{module} stands in no layer, or in two: put it in the table of this test"]
    order = list(LAYERS)
    ours, others = imports(tree)
    found = [
        f"{module} ({layer}) imports {name} ({layer_of(name)})"
        for name in sorted(ours)
        if layer_of(name) and order.index(layer_of(name)) > order.index(layer)
    ]
    forbidden = FORBIDDEN_EVERYWHERE | (FORBIDDEN_IN_CORE if layer == "core" else set())
    found += [f"{module} ({layer}) imports {name}" for name in sorted(others & forbidden)]
    return found + [
        f"{module}, line {node.lineno}: a bare except catches what nobody foresaw"
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]


def function_length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node) is not None:
        lines -= node.body[0].end_lineno - node.body[0].lineno + 1
    return lines


def long_functions(source: str) -> list[str]:
    return [
        f"{node.name}: {function_length(node)} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and function_length(node) > FUNCTION_LINES
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imports_go_downward_only(path):
    assert complaints(path.stem, path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_read_in_one_sitting(path):
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= FILE_LINES, f"{path.name} has {lines} lines: split it by what it does"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_function_fits_on_the_screen(path):
    assert long_functions(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("http1", "import socket"),
        ("http1_reading", "from time import monotonic"),
        ("grammar", "def f():\n    import asyncio.streams"),
        ("events", "from .gateway import logger"),
        ("http2", "from . import wsgi"),
        ("wsgi", "from handmade.blocking import serve"),
        ("asgi", "import handmade.cli"),
        ("cli", "import workbench.load"),
        ("blocking", "try:\n    pass\nexcept:\n    pass"),
        ("unheard_of", ""),
    ],
)
def test_the_rules_see_a_breach(module, source):
    assert len(complaints(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("http1", "import re\nfrom .events import Data\nfrom . import grammar"),
        ("wsgi", "import sys\nfrom .gateway import Channel\nfrom .http1_writing import OURS"),
        ("__main__", "from handmade.cli import main\nimport socket"),
    ],
)
def test_the_rules_let_the_right_pass(module, source):
    assert complaints(module, source) == []


def test_the_length_of_a_function_leaves_its_docstring_out():
    body = "\n".join("    x = 1" for _ in range(FUNCTION_LINES - 1))
    assert long_functions(f'def f():\n    """One.\n\n    Two."""\n{body}') == []
    assert long_functions(f"def f():\n    y = 1\n{body}") == [f"f: {FUNCTION_LINES + 1} lines"]
