"""What the cases of the WebSocket contract share: frames made by hand, and how they are fed.

The frames are made here and not by the reference, so that no mistake can be on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from handmade import websocket, websocket_deflate, websocket_handshake
from handmade.events import OurError, ProtocolError
from handmade.websocket import NEED_DATA, Closed, Event, WebSocketError

from . import Broken

MASK = bytes.fromhex("37fa213d")  # that of RFC 6455 §5.7
HELLO = bytes.fromhex("81 85 37fa213d 7f9f4d5158")  # and its masked "Hello"


@dataclass(frozen=True, slots=True)
class Surface:
    """Hold what is judged, by the names that the reference has for it."""

    Connection: Callable[..., Any] = websocket.Connection
    is_upgrade: Callable[..., bool] = websocket_handshake.is_upgrade
    read_handshake: Callable[..., Any] = websocket_handshake.read_handshake
    accept_key: Callable[[bytes], bytes] = websocket_handshake.accept_key
    accept_fields: Callable[..., Any] = websocket_handshake.accept_fields
    negotiate: Callable[..., Any] = websocket_deflate.negotiate


def plain(first: int, payload: bytes = b"") -> bytes:
    """Return a frame as a server sends it.

    >>> plain(0x81, b"Hello").hex(" ")
    '81 05 48 65 6c 6c 6f'
    """
    return bytes([first]) + _length(len(payload), 0) + payload


def masked(first: int, payload: bytes = b"", mask: bytes = MASK) -> bytes:
    """Return a frame as a client sends it.

    >>> masked(0x81, b"Hello") == HELLO
    True
    """
    return bytes([first]) + _length(len(payload), 0x80) + mask + turned(payload, mask)


def _length(size: int, bit: int) -> bytes:
    if size < 126:
        return bytes([bit | size])
    if size < 65536:
        return bytes([bit | 126]) + size.to_bytes(2, "big")
    return bytes([bit | 127]) + size.to_bytes(8, "big")


def turned(payload: bytes, mask: bytes) -> bytes:
    """Return a payload with its mask put on or undone, byte by byte."""
    return bytes([byte ^ mask[place % 4] for place, byte in enumerate(payload)])


def payload_of(raw: bytes) -> bytes:
    """Return the payload of one frame of a server's."""
    if len(raw) < 2:
        raise Broken("this is no frame", got=raw)
    return raw[{126: 4, 127: 10}.get(raw[1], 2) :]


def bytewise(raw: bytes) -> list[bytes]:
    """Return ``raw`` in pieces of one byte."""
    return cut_up(raw, 1)


def cut_up(raw: bytes, size: int) -> list[bytes]:
    """Return ``raw`` in pieces of ``size`` bytes."""
    return [raw[at : at + size] for at in range(0, len(raw), size)]


def read(
    connection: Any, raw: bytes | Iterable[bytes], *, eof: bool = False
) -> tuple[list[Event], WebSocketError | None]:
    """Feed bytes, whole or in pieces; return the events, and the error that ended them, if any."""
    pieces = [raw] if isinstance(raw, bytes) else list(raw)
    events: list[Event] = []
    sent = b"".join(pieces)
    try:
        for piece in [*filter(None, pieces), *([b""] if eof else [])]:
            connection.receive(piece)
            _read_what_is_here(connection, sent, events)
    except WebSocketError as error:
        return events, error
    return events, None


def _read_what_is_here(connection: Any, sent: bytes, events: list[Event]) -> None:
    for _ in range(len(sent) + 10):
        event = next_event(connection, sent)
        if event is NEED_DATA:
            return
        if isinstance(event, Closed):
            if not (events and isinstance(events[-1], Closed)):
                events.append(event)
            return
        events.append(event)
    raise Broken("next_event never says NEED_DATA: a server would spin", sent=sent)


def next_event(connection: Any, sent: bytes) -> Event:
    """Return the next event; whatever is raised but a ProtocolError is Broken."""
    try:
        event: Event = connection.next_event()
        return event
    except ProtocolError:
        raise
    except Exception as error:
        what = f"next_event raised {type(error).__name__} ({error}); a client can end your server"
        raise Broken(what, sent=sent) from error


def gets(connection: Any, raw: bytes | Iterable[bytes], *wanted: Event) -> None:
    """Demand that these bytes are these events, and no error."""
    raw = raw if isinstance(raw, bytes) else list(raw)
    events, error = read(connection, raw)
    sent = raw if isinstance(raw, bytes) else b"".join(raw)
    if error is not None:
        raise Broken(f"this was refused with {error}", sent=sent, got=events, wanted=[*wanted])
    if events != [*wanted]:
        raise Broken("these are other events", sent=sent, got=events, wanted=[*wanted])


def fails(
    connection: Any, raw: bytes | Iterable[bytes], code: int, *before: Event, why: str = ""
) -> None:
    """Demand that these bytes fail with ``code``, after the events ``before``."""
    raw = raw if isinstance(raw, bytes) else list(raw)
    events, error = read(connection, raw)
    sent = raw if isinstance(raw, bytes) else b"".join(raw)
    why = f": {why}" if why else ""
    if error is None:
        raise Broken(f"this must fail with {code}{why}", sent=sent, got=events, wanted=code)
    if error.code != code:
        raise Broken(f"the close code is wrong{why}", sent=sent, got=error.code, wanted=code)
    if events != [*before]:
        raise Broken("these events came before the error", sent=sent, got=events, wanted=[*before])


def same(problem: str, got: object, wanted: object, sent: bytes | None = None) -> None:
    """Raise Broken unless both are equal."""
    if got != wanted:
        raise Broken(problem, sent=sent, got=got, wanted=wanted)


def cannot(send: Callable[[], Any], what: str) -> None:
    """Demand that ``send`` raises OurError."""
    try:
        got = send()
    except OurError:
        return
    except Exception as error:
        raise Broken(f"{what} ended in {type(error).__name__}, not in OurError") from error
    raise Broken(f"{what} was written", got=got, wanted="OurError")


def written(send: Callable[[], bytes], what: str, wanted: bytes) -> None:
    """Demand that ``send`` returns these bytes; an OurError is Broken."""
    try:
        got = send()
    except OurError as error:
        raise Broken(f"{what} could not be sent: {error}", wanted=wanted) from error
    same(f"{what} is wrong", got, wanted)
