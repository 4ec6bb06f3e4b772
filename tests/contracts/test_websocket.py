"""Our WebSocket engine keeps its contract, and each bug that we can think of breaks a case of it.

A mutant is our engine with one bug, made by the smallest change that gives it to us.  The case that
is named beside it fails on the mutant and passes on the engine as it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from handmade import (
    websocket,
    websocket_deflate,
    websocket_frames,
    websocket_handshake,
    websocket_messages,
    websocket_receiving,
    websocket_states,
    websocket_zlib,
)
from handmade.events import NEED_DATA, Request
from handmade.websocket import Close, Event, Ping, WebSocketError, WebSocketLimits
from handmade.websocket_frames import FIN, MASKED, RSV1, Header
from handmade.websocket_states import Part, Receiving, Sending
from workbench.contracts import Broken, Case, cases, find
from workbench.contracts.websocket import PARTS, Surface, bytewise, cases_in

CASES = cases("websocket")


class ByteByByte:
    """Feed an engine a byte at a time, and read what each byte brings before the next."""

    def __init__(self, **more: Any) -> None:
        self.engine = websocket.Connection(**more)
        self.waiting: list[Event | WebSocketError] = []

    def receive(self, data: bytes) -> None:
        for piece in bytewise(data) or [b""]:
            self._read_ahead()
            self.engine.receive(piece)
        self._read_ahead()

    def _read_ahead(self) -> None:
        if self.waiting and isinstance(self.waiting[-1], WebSocketError | websocket.Closed):
            return
        try:
            while (event := self.engine.next_event()) is not NEED_DATA:
                self.waiting.append(event)
                if isinstance(event, websocket.Closed):
                    return
        except WebSocketError as error:
            self.waiting.append(error)

    def next_event(self) -> Event:
        if not self.waiting:
            return self.engine.next_event()
        event = self.waiting.pop(0)
        if isinstance(event, WebSocketError):
            raise event
        return event

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)


@pytest.mark.parametrize("each", CASES, ids=[f"{case.name} - {case.clause}" for case in CASES])
def test_contract(each: Case) -> None:
    """The case holds with bytes that come whole, and with bytes that come one by one."""
    each.run(Surface())
    if each.name != "a byte at a time":  # it does so itself, with many
        each.run(Surface(Connection=ByteByByte))


def test_the_contract_has_what_the_notebooks_name() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 80
    assert all(case.clause.startswith("RFC ") and case.sentence.endswith(".") for case in CASES)
    assert sum(len(cases_in(part)) for part in PARTS) == len(CASES)
    assert cases_in("reading", "text")[0].name == "a text message"


class Deaf:
    """An engine that never hears anything and has nothing to say: no case is content with it."""

    def __init__(self, **more: Any) -> None: ...

    def receive(self, data: bytes) -> None: ...

    def next_event(self) -> Event:
        return NEED_DATA

    def text(self, data: object = None, reason: object = None) -> bytes:
        return b""

    binary = ping = pong = close = text


def nothing(*args: Any, **more: Any) -> Any:
    return None


@pytest.mark.parametrize("each", CASES, ids=[case.name for case in CASES])
def test_no_case_is_kept_by_an_engine_that_does_nothing(each: Case) -> None:
    if each.name == "half a frame":
        return  # it says what must not happen
    with pytest.raises(Broken):
        each.run(Surface(Deaf, nothing, nothing, nothing, nothing, nothing))


def test_a_broken_case_shows_what_was_sent() -> None:
    with pytest.raises(Broken, match="these are other events") as error:
        find("websocket", "a text message").run(Surface(Connection=Deaf))
    assert r"sent:   b'\x81\x857\xfa!=\x7f\x9fMQX'" in str(error.value)


# ---------------------------------------------------------------- mutants


@dataclass(frozen=True)
class Mutant:
    """A bug, the case that finds it, and how we get it."""

    bug: str
    case: str
    change: Callable[..., Any]


MUTANTS: list[Mutant] = []
Patch = Callable[..., None]


def mutant(bug: str, case: str) -> Callable[[Callable[[Patch], None]], None]:
    """Note a mutant; its function is given ``patch(target, name, new)``."""

    def note(change: Callable[[Patch], None]) -> None:
        MUTANTS.append(Mutant(bug, case, change))

    return note


read_header = websocket_frames.read_header
read_close = websocket_frames.read_close
complete = websocket_receiving.Receiver._complete


def headers(patch: Patch, change: Callable[..., Any]) -> None:
    """Let ``change`` stand for read_header."""
    patch(websocket_receiving, "read_header", change)


@mutant("256 bytes arrive as 1", "the length of 16 bits")
def _(patch: Patch) -> None:
    patch(websocket_frames, "_read_length", lambda extended: int.from_bytes(extended, "little"))


@mutant("a length of 64 bits is read as one of 32", "the length of 64 bits")
def _(patch: Patch) -> None:
    patch(websocket_frames, "_read_length", lambda extended: int.from_bytes(extended[:4], "big"))


@mutant("unmasked frames are accepted", "unmasked frames")
def _(patch: Patch) -> None:
    def any_mask(data: bytes, at: int, *, masked: bool, rsv: int) -> Header | None:
        is_masked = len(data) < at + 2 or data[at + 1] >= MASKED
        return read_header(data, at, masked=is_masked, rsv=rsv)

    headers(patch, any_mask)


@mutant("a client takes masked frames", "a client refuses masks")
def _(patch: Patch) -> None:
    def any_mask(data: bytes, at: int, *, masked: bool, rsv: int) -> Header | None:
        is_masked = len(data) >= at + 2 and data[at + 1] >= MASKED
        return read_header(data, at, masked=is_masked, rsv=rsv)

    headers(patch, any_mask)


@mutant("reserved bits are ignored", "reserved bits")
def _(patch: Patch) -> None:
    headers(patch, lambda data, at, *, masked, rsv: read_header(data, at, masked=masked, rsv=0x70))


@mutant("reserved opcodes are pongs", "reserved opcodes")
def _(patch: Patch) -> None:
    table = {FIN | opcode: Part.CONTROL for opcode in range(3, 16)} | websocket_frames.PARTS
    patch(websocket_frames, "PARTS", table)


@mutant("a longer form of a length is taken", "a length that is too long")
def _(patch: Patch) -> None:
    patch(websocket_frames, "_read_length", lambda extended: int.from_bytes(extended, "big"))


@mutant("the top bit of a length is dropped", "a length of 2**63")
def _(patch: Patch) -> None:
    def low(extended: bytes) -> int:
        return int.from_bytes(extended, "big") & ((1 << 63) - 1)

    patch(websocket_frames, "_read_length", low)


@mutant("control frames inside fragments are lost", "control frames inside fragments")
def _(patch: Patch) -> None:
    def lost(self: Any, header: Header, piece: bytes) -> Event | None:
        if header.part is Part.CONTROL and self.receiving is Receiving.MESSAGE:
            return None
        return complete(self, header, piece)

    patch(websocket_receiving.Receiver, "_complete", lost)


@mutant("a ping ends the message that it comes in", "control frames inside fragments")
def _(patch: Patch) -> None:
    table = websocket_states.RECEIVING | {(Receiving.MESSAGE, Part.CONTROL): Receiving.OPEN}
    patch(websocket_receiving, "RECEIVING", table)


@mutant("a ping waits for the end of the message", "a ping is given at once")
def _(patch: Patch) -> None:
    def late(self: Any, header: Header, piece: bytes) -> Event | None:
        event = complete(self, header, piece)
        if isinstance(event, Ping) and self.receiving is Receiving.MESSAGE:
            patch(self.__class__, "held", event)
            return None
        return event

    patch(websocket_receiving.Receiver, "_complete", late)


@mutant("the mask begins anew with each read", "a byte at a time")
def _(patch: Patch) -> None:
    take = websocket_receiving.Receiver._take

    def from_the_start(self: Any, size: int, mask: bytes) -> bytes:
        taken, self._taken = self._taken, 0
        piece = take(self, size, mask)
        self._taken = taken
        return piece

    patch(websocket_receiving.Receiver, "_take", from_the_start)


@mutant("a message may begin within another", "a message within a message")
def _(patch: Patch) -> None:
    more = {(Receiving.MESSAGE, part): Receiving.OPEN for part in (Part.WHOLE, Part.FIRST)}
    patch(websocket_receiving, "RECEIVING", websocket_states.RECEIVING | more)


@mutant("a continuation may begin a message", "a fragment of nothing")
def _(patch: Patch) -> None:
    more = {(Receiving.OPEN, part): Receiving.OPEN for part in (Part.MIDDLE, Part.LAST)}
    patch(websocket_receiving, "RECEIVING", websocket_states.RECEIVING | more)


@mutant("a control frame may be a fragment", "a control frame in fragments")
def _(patch: Patch) -> None:
    table = dict.fromkeys((8, 9, 10), Part.CONTROL) | websocket_frames.PARTS
    patch(websocket_frames, "PARTS", table)


@mutant("text is checked at the end", "wrong text fails fast")
def _(patch: Patch) -> None:
    patch(websocket_messages.Assembly, "_check", lambda *_, **__: None)  # finish decodes it


@mutant("wrong text in fragments is mended", "text that is no UTF-8")
def _(patch: Patch) -> None:
    def mend(self: Any) -> Any:
        return websocket.Text(b"".join(self.held).decode(errors="replace"))

    patch(websocket_messages.Assembly, "_check", lambda *_, **__: None)
    patch(websocket_messages.Assembly, "finish", mend)


@mutant("each fragment must be UTF-8", "a character across fragments")
def _(patch: Patch) -> None:
    check = websocket_messages.Assembly._check

    def strict(self: Any, piece: bytes, *, last: bool) -> None:
        check(self, piece, last=True)

    patch(websocket_messages.Assembly, "_check", strict)


@mutant("half a surrogate waits for its third byte", "wrong text fails fast")
def _(patch: Patch) -> None:
    def check(self: Any, piece: bytes, *, last: bool) -> None:
        if self.decoder is not None:
            try:
                self.decoder.decode(piece, last)
            except UnicodeDecodeError:
                raise websocket_messages.not_utf8() from None

    patch(websocket_messages.Assembly, "_check", check)


@mutant("every close code is taken", "close codes")
def _(patch: Patch) -> None:
    patch(websocket_frames, "CLOSE_CODES", range(65536))


@mutant("only the codes of the RFC are taken", "close codes")
def _(patch: Patch) -> None:
    patch(websocket_frames, "CLOSE_CODES", {*range(1000, 1004), *range(1007, 1012)})


@mutant("a close of one byte is an empty one", "a close of one byte")
def _(patch: Patch) -> None:
    def lax(payload: bytes) -> Close:
        return Close() if len(payload) == 1 else read_close(payload)

    patch(websocket_receiving, "read_close", lax)


@mutant("a close reason is mended", "a close reason that is no UTF-8")
def _(patch: Patch) -> None:
    def lax(payload: bytes) -> Close:
        return Close(int.from_bytes(payload[:2], "big"), payload[2:].decode(errors="replace"))

    patch(websocket_receiving, "read_close", lax)


@mutant("messages behind a close are read", "nothing behind a close")
def _(patch: Patch) -> None:
    table = websocket_states.RECEIVING | {(Receiving.OPEN, Part.CLOSE): Receiving.OPEN}
    patch(websocket_receiving, "RECEIVING", table)
    patch(websocket_receiving.Receiver, "_end", nothing)


@mutant("the limit is for a frame alone", "a large message")
def _(patch: Patch) -> None:
    check = websocket_receiving.Receiver._check_limits

    def frames_only(self: Any, header: Header) -> None:
        limits, self.limits = self.limits, replace(self.limits, message=1 << 40)
        check(self, header)
        self.limits = limits

    patch(websocket_receiving.Receiver, "_check_limits", frames_only)


@mutant("the fast lane knows no limit", "a large message")
def _(patch: Patch) -> None:
    init = websocket_receiving.Receiver.__init__

    def boundless(self: Any, *args: Any, **more: Any) -> None:
        init(self, *args, **more)
        self._most = 125

    patch(websocket_receiving.Receiver, "__init__", boundless)


@mutant("a frame is measured when it is complete", "a large frame")
def _(patch: Patch) -> None:
    def late(data: bytes, at: int, *, masked: bool, rsv: int) -> Header | None:
        header = read_header(data, at, masked=masked, rsv=rsv)
        complete = header is not None and len(data) >= header.end + header.size
        return header if complete else None

    headers(patch, late)


@mutant("fragments are not counted", "fragments without end")
def _(patch: Patch) -> None:
    init = websocket_receiving.Receiver.__init__

    def boundless(self: Any, limits: WebSocketLimits, *args: Any, **more: Any) -> None:
        init(self, replace(limits, fragments=1 << 30), *args, **more)

    patch(websocket_receiving.Receiver, "__init__", boundless)


@mutant("the length of a text is that in characters", "text is framed")
def _(patch: Patch) -> None:
    def text(self: Any, data: str) -> bytes:
        return bytes([0x81, len(data)]) + data.encode()

    patch(websocket.Connection, "text", text)


@mutant("the server masks", "text is framed")
def _(patch: Patch) -> None:
    def text(self: Any, data: str) -> bytes:
        return websocket_frames.frame(0x81, data.encode(), b"mask")

    patch(websocket.Connection, "text", text)


@mutant("a message may follow our close", "nothing behind our close")
def _(patch: Patch) -> None:
    more = {(Sending.CLOSED, kind): Sending.CLOSED for kind in (websocket.Text, websocket.Binary)}
    patch(websocket, "SENDING", websocket_states.SENDING | more)


@mutant("no pong follows our close", "a pong behind our close")
def _(patch: Patch) -> None:
    table = {key: to for key, to in websocket_states.SENDING.items() if key[0] is Sending.OPEN}
    patch(websocket, "SENDING", table)


@mutant("a reason is cut in characters", "close codes that may not be sent")
def _(patch: Patch) -> None:
    payload = websocket_frames.close_payload

    def characters(code: int | None, reason: str) -> bytes:
        if len(reason) <= 123 < len(reason.encode()):
            return payload(code, "") + reason.encode()[:123]
        return payload(code, reason)

    patch(websocket, "close_payload", characters)


@mutant("the same mask for every frame", "a mask for each frame")
def _(patch: Patch) -> None:
    init = websocket.Connection.__init__

    def once(self: Any, *args: Any, mask: Callable[[], bytes], **more: Any) -> None:
        first = mask()
        init(self, *args, mask=lambda: first, **more)

    patch(websocket.Connection, "__init__", once)


@mutant("each message begins with an empty window", "the window goes on")
def _(patch: Patch) -> None:
    init = websocket_zlib.Inflater.__init__
    patch(
        websocket_zlib.Inflater,
        "__init__",
        lambda self, bits, *, takeover: init(self, bits, takeover=False),
    )


@mutant("a window goes on though it must not", "no window goes on")
def _(patch: Patch) -> None:
    init = websocket_zlib.Inflater.__init__
    patch(
        websocket_zlib.Inflater,
        "__init__",
        lambda self, bits, *, takeover: init(self, bits, takeover=True),
    )


@mutant("we take our window over though we agreed not to", "our window goes on, or not")
def _(patch: Patch) -> None:
    init = websocket_zlib.Deflater.__init__

    def keep(self: Any, bits: int, *, takeover: bool, level: int, memory: int) -> None:
        init(self, bits, takeover=True, level=level, memory=memory)

    patch(websocket_zlib.Deflater, "__init__", keep)


@mutant("our window is twice as large as agreed", "our window is as small as agreed")
def _(patch: Patch) -> None:
    init = websocket_zlib.Deflater.__init__

    def twice(self: Any, bits: int, *, takeover: bool, level: int, memory: int) -> None:
        init(self, min(bits + 1, 15), takeover=takeover, level=level, memory=memory)

    patch(websocket_zlib.Deflater, "__init__", twice)


@mutant("the four bytes are not put back", "the window goes on")
def _(patch: Patch) -> None:
    patch(websocket_zlib, "TAIL", b"")


@mutant("a final block ends the stream for good", "other blocks")
def _(patch: Patch) -> None:
    def add(self: Any, piece: bytes, room: int) -> bytes:
        return bytes(self._stream.decompress(piece, room + 1))

    patch(websocket_zlib.Inflater, "add", add)


@mutant("RSV1 may come later", "RSV1 comes first or never")
def _(patch: Patch) -> None:
    part = websocket_frames._read_part
    patch(websocket_frames, "_read_part", lambda first, rsv: part(first & ~(RSV1 & rsv), rsv))


@mutant("a bomb is measured when it has gone off", "a bomb")
def _(patch: Patch) -> None:
    def add(self: Any, piece: bytes, room: int) -> bytes:
        try:
            data = bytes(self._stream.decompress(piece))
        except zlib.error:
            raise WebSocketError(1007, "no") from None
        if len(data) > room:
            raise WebSocketError(1009, "no")
        return data

    patch(websocket_zlib.Inflater, "add", add)


@mutant("client_max_window_bits is said to everybody", "an offer is answered")
def _(patch: Patch) -> None:
    negotiate = websocket_deflate.negotiate

    def lavish(offers: Any) -> Any:
        agreed = negotiate(offers)
        return agreed and replace(agreed, client_max_window_bits=12)

    patch(websocket_deflate, "negotiate", lavish)


@mutant("a wish of the client's is not granted", "an offer is answered")
def _(patch: Patch) -> None:
    negotiate = websocket_deflate.negotiate

    def deaf(offers: Any) -> Any:
        agreed = negotiate(offers)
        return agreed and replace(agreed, server_no_context_takeover=False)

    patch(websocket_deflate, "negotiate", deaf)


@mutant("an unknown parameter is passed over", "an offer that is declined")
def _(patch: Patch) -> None:
    offer = websocket_deflate._offer

    def lax(parameters: Any) -> Any:
        return offer([each for each in parameters if each[0] != b"unknown"])

    patch(websocket_deflate, "_offer", lax)


@mutant("the key is answered without the GUID", "the answer to a key")
def _(patch: Patch) -> None:
    patch(websocket_handshake, "GUID", b"")


@mutant("Connection must be Upgrade and nothing else", "a right handshake")
def _(patch: Patch) -> None:
    def strict(request: Request) -> bool:
        return (b"connection", b"Upgrade") in request.fields and (
            (b"upgrade", b"websocket") in request.fields
        )

    patch(websocket_handshake, "is_upgrade", strict)


@mutant("any key will do", "a wrong handshake")
def _(patch: Patch) -> None:
    patch(websocket_handshake, "KEY", websocket_handshake.re.compile(b".*"))


@mutant("another version is a bad request", "another version")
def _(patch: Patch) -> None:
    error = websocket_handshake.HandshakeError

    class Plain(error):  # type: ignore[valid-type,misc]  # a class that mypy sees as a variable
        def __init__(self, status: int, reason: str, fields: Any = ()) -> None:
            super().__init__(400 if status == 426 else status, reason, fields)

    patch(websocket_handshake, "HandshakeError", Plain)


@mutant("a subprotocol that nobody offered is answered", "subprotocols")
def _(patch: Patch) -> None:
    class Everything(tuple):  # type: ignore[type-arg]
        __slots__ = ()

        def __contains__(self, name: object) -> bool:
            return True

    names = websocket_handshake._subprotocols
    patch(websocket_handshake, "_subprotocols", lambda fields: Everything(names(fields)))


@pytest.mark.parametrize("each", MUTANTS, ids=[f"{m.bug} - {m.case}" for m in MUTANTS])
def test_a_mutant_is_found_by_the_case_meant_for_it(
    each: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = find("websocket", each.case)
    case.run(surface())
    each.change(lambda target, name, new: monkeypatch.setattr(target, name, new, raising=False))
    with pytest.raises(Broken):
        case.run(surface())


def surface() -> Surface:
    """Return our names as they are now."""
    return Surface(
        websocket.Connection,
        websocket_handshake.is_upgrade,
        websocket_handshake.read_handshake,
        websocket_handshake.accept_key,
        websocket_handshake.accept_fields,
        websocket_deflate.negotiate,
    )


def test_256_bytes_that_arrive_as_1_are_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        websocket_frames, "_read_length", lambda data: int.from_bytes(data, "little")
    )
    with pytest.raises(Broken, match="256 bytes arrive as 1"):
        find("websocket", "the length of 16 bits").run(Surface())
