"""One experiment on several real servers at one time, and what each of them did, line by line.

    beside(lambda run: run.ask(request("/ok")).head)          # what each answers
    probed("keep-alive", "pipelining")                        # rows of the feature table
    beside(tree, way="workers")                               # the processes of each

Chapter 06 looks with it.  Every line begins with the name of its server: so a reader finds it, and
the comparison of the notebook's outputs can leave out the lines of mod_wsgi, which comes from the
system and not from the lock.  A server that is not installed has one line that says how to get it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import psutil  # type: ignore[import-untyped]  # published without types

from workbench.contracts.wire import Wire, request

from . import rendering
from .features import features_of
from .looking import CROWD, crowd, heard, threads_of, who_serves, workers
from .pairs import Conversation, converse_all, pairs
from .probing import MISSING
from .servers import SERVERS
from .starting import Run, serving
from .table import Column, FeatureTable, Row, Words, feature_table, mark

__all__ = [
    "FIVE", "FOUR", "answers", "beside", "differences", "probed", "spoken", "told_and_true", "tree",
    "until_closed", "whole",
]  # fmt: skip

FIVE = ("gunicorn", "gunicorn-gthread", "uwsgi", "mod_wsgi", "ours-threads")
"""The servers of chapter 06: the three that the talk names, Gunicorn in two ways, and ours."""
FOUR = ("gunicorn", "uwsgi", "mod_wsgi", "ours-threads")
"""The same without the second Gunicorn: for what both do alike."""
WARM = (
    15.0  # seconds for the first answer: a server may listen long before its application is there
)
CALM = 8.0  # seconds for every other one: a notebook may run on a busy machine


class Beside(dict[str, Any]):
    """What an experiment gave on each server, by its name; printed, one or more lines for each.

    ``missing`` has the servers that are not installed, with the line that says how to get them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = names
        self.missing = {name: why for name in names if (why := SERVERS[name].missing)}

    def __repr__(self) -> str:
        size = max(map(len, self._names))
        lines = []
        for name in self._names:
            told = self.missing.get(name) or self.get(name, "")
            text = told if isinstance(told, str) else repr(told)
            lines += [f"{name:<{size}}  {line}".rstrip() for line in text.split("\n")]
        return "\n".join(lines)


def beside(
    experiment: Callable[[Run], Any],
    servers: Sequence[str] = FIVE,
    way: str = "plain",
    app: str = "",
    **env: str,
) -> Beside:
    """Start servers at one time, do the same with each of them, stop them; return what came.

    ``experiment`` gets a ``Run``: ``run.connect()`` is a raw connection, ``run.ask(bytes)`` an
    answer, ``run.pid`` the process.  ``app`` is ``module:name``, by default the gauntlet's probe.
    Whatever an experiment raises is raised here.
    """

    def one(name: str) -> Any:
        with serving(SERVERS[name], way, app, **env) as run:
            wake(run)
            return experiment(run)

    found = Beside(servers)
    names = [name for name in servers if name not in found.missing]
    with ThreadPoolExecutor(max(1, len(names))) as pool:
        found.update(zip(names, pool.map(one, names), strict=True))
    return found


def wake(run: Run) -> None:
    """Wait until a server has answered once, and give it time for all that follows."""
    run.begin()
    with Wire(run.live.address, WARM) as wire:
        wire.send(request("/ok", "Connection: close")).until_any()
    run.begin()
    run.patience = CALM


def answers(run: Run, sent: bytes, number: int) -> str:
    """Send bytes on one connection; return the status of so many answers, or what came instead."""
    with run.connect() as wire:
        wire.send(sent)
        return ", ".join(heard(wire)[1] for _ in range(number))


def until_closed(run: Run, sent: bytes) -> bytes:
    """Send bytes, and return all that comes until the server closes."""
    with run.connect() as wire:
        return wire.send(sent).closed("behind its answer")


# --- the board, through frameworks ------------------------------------------------------------


class Spoken(list[Conversation]):
    """Conversations with the pairs of some servers and frameworks, printed a server in a line."""

    def __repr__(self) -> str:
        return self.shown(lambda each: each.said)

    def step(self, name: str) -> Words:
        """Return what was seen in one step of each conversation."""
        return Words(self.shown(lambda each: each.step(name).seen if each.steps else each.problem))

    def shown(self, tell: Callable[[Conversation], str]) -> str:
        """Return a line for each server, with a column for each framework."""
        names = list(dict.fromkeys(each.pair.server.name for each in self))
        heads = list(dict.fromkeys(each.pair.framework.title for each in self))
        rows = {name: [f"  {tell(each)}" for each in self if each.pair.server.name == name]
                for name in names}  # fmt: skip
        return grid(heads, rows)


def spoken(servers: Sequence[str], frameworks: Sequence[str], at_once: int = 4) -> Spoken:
    """Say everything to the board of each framework on each server."""
    return Spoken(converse_all(pairs(servers, frameworks), at_once))


