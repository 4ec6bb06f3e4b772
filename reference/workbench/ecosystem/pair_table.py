"""The pairs of servers and frameworks as a table: which serve the board, and what failed.

    table = pair_table(["gunicorn", "uvicorn"])
    print(table)

What is said to a pair stands in ``pairs`` and ``conversation``; here it is only laid out.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, cast

from workbench.picture import Picture

from . import rendering
from .pairs import FRAMEWORKS, Conversation, Pair, converse_all, pairs, thinkable

NOT_ALLOWED = "needs asyncio"
TITLE = "The same board: every framework on every server of its interface"


@dataclass
class PairTable:
    """Servers one below the other, a column for each framework."""

    conversations: list[Conversation]
    impossible: list[Pair]
    date: str = ""
    python: str = ""
    system: str = ""

    def __repr__(self) -> str:
        return self.text()

    @property
    def failed(self) -> list[Conversation]:
        """The pairs of servers that are there, and that do not serve the whole board."""
        return [
            each
            for each in self.conversations
            if not each.good and not each.pair.server.missing
        ]  # fmt: skip

    @property
    def count(self) -> str:
        """How many pairs serve the board, of how many."""
        good = sum(each.good for each in self.conversations)
        return f"{good} of {len(self.conversations)} pairs"

    def text(self, width: int = rendering.WIDTH) -> str:
        """Return the table in lines of at most ``width`` characters, and what went wrong."""
        lines = [TITLE, self.stamp, ""]
        for parts in self._parts():
            heads = [f"{title} {version}".strip() for title, version in parts.heads]
            body = [(name, [rendering.signed(*c) for c in cells]) for name, cells in parts.rows]
            lines += [rendering.blocks(parts.title, heads, body, width), ""]
        return "\n".join([*lines, self.count, *rendering.wrapped(self.troubles(), width)])

    def troubles(self) -> list[str]:
        """Return a line for each pair that failed, and for each that cannot be."""
        lines = [
            f"! {each.pair.name}: {each.first}{f'; its log ends: {each.log}' if each.log else ''}"
            for each in self.conversations
            if not each.good
        ]  # fmt: skip
        never = [f"{each.title}: {each.why_not}" for each in self.impossible]
        return lines + never

    @property
    def stamp(self) -> str:
        """When and on what it was asked."""
        return rendering.stamp(self.date, self.python, self.system)

    def _parts(self) -> list[rendering.Parts]:
        """Return a part for each interface, with the frameworks that speak it."""
        cells: dict[tuple[str, str], tuple[str, str]] = {}
        for each in self.conversations:
            sign = "+" if each.good else "!"
            cells[each.pair.server.name, each.pair.framework.name] = (sign, each.said)
        for pair in self.impossible:
            cells[pair.server.name, pair.framework.name] = ("-", NOT_ALLOWED)
        spoken = [*[each.pair for each in self.conversations], *self.impossible]
        kinds = dict.fromkeys(pair.server.interface for pair in spoken)
        return [self._part(kind, cells, [each for each in spoken if each.server.interface == kind])
                for kind in kinds]  # fmt: skip

    def _part(
        self, interface: str, cells: dict[tuple[str, str], tuple[str, str]], spoken: list[Pair]
    ) -> rendering.Parts:
        frameworks = [each for each in FRAMEWORKS.values()
                      if any(pair.framework is each for pair in spoken)]  # fmt: skip
        servers = {pair.server.name: pair.server.title for pair in spoken}
        heads = [(each.title, version_of(each.package)) for each in frameworks]
        rows = [(title, [cells.get((name, each.name), ("", "")) for each in frameworks])
                for name, title in servers.items()]  # fmt: skip
        good = [each.good for each in self.conversations if each.pair in spoken]
        count = f"{sum(good)} of {len(good)} pairs"
        return rendering.Parts(interface.upper(), self.stamp, heads, rows, count, "server")

    def picture(self) -> Picture:
        """Draw the table."""
        alt = f"{TITLE}: {self.count} hold every step of the conversation."
        return rendering.FewColours(lambda: rendering.draw(*self._parts()), self.text(), alt)

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.picture()._repr_mimebundle_()

    def markdown(self) -> str:
        """Return a section of Markdown."""
        sections = [rendering.markdown(parts, [], []) for parts in self._parts()]
        troubles = [f"* {rendering.bar_free(line)}" for line in self.troubles()]
        return "\n".join([f"## {TITLE}\n", *sections, *troubles]) + "\n"

    def json(self) -> dict[str, Any]:
        """Return everything as plain data, with what was seen in each step."""
        return {
            "date": self.date, "python": self.python, "system": self.system, "count": self.count,
            "frameworks": {each.name: version_of(each.package) for each in FRAMEWORKS.values()},
            "pairs": [
                {"server": each.pair.server.name, "framework": each.pair.framework.name,
                 "interface": each.pair.server.interface, "good": each.good, "said": each.said,
                 "first": each.first, "log": each.log, "seconds": round(each.seconds, 1),
                 "steps": [vars(step) for step in each.steps]}
                for each in self.conversations
            ],
            "impossible": {pair.name: pair.why_not for pair in self.impossible},
        }  # fmt: skip


def pair_table(
    servers: Iterable[str] = (),
    heard: Callable[[str, int, int], None] = lambda words, done, of: None,
) -> PairTable:
    """Speak to every pair of some servers, or of all, and return the table.

    ``heard`` is told of each, how many there have been, and of how many.
    """
    names = list(servers)
    wanted = pairs(names)
    found = []
    # A generator: what is not begun yet is never begun once it is closed.
    with closing(cast(Generator[Conversation, None, None], converse_all(wanted))) as all_of_them:
        for conversation in all_of_them:
            found.append(conversation)
            heard(f"{conversation.pair.title}: {conversation.said}", len(found), len(wanted))
    never = [each for each in thinkable()
             if each.why_not and (not names or each.server.name in names)]  # fmt: skip
    return PairTable(found, never, rendering.today(), rendering.PYTHON, rendering.SYSTEM)


def version_of(package: str) -> str:
    """Return the version of an installed distribution, "" for none."""
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return ""
