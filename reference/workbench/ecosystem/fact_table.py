"""What is plainly known of servers and frameworks, as a table: nothing in it was probed.

print(fact_table(["gunicorn", "flask"]))
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import rendering
from .facts import FACTS, Fact, fact_of

TITLE = "Plain facts, not probed"
HEADS = ("version", "licence", "written in", "concurrency")


class FactTable:
    """A row for each server or framework; ``facts.describe`` tells more of one."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self.facts = list(facts)

    def __repr__(self) -> str:
        return self.text()

    def text(self, width: int = rendering.WIDTH) -> str:
        """Return the table in lines of at most ``width`` characters."""
        left = max((len(each.title) for each in self.facts), default=0)
        lines = [TITLE, ""]
        for each in self.facts:
            words = "; ".join(word for word in self._cells(each) if word)
            lines += rendering.beside(each.title.ljust(left), words, width)
        return "\n".join(lines)

    def _cells(self, fact: Fact) -> list[str]:
        return [fact.version or "not installed", fact.licence, fact.language, fact.concurrency]

    def markdown(self) -> str:
        """Return a section of Markdown, with a link to each home."""
        rows = [[f"[{each.title}]({each.home})", *self._cells(each)] for each in self.facts]
        table = rendering.md_table(["", *HEADS], rows)
        return "\n".join([f"## {TITLE}", "", *table]) + "\n"

    def json(self) -> dict[str, Any]:
        """Return all facts as plain data, by name."""
        return {
            each.name: {
                "title": each.title, "version": each.version, "what": each.what,
                "licence": each.licence, "language": each.language,
                "concurrency": each.concurrency, "home": each.home,
                "since": each.since[0] if each.since else None,
                "notes": list(each.notes), "reading": [link for link, _ in each.links],
            }
            for each in self.facts
        }  # fmt: skip


def fact_table(names: Iterable[str] = ()) -> FactTable:
    """Return what is known of some servers and frameworks, each once, or of all.

    Ours are left out.  Raise LookupError for a name that nothing is known of.
    """
    wanted = [name for name in names if not name.startswith("ours")]
    found = [fact_of(name) for name in wanted] if wanted else list(FACTS.values())
    return FactTable({each.name: each for each in found}.values())
