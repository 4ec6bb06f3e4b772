"""The way that an engine takes through its tables, event by event, for printing and for drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from handmade import http1
from handmade.events import NEED_DATA, PAUSED, Closed, End, Limits, PeerError, Response
from handmade.http1_states import Reading, Writing
from workbench.wire_dump import visible


@dataclass(frozen=True)
class Step:
    """What happened, and the states after it."""

    what: str
    reading: Reading | None
    writing: Writing | None


class Trace:
    """The steps of an engine through its tables."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = list(steps)

    @property
    def reading(self) -> list[Reading]:
        """The request's states, each once per visit: for ``draw(READING, lit=...)``."""
        return _visits([step.reading for step in self.steps])

    @property
    def writing(self) -> list[Writing]:
        """The response's states, each once per visit: for ``draw(WRITING, lit=...)``."""
        return _visits([step.writing for step in self.steps])

    def __repr__(self) -> str:
        width = max([len(step.what) for step in self.steps] + [10]) + 2
        lines = [f"{'':{width}}reading  writing"]
        for step in self.steps:
            reading = step.reading.name if step.reading else "-"
            writing = step.writing.name if step.writing else "-"
            lines.append(f"{step.what:{width}}{reading:9}{writing}")
        return "\n".join(lines)


def _visits(states: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for state in states:
        if state is not None and (not found or found[-1] is not state):
            found.append(state)
    return found


def trace(
    engine: Any = None,
    raw: bytes | Sequence[bytes] = b"",
    *,
    answer: bool = True,
    half_close: bool = False,
) -> Trace:
    """Feed an engine, or a new one of a class, and record its states after each event.

    With ``answer`` each request is answered by a short 200, so that a pipelined one can follow. An
    engine that keeps its states elsewhere, such as h11's, shows a dash for them.
    """
    engine = http1.Connection if engine is None else engine
    engine = engine(Limits()) if isinstance(engine, type) else engine
    steps = [_step("at first", engine)]
    pieces = [raw] if isinstance(raw, bytes) else list(raw)
    for piece in [*pieces, *([b""] if half_close else [])]:
        engine.receive(piece)
        steps.append(_step(f"receive {_short(piece)}", engine))
        _follow(engine, steps, answer)
    return Trace(steps)


def _follow(engine: Any, steps: list[Step], answer: bool) -> None:
    """Ask for events until there is none, or none that we may pass."""
    while True:
        try:
            event = engine.next_event()
        except PeerError as error:
            steps.append(_step(f"  PeerError {error.status}", engine))
            return
        name = event.name if isinstance(event, Enum) else type(event).__name__
        steps.append(_step(f"  {name}", engine))
        if event is NEED_DATA or isinstance(event, Closed):
            return
        if event is PAUSED:
            if not answer or engine.must_close or not engine.owes_response:
                return
            for reply in (Response(200, ((b"content-length", b"0"),)), End()):
                engine.send(reply)
                steps.append(_step(f"  send {type(reply).__name__}", engine))


def _step(what: str, engine: Any) -> Step:
    return Step(what, getattr(engine, "reading", None), getattr(engine, "writing", None))


def _short(data: bytes) -> str:
    text = visible(data)
    return repr(data) if not data else text if len(text) <= 40 else text[:39] + "…"
