"""What was found, as a table: as text, picture, HTML, Markdown and JSON.

    table = feature_table("wsgi")
    table                       # in a notebook: a picture; print(table): text
    table.why("keep-alive")     # the question, its source, and what was seen of each server
    table.stable()              # the text without the rows that hold measured numbers

``+`` marks what is there and ``-`` what is not, ``!`` what could not be found out; where that is no
question there is no mark.  A sign and a word say everything, colours say it once more.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from workbench.picture import Picture

from . import rendering
from .features import FAILED, Cell, Feature, features_of
from .probing import LEFT_OUT, MISSING, USUAL, Bounds, Heard, probing
from .servers import SERVERS, RealServer, servers_of

SCHEMA = 1
FORMAT = "from-sockets-to-asgi/ecosystem"
TITLES = {"wsgi": "WSGI servers", "asgi": "ASGI servers"}


class Words(str):
    """A text that is shown as it is, also as the value of a notebook's last line."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Column:
    """A server as it stands in the table: also when it was read from a file."""

    name: str
    title: str
    version: str

    @classmethod
    def of(cls, server: RealServer) -> Column:
        """Return the column of a server of this machine."""
        return cls(server.name, server.title, "" if server.ours else server.version)


@dataclass(frozen=True)
class Row:
    """A feature as it stands in the table."""

    name: str
    interface: str
    question: str
    source: str
    measured: bool

    @classmethod
    def of(cls, each: Feature) -> Row:
        """Return the row of a probe."""
        return cls(each.name, each.interface, each.question, each.source, each.measured)


