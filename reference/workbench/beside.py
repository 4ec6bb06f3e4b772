"""The same request through WSGI and through ASGI, side by side: what each application is told.

Two X-rays come in, of a WSGI application and of an ASGI one; out comes one picture with the gateway
in the middle.  Rows that mean the same stand together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from workbench.lanes import Happening, swimlanes
from workbench.picture import Picture

LEFT, MIDDLE, RIGHT = "WSGI application", "gateway", "ASGI application"
# The stages of a response, in order, by the labels that both X-rays have for them.
STAGES = (
    ("call",),
    ("read", "read1", "readline", "readlines", "input", "receive", "request"),
    ("start_response", "response.start"),
    ("write", "next", "yield", "response.body"),
    ("StopIteration", "disconnect", "close", "return", "raise"),
)


class Rows(Protocol):
    """What has rows: an X-ray."""

    rows: list[Happening]


def beside(wsgi: Rows, asgi: Rows, title: str = "") -> Picture:
    """Draw what a gateway and two applications say to each other, stage by stage."""
    both = _told(wsgi, LEFT), _told(asgi, RIGHT)
    rows = [row for number in range(len(STAGES)) for part in both for row in part[number]]
    return swimlanes((LEFT, MIDDLE, RIGHT), rows, title=title)


def _told(x: Rows, lane: str) -> list[list[Happening]]:
    """Return an application's own rows by stage; who waits, and for whom, is left out."""
    stages: list[list[Happening]] = [[] for _ in STAGES]
    now = 0
    for row in x.rows:
        if "application" in (row.source, row.target) and row.source != row.target:
            now = max(now, _stage(row))
            names = {"application": lane, "gateway": MIDDLE}
            row = replace(row, source=names[row.source], target=names[row.target], holder="")
            stages[now].append(row)
    return stages


def _stage(row: Happening) -> int:
    """Return the stage of a row; what a WSGI application returns is the content of the answer."""
    if row.label == "return" and row.detail:
        return 3
    found: Sequence[int] = [number for number, names in enumerate(STAGES) if row.label in names]
    return found[0] if found else 0
