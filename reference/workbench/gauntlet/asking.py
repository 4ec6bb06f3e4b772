"""How a check asks: fresh connections, tokens, gates, and what the probe has noted.

Everything is bounded: each answer by the patience of two seconds, the whole check by its deadline.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from workbench.contracts import Broken
from workbench.contracts.wire import PATIENCE, Answer, Wire, request

from .model import Miss

LIMIT = 12.0  # seconds for a whole check
STEP = 0.02  # seconds between two looks at the probe's notes

__all__ = ["LIMIT", "PATIENCE", "Answer", "Asking", "Broken", "Live", "Miss", "Wire", "request"]


class Live(Protocol):
    """A server that runs; ``address`` is all that a check needs of most of them."""

    address: tuple[str, int]

    @property
    def alive(self) -> bool:
        """False when it has ended by itself."""

    def stop(self) -> None:
        """Tell it to stop, and return at once."""

    def ended_within(self, seconds: float) -> bool:
        """Wait for its end; tell whether it came."""

    @property
    def log(self) -> list[str]:
        """What it has said so far, line by line."""

    def words(self) -> str:
        """Return the last of it."""


class BoundedWire(Wire):
    """A connection whose acts of reading end with the check that they belong to."""

    def __init__(self, address: tuple[str, int], patience: float, end: float) -> None:
        self._end = end
        self.finished = False
        super().__init__(address, max(0.05, min(patience, end - time.monotonic())))

    def response(self, *, head_only: bool = False, whole: bool = True) -> Answer:
        """Read one response, and note when it says that it is the last one."""
        answer = super().response(head_only=head_only, whole=whole)
        self.finished = "close" in dict(answer.fields).get("connection", "").lower()
        return answer

    def _begin(self) -> None:
        super()._begin()
        self._deadline = min(self._deadline, self._end)


class Asking:
    """One check's view of one server."""

    def __init__(
        self,
        live: Live,
        interface: str,
        folder: str,
        own: Callable[..., AbstractContextManager[Live]] | None = None,
        known: dict[str, str] | None = None,
    ) -> None:
        self.live = live
        self.known = {} if known is None else known
        """What one check has found out about the server, for the others."""
        self.interface = interface
        self.patience = PATIENCE
        self._folder = Path(folder)
        self._own = own
        self._wires: list[BoundedWire] = []
        self.begin()

    def begin(self) -> None:
        """Start the clock of a check: from now on it has ``LIMIT`` seconds."""
        self._end = time.monotonic() + LIMIT

    def close(self) -> None:
        """Close all that the check has opened."""
        for wire in self._wires:
            wire.close()

    def alone(self) -> None:
        """Close what the check has opened: a server in a cell serves one client at a time."""
        for wire in self._wires:
            wire.close()
        self._wires.clear()

    def cut(self) -> None:
        """Shut every connection down, so that a thread which waits for one goes on."""
        for wire in list(self._wires):
            with suppress(OSError):
                wire.socket.shutdown(socket.SHUT_RDWR)

    # ------------------------------------------------------------ connections

    def connect(self, live: Live | None = None) -> Wire:
        """Return a fresh connection, which is closed when the check is over."""
        self._tidy()
        wire = BoundedWire((live or self.live).address, self.patience, self._end)
        self._wires.append(wire)
        return wire

    def _tidy(self) -> None:
        """Close the connections that have had their last answer: some servers wait for that."""
        for wire in self._wires:
            if wire.ended or wire.finished:
                wire.close()

    def ask(self, sent: bytes, *, whole: bool = True) -> Answer:
        """Send a request on a connection of its own; return the answer."""
        self._tidy()
        with BoundedWire(self.live.address, self.patience, self._end) as wire:
            wire.send(sent)
            return wire.response(head_only=sent.startswith(b"HEAD "), whole=whole)

    def facts(self, *fields: str, target: str = "/facts", **how: Any) -> dict[str, Any]:
        """Return what the probe was given for a request, as it tells it."""
        found: dict[str, Any] = self.told(request(target, *fields, **how))
        return found

    def told(self, sent: bytes) -> Any:
        """Return the JSON that the probe answers with."""
        return self.read(self.ask(sent), sent)

    def read(self, answer: Answer, sent: bytes | None = None) -> Any:
        """Return the JSON of an answer; raise Miss for another answer."""
        if answer.status != 200:
            raise Miss(
                f"the request should reach the application, and the answer is {answer.status}",
                sent=sent, got=answer.head, at=9,
            )  # fmt: skip
        return json.loads(answer.body)

    def must_close(self, wire: Wire, sent: bytes, why: str) -> None:
        """Demand the end of a connection: no later request on it is answered."""
        wire.send(request("/ok?say=later"))
        try:
            if not wire.until_any():
                return
            answer = wire.response(whole=False)
        except Broken as broken:
            raise Miss(f"{broken.problem}: it should end, {why}", sent=sent) from None
        problem = f"the next request on the connection was answered: it should end, {why}"
        raise Miss(problem, sent=sent, got=answer.head, at=0)

    # ------------------------------------------------------------ tokens, gates, notes

    def token(self) -> str:
        """Return a name that nobody else uses."""
        return f"t{uuid.uuid4().hex[:12]}"

    def open(self, token: str) -> None:
        """Open a gate: an application that waits for it goes on."""
        (self._folder / f"{token}.open").touch()

    def notes(self, token: str, live: Live | None = None) -> list[dict[str, Any]]:
        """Ask the probe, over a connection of its own, what it has noted under a token."""
        self._tidy()
        sent = request(f"/notes?token={token}", "Connection: close")
        with BoundedWire((live or self.live).address, self.patience, self._end) as wire:
            noted: list[dict[str, Any]] = self.read(wire.send(sent).response(), sent)
        return noted

    def noted(
        self, token: str, key: str, what: str, sent: bytes | None = None, patience: float = 0.0
    ) -> Any:
        """Wait until the probe has noted ``key`` under a token; return the first value."""
        patience = patience or self.patience
        end = min(time.monotonic() + patience, self._end)
        while True:
            for each in self.notes(token):
                if key in each:
                    return each[key]
            if time.monotonic() > end:
                raise Miss(f"still waiting for {what} after {patience:g} s", sent=sent)
            time.sleep(STEP)

    def left_behind(self, token: str) -> list[dict[str, Any]]:
        """Return the notes of a server that has ended, from the folder that it wrote them to."""
        try:
            lines = (self._folder / f"{token}.notes").read_text("ascii").splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    # ------------------------------------------------------------ a server for this check alone

    @contextmanager
    def own(self, app: str = "", **env: str) -> Iterator[Live]:
        """Start a server for this check alone, with another application of the probe."""
        if self._own is None:
            raise LookupError("this server cannot be started for a check alone")
        with self._own(app, env) as live:
            yield live

    # ------------------------------------------------------------ what many checks demand

    def refused(
        self, sent: bytes, *statuses: int, suspect: bytes = b"", closes: bool = True, why: str = ""
    ) -> None:
        """Demand an error status, or the connection's end without a word, and no more answers.

        ``suspect`` is the part of ``sent`` that must not be let through.
        """
        wire = self.connect().send(sent)
        wanted = " or ".join(map(str, statuses))
        if not wire.until_any():
            if 0 in statuses:
                return
            raise Miss(f"wanted {wanted}; the server closed without a word", sent=sent, got=b"",
                       suspect=suspect)  # fmt: skip
        answer = wire.response(whole=False)
        if answer.status not in statuses:
            problem = f"wanted {wanted.removesuffix(' or 0')}, and the server answers "
            problem += f"{answer.status}{': ' + why if why else ''}"
            raise Miss(problem, sent=sent, got=answer.head, suspect=suspect, at=9)
        if closes:
            try:
                came = wire.closed("after a request that it could not read")
            except Broken as broken:
                raise Miss(broken.problem, sent=sent, got=answer.head, suspect=suspect) from None
            if came:
                raise Miss(
                    "more came behind the answer", sent=sent, got=came, suspect=suspect, at=0
                )


def same(got: object, wanted: object, problem: str, sent: bytes | None = None) -> None:
    """Raise Broken unless both are equal and of one type."""
    if got != wanted or type(got) is not type(wanted):
        raise Miss(problem, sent=sent, got=got, wanted=wanted)


def expect(
    condition: object, problem: str, sent: bytes | None = None, got: object = None, at: int = -1
) -> None:
    """Raise Broken unless ``condition`` is true."""
    if not condition:
        raise Miss(problem, sent=sent, got=got, at=None if at < 0 else at)


def folder_for_notes() -> str:
    """Return the folder of the probe that runs in this very process."""
    from . import probe

    if not probe.FOLDER:
        probe.place("first")
    return os.fspath(probe.FOLDER)