# --- rows of the feature table ----------------------------------------------------------------


class Across(FeatureTable):
    """A feature table that is printed with a line for each server."""

    def __repr__(self) -> str:
        return str(self.across())

    def across(self) -> Words:
        """Return a line for each server, in blocks of as many features as fit."""
        rows = {each.name: [self._shown(each, row) for row in self.features]
                for each in self.servers}  # fmt: skip
        failed = [cell for cell in self.failed if cell.said != MISSING]
        lines = [f"{cell.server}, {cell.feature}: {cell.problem}" for cell in failed]
        return Words("\n".join([grid([row.name for row in self.features], rows), *lines]))

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"text/plain": repr(self)}, {}

    def said(self, feature: str) -> dict[str, str]:
        """Return what stands in a row, by server; without those that are not installed."""
        return {
            each.name: self[feature, each.name].said
            for each in self.servers
            if mark(self[feature, each.name]) != "!"
        }


def probed(*features: str, servers: Sequence[str] = FIVE) -> Across:
    """Ask some rows of the feature table of some servers, all at one time."""
    return Across(**vars(feature_table("wsgi", servers, features)))


def whole(*tables: FeatureTable) -> FeatureTable:
    """Return one table of the rows of several, each of the same servers, in the table's order."""
    cells = {place: cell for table in tables for place, cell in table.cells.items()}
    names = {row.name for table in tables for row in table.features}
    rows = [Row.of(each) for each in features_of("wsgi") if each.name in names]
    columns: list[Column] = tables[0].servers
    return replace(
        FeatureTable("wsgi", columns, rows, cells),
        date=tables[-1].date, python=tables[-1].python, system=tables[-1].system,
        notes=[note for table in tables for note in table.notes],
    )  # fmt: skip


def differences(table: FeatureTable) -> dict[tuple[str, str], list[str]]:
    """Return for every two servers the rows in which they differ; measured rows do not count."""
    rows = [row for row in table.features if not row.measured]
    names = [each.name for each in table.servers if not SERVERS[each.name].missing]
    return {
        (left, right): [row.name for row in rows
                        if table[row.name, left].said != table[row.name, right].said]
        for at, left in enumerate(names)
        for right in names[at + 1 :]
    }  # fmt: skip


def grid(heads: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """Lay cells out in a line for each server; one that is not installed says how to get it.

    A server that comes from the system has no say in how wide a column is: the lines of the others
    must be the same where it is there and where it is not.
    """
    left = max(map(len, ["server", *rows]))
    own = [cells for name, cells in rows.items() if not from_system(name)]
    sizes = [max([len(head) + 2, *[len(cells[at]) for cells in own]])
             for at, head in enumerate(heads)]  # fmt: skip
    parts = []
    for columns in rendering.fitting(sizes, rendering.WIDTH - left):
        lines = [["server".ljust(left), *[f"  {heads[at]}".ljust(sizes[at]) for at in columns]]]
        for name, cells in rows.items():
            missing = SERVERS[name].missing
            told = [missing] if missing else [cells[at].ljust(sizes[at]) for at in columns]
            lines.append([name.ljust(left), *told])
        parts.append("\n".join(rendering.GAP.join(line).rstrip() for line in lines))
    return "\n\n".join(parts)


def from_system(name: str) -> bool:
    """Tell whether a server comes neither with the course nor with Python: Apache alone."""
    server = SERVERS[name]
    return not (server.packages or server.ours or name == "wsgiref")


# --- the processes ----------------------------------------------------------------------------


def tree(run: Run) -> str:
    """Draw the processes of a server, and which of them run the application."""
    serving = who_serves(run)
    top = psutil.Process(run.pid)
    lines = [f"{_role(top.pid, serving)}"]

    def below(process: psutil.Process, depth: int) -> None:
        for child in sorted(process.children(), key=lambda each: each.pid not in serving):
            lines.append(f"{'   ' * depth}└─ {_role(child.pid, serving)}")
            below(child, depth + 1)

    below(top, 0)
    return "\n".join(lines)


def _role(pid: int, serving: set[int]) -> str:
    return "runs the application" if pid in serving else "does not run it"


def told_and_true(run: Run) -> str:
    """Hold what the application is told of threads and processes against what a crowd finds."""
    told = run.facts("Connection: close")["environ"]
    inside = crowd(run)
    processes = who_serves(run) | set(inside)
    most = max(map(inside.count, inside), default=0)
    more = " or more" if most >= CROWD else ""
    threads = max(map(threads_of, processes), default=0)
    return (
        f"multithread {told['wsgi.multithread']!s:<5}  at one time in a process: {most:>2}{more}, "
        f"of its {threads:>2} threads\n"
        f"multiprocess {told['wsgi.multiprocess']!s:<5} processes that serve: {len(processes)}, "
        f"of {1 + len(workers(run))}"
    )
