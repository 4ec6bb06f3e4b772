"""``python -m workbench.ecosystem``: all that the ecosystem's probes find, printed and written.

    python3 learn.py matrix                              both tables and the pairs, in the terminal
    python3 learn.py matrix --write matrix               and matrix.md and matrix.json in a folder
    python3 learn.py matrix --against matrix/matrix.json what is new since then
    python3 learn.py matrix --servers gunicorn uvicorn --features keep-alive pipelining --why

Date and versions stand on it, for all of it ages: it is made anew, and never kept with the course.
The exit code is 0, 1 when something could not be found out or was left behind, 2 for a name that
nothing has, 130 after Ctrl-C; what is not installed is told, and no failure.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from . import remains
from .fact_table import FactTable, fact_table
from .features import Cell, Feature, features_of
from .pair_table import PairTable, pair_table
from .probing import MISSING, USUAL, Bounds
from .rendering import PYTHON, SYSTEM, stamp, today
from .servers import SERVERS, RealServer, servers_of
from .table import FORMAT, SCHEMA, FeatureTable, feature_tables

INTERFACES = ("wsgi", "asgi")
PARTS = ("tables", "pairs", "facts")
STOPPED = 130  # as a shell tells a program that ended by Ctrl-C
Wanted = dict[str, tuple[Sequence[RealServer], Sequence[Feature]]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the matrix as the options say; return the exit code."""
    options = parser().parse_args(arguments)
    since = remains.now()
    try:
        wanted = chosen(options.servers, options.features, options.interface)
        old = read(options.against) if options.against else None
        files = places(options)
    except (LookupError, ValueError, OSError) as error:
        print(f"matrix: {told(error)}", file=sys.stderr)
        return 2
    if options.list:
        print(listed(wanted))
        return 0
    with orderly_end():
        try:
            found = make(wanted, options)
        except KeyboardInterrupt:
            print("\nmatrix: stopped", file=sys.stderr)
            return STOPPED if not left_behind(since) else 1
    return report(found, old, files, options) | left_behind(since)


# --- what is wanted ---------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(
        prog="matrix",
        description="Probe the installed servers over the network, and print what each does.",
        epilog="Everything takes about three minutes. --list shows what there is.",
    )
    add = found.add_argument
    add("--interface", choices=INTERFACES, help="one of the two tables")
    add("--servers", nargs="+", metavar="NAME", default=[], help="these servers alone")
    add("--features", nargs="+", metavar="NAME", default=[], help="these rows alone, and no pairs")
    add("--part", choices=PARTS, help="features alone, pairs with frameworks, or plain facts")
    add("--why", action="store_true", help="show the question and the evidence behind every cell")
    add("--json", metavar="FILE", type=Path, help="write everything there")
    add("--markdown", metavar="FILE", type=Path, help="write the tables there")
    add("--write", metavar="DIR", type=Path, help="write matrix.md and matrix.json there")
    add("--against", metavar="FILE", type=Path, help="show what is new since an older --json")
    add("--lanes", type=int, default=USUAL.lanes, help=f"servers at a time ({USUAL.lanes})")
    add("--seconds", type=float, default=USUAL.whole,
        help=f"an end to all probes of features ({USUAL.whole:g})")  # fmt: skip
    add("--list", action="store_true", help="show servers and features, and ask nobody")
    add("--quiet", action="store_true", help="no line that tells how far it is")
    return found


def chosen(servers: Sequence[str], features: Sequence[str], interface: str | None) -> Wanted:
    """Return the servers and features of each table; raise LookupError for an unknown name."""
    kinds = [interface] if interface else list(INTERFACES)
    known = [each for kind in kinds for each in servers_of(kind)]
    check(servers, [each.name for each in known], "server")
    rows = {kind: features_of(kind) for kind in kinds}
    check(features, sorted({row.name for kind in kinds for row in rows[kind]}), "feature")
    wanted: Wanted = {}
    for kind in kinds:
        columns = [each for each in servers_of(kind) if not servers or each.name in servers]
        some = [row for row in rows[kind] if not features or row.name in features]
        if columns and some:
            wanted[kind] = (columns, some)
    if not wanted:
        raise LookupError("none of these servers has one of these features to be asked for")
    return wanted


def check(names: Sequence[str], known: Sequence[str], kind: str) -> None:
    """Raise LookupError, with the names that there are, for the first that is none of them."""
    for name in names:
        if name not in known:
            raise LookupError(f"no {kind} {name!r}: there are {', '.join(known)}")


def listed(wanted: Wanted) -> str:
    """Return the servers and the features that would be asked."""
    lines = []
    for kind, (columns, rows) in wanted.items():
        lines.append(f"{kind.upper()} servers")
        lines += [f"  {each.name:<18} {each.missing or f'{each.title} {each.version}'}"
                  for each in columns]  # fmt: skip
        lines.append(f"{kind.upper()} features")
        lines += [f"  {row.name:<28} {row.question}" for row in rows]
    return "\n".join(lines)


