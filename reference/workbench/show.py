"""Show the reference's source in a notebook, from the file itself, so that it cannot drift.

A function, class, method, table or its name comes in; a header, a link and highlighted source come
out. There are no line numbers: they would change with every edit of the file.
"""

from __future__ import annotations

import ast
import html
import inspect
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.places import ROOT, file_name
from workbench.wire_dump import dialogue, raw

__all__ = ["dialogue", "raw", "show"]

REFERENCE = ROOT / "reference"
PACKAGES = ("handmade", "workbench")


@dataclass(frozen=True)
class Excerpt:
    """A piece of source. ``file`` is relative to the course, "" when it has no file there."""

    file: str
    name: str
    source: str

    @property
    def header(self) -> str:
        """Where it stands."""
        return f"{self.file}: {self.name}" if self.name else self.file


@dataclass(frozen=True)
class Source:
    """Excerpts to look at, as text and as HTML."""

    excerpts: tuple[Excerpt, ...]

    def __repr__(self) -> str:
        return "\n\n".join(f"{item.header}\n\n{item.source}" for item in self.excerpts)

    def _repr_html_(self) -> str:
        return "".join(excerpt_html(e.header, e.file, e.source) for e in self.excerpts)


def show(*things: Any, lines: tuple[str, str] | None = None) -> Source:
    """Show the source of objects of the reference, or of their names: "http1_states.READING".

    ``lines`` is a pair of texts: what is shown goes from the first line that has the one to the
    next line that has the other. Texts, for numbers drift.
    """
    excerpts = [_named(thing) if isinstance(thing, str) else _object(thing) for thing in things]
    if lines is not None:
        excerpts = [Excerpt(e.file, e.name, _between(e.source, *lines)) for e in excerpts]
    return Source(tuple(excerpts))


def excerpt_html(header: str, file: str, source: str, marked: Sequence[int] = ()) -> str:
    """Return highlighted source below its header; ``marked`` lines, from 1, have another ground.

    ``file`` is relative to the course.
    """
    # pygments is published without types.
    from pygments import highlight  # type: ignore[import-untyped]
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
    from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

    formatter = HtmlFormatter(noclasses=True, style="friendly", nowrap=True, hl_lines=marked)
    code = highlight(source, PythonLexer(), formatter).rstrip("\n")
    title = html.escape(header)
    if file.startswith(("reference/", "solutions/")):
        title = f'<a href="../{file}">{title}</a>'
    # Colours for a light ground need a light ground: in a dark theme too.
    style = "background:#f8f8f8;color:#222;padding:8px;line-height:1.35;overflow-x:auto"
    return f'<div><code>{title}</code><pre style="{style}">{code}</pre></div>'


def _object(thing: Any) -> Excerpt:
    """Find an object's source by its module and qualified name."""
    thing = thing.fget if isinstance(thing, property) else inspect.unwrap(thing)
    thing = getattr(thing, "__func__", thing)
    if inspect.ismodule(thing):
        return _excerpt(thing.__name__, "")
    module = getattr(thing, "__module__", "")
    if module.split(".")[0] in PACKAGES:
        return _excerpt(module, thing.__qualname__)
    try:
        source = textwrap.dedent(inspect.getsource(thing)).rstrip()
        path = inspect.getsourcefile(thing) or ""
    except (TypeError, OSError):
        text = f"show() takes a function, a class, a module or a name, not {thing!r}"
        raise TypeError(text) from None
    return Excerpt(file_name(path), getattr(thing, "__qualname__", ""), source)


def _named(name: str) -> Excerpt:
    """Find "http1.Connection.receive", "handmade.http1" or "workbench.load.load"."""
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        parts.insert(0, "handmade")
    for length in range(len(parts), 1, -1):
        if _path(".".join(parts[:length])).is_file():
            return _excerpt(".".join(parts[:length]), ".".join(parts[length:]))
    raise LookupError(f"there is no module for {name!r} in the reference")


def _path(module: str) -> Path:
    path = REFERENCE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _excerpt(module: str, name: str) -> Excerpt:
    path = _path(module)
    source = path.read_text("utf-8")
    if name:
        first, last = _lines_of(source, name)
        source = "\n".join(source.splitlines()[first - 1 : last])
    return Excerpt(path.relative_to(ROOT).as_posix(), name, textwrap.dedent(source).strip("\n"))


def _lines_of(source: str, name: str) -> tuple[int, int]:
    """Return the first and the last line of a definition, with the comment that stands above it."""
    body: list[ast.stmt] = ast.parse(source).body
    node: ast.stmt | None = None
    for part in name.split("."):
        node = next((item for item in body if part in _defines(item)), None)
        if node is None:
            raise LookupError(f"{name!r} is not defined there")
        body = getattr(node, "body", [])
    assert node is not None  # a name has one part at least
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(item.lineno for item in decorators)])
    lines = source.splitlines()
    while first > 1 and re.match(r"\s*#(?! -)", lines[first - 2]):
        first -= 1
    return first, node.end_lineno or node.lineno


def _defines(node: ast.stmt) -> list[str]:
    """Return the names that a statement defines."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _between(source: str, first: str, last: str) -> str:
    lines = source.splitlines()
    start = next((n for n, line in enumerate(lines) if first in line), None)
    if start is None:
        raise LookupError(f"no line has {first!r}")
    end = next((n for n, line in enumerate(lines) if n >= start and last in line), None)
    if end is None:
        raise LookupError(f"no line from there on has {last!r}")
    return textwrap.dedent("\n".join(lines[start : end + 1]))