@dataclass
class FeatureTable:
    """Servers side by side, a row for each feature, and the evidence behind every cell."""

    interface: str
    servers: list[Column]
    features: list[Row]
    cells: dict[tuple[str, str], Cell]
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    took: dict[tuple[str, str], float] = field(default_factory=dict)
    date: str = ""
    python: str = ""
    system: str = ""

    def __repr__(self) -> str:
        return self.text()

    def __getitem__(self, place: tuple[str, str]) -> Cell:
        """Return a cell: ``table["keep-alive", "gunicorn"]``."""
        row, server = place
        return self.cells[self._server(server).name, self._feature(row).name]

    @property
    def title(self) -> str:
        """What the table shows."""
        return f"{TITLES.get(self.interface, self.interface)}, probed"

    @property
    def stamp(self) -> str:
        """When and on what it was probed."""
        return rendering.stamp(self.date, self.python, self.system)

    @property
    def versions(self) -> str:
        """The servers with their versions, in one line."""
        return "; ".join(f"{each.title} {each.version}".strip() for each in self.servers)

    @property
    def failed(self) -> list[Cell]:
        """The cells that could not be filled."""
        return [cell for cell in self._ordered() if mark(cell) == "!"]

    def _ordered(self) -> list[Cell]:
        found = [
            self.cells.get((server.name, row.name))
            for server in self.servers
            for row in self.features
        ]
        return [cell for cell in found if cell is not None]

    # ------------------------------------------------------------ a part of it

    def only(self, servers: Iterable[str] = (), features: Iterable[str] = ()) -> FeatureTable:
        """Return the table of some servers, or of some features; raise LookupError for a name."""
        columns = [self._server(name) for name in servers] or self.servers
        rows = [self._feature(name) for name in features] or self.features
        return self._with(columns, rows)

    def but(self, *servers: str) -> FeatureTable:
        """Return the table without some servers."""
        gone = {self._server(name).name for name in servers}
        return self._with([each for each in self.servers if each.name not in gone], self.features)

    def _with(self, servers: list[Column], features: list[Row]) -> FeatureTable:
        return FeatureTable(
            self.interface, servers, features, self.cells, self.notes, self.seconds, self.took,
            self.date, self.python, self.system,
        )  # fmt: skip

    def _server(self, name: str) -> Column:
        for each in self.servers:
            if name in (each.name, each.title):
                return each
        names = ", ".join(each.name for each in self.servers)
        raise LookupError(f"no server {name!r} in this table: there are {names}")

    def _feature(self, name: str) -> Row:
        for each in self.features:
            if each.name == name:
                return each
        names = ", ".join(each.name for each in self.features)
        raise LookupError(f"no feature {name!r} in this table: there are {names}")

    # ------------------------------------------------------------ as text

    def text(self, width: int = rendering.WIDTH) -> str:
        """Return the table in lines of at most ``width`` characters, and what went wrong."""
        lines = [self.title, self.stamp, *textwrap.wrap(self.versions, width), ""]
        lines += [self._grid(self.features, width), ""]
        return "\n".join([*lines, rendering.LEGEND, *rendering.wrapped(self.troubles(), width)])

    def stable(self, width: int = rendering.WIDTH) -> Words:
        """Return the text without what differs from run to run: dates, versions, measured rows."""
        rows = [row for row in self.features if not row.measured]
        return Words(f"{self.title}\n\n{self._grid(rows, width)}\n\n{rendering.LEGEND}")

    def measured(self, width: int = rendering.WIDTH) -> Words:
        """Return the rows that ``stable`` leaves out."""
        return Words(self._grid([row for row in self.features if row.measured], width))

    def _grid(self, rows: Sequence[Row], width: int) -> str:
        """Return blocks of as many servers as fit beside the features."""
        heads = [short(each) for each in self.servers]
        body = [(row.name, self._words(row)) for row in rows]
        return rendering.blocks("feature", heads, body, width)

    def _words(self, row: Row) -> list[str]:
        return [self._shown(server, row) for server in self.servers]

    def _shown(self, server: Column, row: Row) -> str:
        cell = self.cells.get((server.name, row.name))
        return rendering.signed(mark(cell), cell.said) if cell is not None else ""

    def troubles(self) -> list[str]:
        """Return a line for everything that could not be found out, one for each reason."""
        reasons: dict[tuple[str, str], list[str]] = {}
        for cell in self.failed:
            reasons.setdefault((cell.server, cell.problem), []).append(cell.feature)
        lines = []
        for (server, problem), features in reasons.items():
            what = features[0] if len(features) == 1 else f"{len(features)} features"
            lines.append(f"! {server}, {what}: {problem}")
        return lines + [f"! {note}" for note in self.notes]

    def why(self, feature: str, server: str = "") -> Words:
        """Return the question, where its answer is specified, and the evidence of each server."""
        row = self._feature(feature)
        wanted = [self._server(server)] if server else self.servers
        lines = [f"{row.name}: {row.question}", f"Source: {row.source}"]
        size = max(len(each.title) for each in wanted)
        for each in wanted:
            if (cell := self.cells.get((each.name, row.name))) is not None:
                lines += evidence(each.title.ljust(size), cell)
        return Words("\n".join(lines))

    # ------------------------------------------------------------ in other forms

    def picture(self) -> Picture:
        """Draw the table, in blocks of servers one below the other."""
        return rendering.FewColours(lambda: rendering.draw(self._parts()), self.text(), self.alt())

    def alt(self) -> str:
        """Say in words what the picture shows, for who does not see it."""
        counts = []
        for each in self.servers:
            cells = [cell for cell in self._ordered() if cell.server == each.name]
            there = sum(mark(cell) == "+" for cell in cells)
            asked = sum(mark(cell) in "+-" and bool(mark(cell)) for cell in cells)
            counts.append(f"{each.title} has {there} of {asked}")
        return (
            f"{self.title}: {len(self.features)} features of {len(self.servers)} servers, with a "
            f"sign and a word in each cell. {'; '.join(counts)}."
        )

    def _parts(self) -> rendering.Parts:
        body = [
            (row.name, [(self._sign(server, row), self._said(server, row))
                        for server in self.servers])
            for row in self.features
        ]  # fmt: skip
        heads = [(each.title, each.version) for each in self.servers]
        return rendering.Parts(self.title, self.stamp, heads, body)

    def _sign(self, server: Column, row: Row) -> str:
        cell = self.cells.get((server.name, row.name))
        return mark(cell) if cell is not None else ""

    def _said(self, server: Column, row: Row) -> str:
        cell = self.cells.get((server.name, row.name))
        return cell.said if cell is not None else ""

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.picture()._repr_mimebundle_()

    def html(self) -> str:
        """Return a plain HTML table; the evidence is the tooltip of its cell."""
        return rendering.html(self._parts(), self._evidence(), self.troubles())

    def _evidence(self) -> list[list[str]]:
        found = []
        for row in self.features:
            cells = [self.cells.get((each.name, row.name)) for each in self.servers]
            found.append([c.problem or c.seen if c is not None else "" for c in cells])
        return found

    def markdown(self) -> str:
        """Return a section of Markdown: the table, and below it every question with its source."""
        questions = [(row.name, row.question, row.source) for row in self.features]
        return rendering.markdown(self._parts(), questions, self.troubles())

    def json(self) -> dict[str, Any]:
        """Return everything as plain data, with all evidence."""
        return {
            "format": FORMAT, "schema": SCHEMA, "interface": self.interface,
            "date": self.date, "python": self.python, "system": self.system,
            "seconds": round(self.seconds, 1),
            "servers": [vars(each) for each in self.servers],
            "features": [vars(each) for each in self.features],
            "cells": [{**vars(cell), "seconds": self._took(cell)} for cell in self._ordered()],
            "notes": self.notes,
        }  # fmt: skip

    def _took(self, cell: Cell) -> float:
        return round(self.took.get((cell.server, cell.feature), 0.0), 2)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FeatureTable:
        """Return the table that ``json`` has written; raise ValueError for anything else."""
        if data.get("format") != FORMAT or data.get("schema") != SCHEMA:
            raise ValueError(f"no table of the ecosystem of schema {SCHEMA}")
        took = {(each["server"], each["feature"]): each["seconds"] for each in data["cells"]}
        kinds = [each.name for each in fields(Cell)]
        cells = [Cell(**{kind: each[kind] for kind in kinds}) for each in data["cells"]]
        return cls(
            data["interface"], [Column(**each) for each in data["servers"]],
            [Row(**each) for each in data["features"]],
            {(cell.server, cell.feature): cell for cell in cells},
            list(data["notes"]), data["seconds"], took,
            data["date"], data["python"], data["system"],
        )  # fmt: skip

    def changes(self, old: FeatureTable) -> list[str]:
        """Return what is new since an older table: versions, and what a cell says.

        Measured rows and cells that one of the two could not fill are left out.
        """
        lines = []
        before = {each.name: each for each in old.servers}
        measured = {row.name for row in self.features if row.measured}
        for each in self.servers:
            was = before.get(each.name)
            if was is not None and was.version != each.version:
                lines.append(f"{each.title}: {was.version or 'missing'} → "
                             f"{each.version or 'missing'}")  # fmt: skip
        for cell in self._ordered():
            past = old.cells.get((cell.server, cell.feature))
            if past is None or cell.feature in measured or "!" in (mark(cell), mark(past)):
                continue
            if (past.said, past.good) != (cell.said, cell.good):
                lines.append(f"{cell.server}, {cell.feature}: {past.said} → {cell.said}")
        return lines


