"""How a check speaks WebSocket: handshakes and frames as raw bytes, and what fails a connection.

A server that does not answer the plainest handshake with 101 does not speak WebSocket: that is one
finding, and no check of the group is asked of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from workbench.contracts.asgi_websocket_client import (
    ACCEPTED,
    BINARY,
    CLOSE,
    KEY,
    PING,
    PONG,
    TEXT,
    Frame,
    Talk,
    closing,
    frame,
    handshake,
)

from .asking import Asking, Broken, Miss
from .spoken import where_spoken

CONTINUES = 0x0
KINDS = {0: "continuation", TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping",
         PONG: "pong"}  # fmt: skip
HELLO = frame(TEXT, b"Hello")

__all__ = [
    "ACCEPTED", "BINARY", "CLOSE", "CONTINUES", "HELLO", "KEY", "PING", "PONG", "TEXT", "Socket",
    "ask_to_open", "closing", "fails", "frame", "handshake", "opened", "refuses", "ws",
]  # fmt: skip

Run = Callable[[Any], None]


def _ask(it: Asking) -> str:
    """Return "" if the plainest handshake is answered with 101."""
    answer = it.ask(handshake("/echo"), whole=False)
    return "" if answer.status == 101 else f"the answer is {answer.status}"


ws = where_spoken("websocket", 12, _ask)
"""Register a check that is asked where WebSocket is spoken; an echo at /echo is enough for it."""


class Socket(Talk):
    """A WebSocket that is open; what is wrong is told with what was sent behind the handshake."""

    def __init__(self, wire: Any, handed: int) -> None:
        super().__init__(wire)
        self._handed = handed

    @property
    def sent(self) -> bytes:
        """All frames that were sent."""
        return bytes(self.wire.sent[self._handed :])

    def put(self, *frames: bytes) -> Socket:
        """Send frames."""
        self.wire.send(b"".join(frames))
        return self

    def hear(self, what: str = "a frame") -> Frame:
        """Read one frame, as it is."""
        try:
            return super().hear(what)
        except Broken as broken:
            raise Miss(broken.problem, sent=self.sent, got=broken.got) from None

    def message(self, what: str = "a message") -> tuple[int, bytes, int]:  # type: ignore[override]
        """Read a message, however it is cut; return opcode, payload and the first reserved bits."""
        while (first := self.hear(what)).opcode in (PING, PONG):
            pass
        if first.opcode == CLOSE:
            raise Miss(f"the server closed with {first.code} {first.payload[2:]!r} before {what}",
                       sent=self.sent, got=first.payload)  # fmt: skip
        payload, piece = first.payload, first
        while not piece.last:
            if (piece := self.hear(what)).opcode == CONTINUES:
                payload += piece.payload
        return first.opcode, payload, first.reserved

    def gives(self, opcode: int, payload: bytes, what: str = "the echo") -> None:
        """Demand a message."""
        got = self.message(what)
        if got[:2] != (opcode, payload):
            raise Miss(
                f"{what}: wanted {KINDS[opcode]}, {len(payload)} bytes; "
                f"came {KINDS.get(got[0], got[0])}, {len(got[1])} bytes",
                sent=self.sent, got=got[1], wanted=payload,
            )  # fmt: skip

    def told(self, what: str = "what the probe tells") -> Any:
        """Read a message of JSON."""
        return json.loads(self.message(what)[1])

    def pong(self, data: bytes) -> None:
        """Demand a pong."""
        while (got := self.hear("the pong")).opcode == PING:
            pass
        if (got.opcode, got.payload) != (PONG, data):
            raise Miss(f"wanted a pong, came {KINDS.get(got.opcode, got.opcode)}", sent=self.sent,
                       got=got.payload, wanted=data)  # fmt: skip

    def is_over(self, what: str) -> Frame | None:
        """Demand the end: a close frame, which is returned, or that of the connection, None."""
        while True:
            if not self.wire.buf and not self._any(what):
                return None
            try:
                got = self.hear(what)
            except Broken:
                if self.wire.ended:
                    return None
                raise
            if got.opcode == CLOSE:
                return got
            if got.opcode not in (PING, PONG):
                raise Miss(f"the server goes on: {KINDS.get(got.opcode, got.opcode)}; wanted its "
                           f"close: {what}", sent=self.sent, got=got.payload, at=0)  # fmt: skip

    def _any(self, what: str) -> bool:
        try:
            return self.wire.until_any()
        except Broken:
            problem = f"still waiting for a close frame, or the end, after {self.wire.patience:g} s"
            raise Miss(f"{problem}: {what}", sent=self.sent, got=b"") from None


def ask_to_open(it: Asking, sent: bytes, *, beside: bool = False) -> Socket:
    """Send a handshake, and demand a 101; what was opened before is closed, or stays ``beside``."""
    if not beside:
        it.alone()
    talk = Socket(it.connect(), len(sent))
    answer = talk.begin(sent)
    if answer.status != 101:
        raise Miss(f"wanted 101, and the answer is {answer.status}", sent=sent, got=answer.head,
                   at=9)  # fmt: skip
    return talk


def opened(it: Asking, target: str = "/echo", *fields: str, beside: bool = False) -> Socket:
    """Return an open WebSocket; see ``ask_to_open``."""
    return ask_to_open(it, handshake(target, *fields), beside=beside)


def fails(
    it: Asking, *frames: bytes, why: str, codes: tuple[int, ...] = (), at: int | None = None,
    fields: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """Demand that a connection is failed for these frames, and none of them is echoed.

    RFC 6455 §7.1.7: a close frame tells why, or the connection just ends.  ``codes`` are those that
    it may tell, none for any; ``at`` is the byte of the frames that is wrong.
    """
    talk = opened(it, "/echo", *fields)
    talk.put(HELLO).message("the echo of what is right, before what is wrong")
    begin = len(talk.sent)
    talk.put(*frames)
    try:
        last = talk.is_over(why)
    except Miss as miss:
        miss.suspect = None if at is None else begin + at
        raise
    if last is not None and codes and last.code not in codes:
        wanted = " or ".join(map(str, codes))
        raise Miss(f"wanted the code {wanted}, came {last.code}: {why}", sent=talk.sent,
                   got=last.payload, at=0)  # fmt: skip


def refuses(it: Asking, sent: bytes, why: str, suspect: bytes = b"", *fields: str) -> None:
    """Demand that a handshake is not accepted, and, of an error, these fields."""
    it.alone()
    wire = it.connect().send(sent)
    if not wire.until_any():
        return
    answer = wire.response(whole=False)
    if answer.status == 101:
        raise Miss(why, sent=sent, got=answer.head, suspect=suspect, at=9)
    for name in fields:
        if not answer.values(name):
            raise Miss(f"the answer {answer.status} has no {name}", sent=sent, got=answer.head)