def read(path: Path) -> list[FeatureTable]:
    """Return the tables of an older file; raise ValueError when it is none."""
    try:
        data = json.loads(path.read_text("utf-8"))
        return [FeatureTable.from_json(each) for each in data["tables"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no matrix that --json has written: {error}") from None


def places(options: argparse.Namespace) -> dict[str, list[Path]]:
    """Return where to write; raise OSError now, not in three minutes, where that is impossible."""
    found: dict[str, list[Path]] = {"json": [], "markdown": []}
    if options.write:
        options.write.mkdir(parents=True, exist_ok=True)
        found["json"].append(options.write / "matrix.json")
        found["markdown"].append(options.write / "matrix.md")
    for form in found:
        found[form] += [getattr(options, form)] if getattr(options, form) else []
        for path in found[form]:
            path.open("a").close()
    return found


def told(error: Exception) -> str:
    """Return one line for an error in what the options say."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return str(error.args[0])


# --- making it --------------------------------------------------------------------------------


class Matrix:
    """Both tables, the pairs of servers and frameworks, and apart from them what is known."""

    def __init__(
        self, tables: list[FeatureTable], pairs: PairTable | None, facts: FactTable | None
    ) -> None:
        self.tables = tables
        self.pairs = pairs
        self.facts = facts
        self.seconds = 0.0

    @property
    def parts(self) -> list[FeatureTable | PairTable | FactTable]:
        """All tables, what was probed first."""
        return [*self.tables, *[each for each in (self.pairs, self.facts) if each is not None]]

    @property
    def failed(self) -> int:
        """How many cells could not be filled, of servers that are there."""
        cells = [cell for table in self.tables for cell in table.failed if cell.said != MISSING]
        notes = [note for table in self.tables for note in table.notes]
        return len(cells) + len(notes) + (len(self.pairs.failed) if self.pairs is not None else 0)

    def text(self, width: int) -> str:
        """Return all tables as text."""
        return "\n\n\n".join(part.text(width) for part in self.parts)

    def markdown(self) -> str:
        """Return all tables as a page of Markdown."""
        head = "# The ecosystem, probed\n\nWritten by `python3 learn.py matrix`, of the versions "
        head += f"that were installed, over the wire: {stamp()}.\n\n"
        return head + "\n".join(part.markdown() for part in self.parts)

    def json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "format": FORMAT, "schema": SCHEMA, "date": today(), "python": PYTHON,
            "system": SYSTEM, "seconds": round(self.seconds, 1),
            "versions": {each.name: each.version for each in SERVERS.values()},
            "tables": [table.json() for table in self.tables],
            "pairs": self.pairs.json() if self.pairs is not None else None,
            "facts": self.facts.json() if self.facts is not None else None,
        }  # fmt: skip


def make(wanted: Wanted, options: argparse.Namespace) -> Matrix:
    """Ask everything that is wanted."""
    begin = time.monotonic()
    bounds = Bounds(max(1, options.lanes), USUAL.probe, options.seconds)
    heard = Progress(options.quiet)
    names = [each.name for columns, _ in wanted.values() for each in columns]
    parts = (options.part,) if options.part else PARTS[:1] if options.features else PARTS
    found = Matrix(
        feature_tables(wanted, bounds, heard) if "tables" in parts else [],
        pair_table(names, heard.pair) if "pairs" in parts else None,
        fact_table(names if options.servers else ()) if "facts" in parts else None,
    )
    heard.end()
    found.seconds = time.monotonic() - begin
    return found


class Progress:
    """One line that tells how far it is, where somebody watches."""

    def __init__(self, quiet: bool) -> None:
        self._live = sys.stderr.isatty() and not quiet

    def __call__(self, cell: Cell, done: int, of: int) -> None:
        """Tell of a cell."""
        self._tell(f"{done} of {of} cells: {cell.server}, {cell.feature}")

    def pair(self, words: str, done: int, of: int) -> None:
        """Tell of a pair."""
        self._tell(f"{done} of {of} pairs: {words}")

    def _tell(self, words: str) -> None:
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{words[:width]}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Take the line away."""
        if self._live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


@contextmanager
def orderly_end() -> Iterator[None]:
    """Make the first of SIGINT, SIGTERM and SIGHUP a KeyboardInterrupt, and ignore the others.

    What a second Ctrl-C would interrupt is the ending of servers.
    """
    rung = []

    def ring(number: int, frame: FrameType | None) -> None:
        rung.append(number)
        if len(rung) == 1:
            print("\nmatrix: ending the servers ...", file=sys.stderr, flush=True)
            raise KeyboardInterrupt

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    before = {number: signal.signal(number, ring)
              for name in names if (number := getattr(signal, name, None))}  # fmt: skip
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def left_behind(since: float) -> int:
    """Kill every process of ours that is still there, and tell it; return 1 when there was one."""
    lines = remains.leftovers(since)
    for line in lines:
        print(f"matrix: was still there, and is killed: {line}", file=sys.stderr)
    remains.kill(remains.left(since))
    return int(bool(lines))


def report(
    found: Matrix, old: list[FeatureTable] | None, files: dict[str, list[Path]],
    options: argparse.Namespace,
) -> int:  # fmt: skip
    """Write and print the matrix; return 1 when something could not be found out."""
    for path in files["json"]:
        text = json.dumps(found.json(), indent=1, ensure_ascii=False) + "\n"
        path.write_text(text, "utf-8")
    for path in files["markdown"]:
        path.write_text(found.markdown(), "utf-8")
    print(found.text(shutil.get_terminal_size((100, 24)).columns))
    if options.why:
        for table in found.tables:
            print("", *(table.why(row.name) for row in table.features), sep="\n\n")
    for table in found.tables if old is not None else []:
        print(f"\nNew since {old[0].date if old else 'then'}, {table.title}:")
        same = [each for each in old or [] if each.interface == table.interface]
        print("\n".join(line for each in same for line in table.changes(each)) or "nothing")
    print(f"\n{found.seconds:.0f} s")
    return int(bool(found.failed))