# --- cells ------------------------------------------------------------------------------------


def mark(cell: Cell) -> str:
    """Return the sign of a cell: ``+``, ``-``, ``!``, or "" where that is no question."""
    if cell.said in (FAILED, MISSING, LEFT_OUT):
        return "!"
    return {True: "+", False: "-", None: ""}[cell.good]


def short(server: Column) -> str:
    """Return the head of a column: the name by which commands know the server."""
    return server.name


def evidence(title: str, cell: Cell) -> list[str]:
    """Return the lines that tell what was seen behind a cell."""
    line = f"  {title}  {rendering.signed(mark(cell), cell.said)}"
    more = [f"{' ' * (len(title) + 6)}{text}" for text in (cell.seen, cell.problem) if text]
    return [line, *more]


# --- asking -----------------------------------------------------------------------------------


def feature_table(
    interface: str,
    servers: Sequence[str | RealServer] = (),
    features: Sequence[str | Feature] = (),
    bounds: Bounds = USUAL,
    heard: Heard = lambda cell, done, of: None,
) -> FeatureTable:
    """Probe the servers of an interface, or some of them, and return the table.

    Servers and features may be named or given.  Raise LookupError for a name that there is none of.
    """
    columns = [server_of(each, interface) for each in servers] or servers_of(interface)
    named = [each for each in features if isinstance(each, str)]
    rows = [each for each in features if isinstance(each, Feature)]
    if named or not rows:
        rows = features_of(interface, named) + rows
    (table,) = feature_tables({interface: (columns, rows)}, bounds, heard)
    return table


def feature_tables(
    wanted: Mapping[str, tuple[Sequence[RealServer], Sequence[Feature]]],
    bounds: Bounds = USUAL,
    heard: Heard = lambda cell, done, of: None,
) -> list[FeatureTable]:
    """Probe the servers of several interfaces in one go, and return a table for each."""
    servers = [each for columns, _ in wanted.values() for each in columns]
    features = list(dict.fromkeys(row for _, rows in wanted.values() for row in rows))
    found = probing(servers, features, bounds, heard)
    date = rendering.today()
    tables = []
    for interface, (columns, rows) in wanted.items():
        names = {each.name for each in columns}
        cells = {(each.server, each.feature): each for each in found.cells if each.server in names}
        notes = [f"{name}: {text}" for name, text in found.notes if name in names]
        tables.append(FeatureTable(
            interface, [Column.of(each) for each in columns], [Row.of(each) for each in rows],
            cells, notes, found.seconds, found.took,
            date, rendering.PYTHON, rendering.SYSTEM,
        ))  # fmt: skip
    return tables


def server_of(server: str | RealServer, interface: str) -> RealServer:
    """Return a server by its name; raise LookupError with the names that there are."""
    if isinstance(server, RealServer):
        return server
    known = {each.name: each for each in servers_of(interface)}
    if server not in known:
        kind = f" of {interface.upper()}" if server in SERVERS else ""
        raise LookupError(f"no server {server!r}{kind}: there are {', '.join(known)}")
    return known[server]
