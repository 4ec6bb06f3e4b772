"""Frames, one by one: the header's bits, the mask, and what stands in a Close.

Bytes come in and parts of a frame go out, or the other way round.  What a frame may follow is not
known here, nor what a message is: see ``websocket_states`` and ``websocket_messages``.

    byte 0   FIN RSV1 RSV2 RSV3 opcode(4)      RFC 6455 §5.2
    byte 1   MASK length(7)                    126: 2 more bytes of length, 127: 8 more
    then     the mask, 4 bytes, if MASK is set; then the payload

>>> frame(FIN | TEXT, b"Hello").hex(" ")
'81 05 48 65 6c 6c 6f'
>>> read_header(frame(FIN | TEXT, b"Hello"), 0, masked=False, rsv=0)
Header(first=129, part=<Part.WHOLE: 'whole message'>, size=5, mask=b'', end=2)
"""

from __future__ import annotations

from dataclasses import dataclass

from .events import OurError
from .websocket_events import Close, WebSocketError
from .websocket_states import Part

# RFC 6455 §5.2: the bits of the first byte, and its opcodes.
FIN, RSV1, RSV = 0x80, 0x40, 0x70
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MASKED = 0x80  # in the second byte

# First bytes, reserved bits aside, and what they make of a frame.  A control frame without FIN
# would be a fragment, which §5.4 forbids; 3 to 7 and B to F are reserved: neither is in the table.
PARTS = {
    FIN | TEXT: Part.WHOLE,
    FIN | BINARY: Part.WHOLE,
    TEXT: Part.FIRST,
    BINARY: Part.FIRST,
    CONTINUATION: Part.MIDDLE,
    FIN | CONTINUATION: Part.LAST,
    FIN | PING: Part.CONTROL,
    FIN | PONG: Part.CONTROL,
    FIN | CLOSE: Part.CLOSE,
}

# RFC 6455 §7.4 and IANA's registry: the close codes that may be on the wire.  1004 has no meaning,
# 1005, 1006 and 1015 are for those who heard none; 3000 and up are registered or private.
CLOSE_CODES = frozenset((*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)))


@dataclass(slots=True)
class Header:
    """Hold a frame's header; ``end`` is where its payload of ``size`` bytes begins."""

    first: int
    part: Part
    size: int
    mask: bytes
    end: int


# ---------------------------------------------------------------- bytes in


def read_header(data: bytes | bytearray, at: int, *, masked: bool, rsv: int) -> Header | None:
    """Return the header that begins at ``at``, or None while it is not all here.

    ``masked`` tells whether the peer must mask, ``rsv`` which reserved bits a first frame may set.
    Each byte is judged as soon as it is there.  Raise WebSocketError (RFC 6455 §5.2).
    """
    here = len(data) - at
    if here < 1:
        return None
    first = data[at]
    part = _read_part(first, rsv)
    if here < 2:
        return None
    second = data[at + 1]
    if (second >= MASKED) is not masked:
        who = "a client must mask its frames" if masked else "a server must not mask its frames"
        raise WebSocketError(1002, f"{who} (RFC 6455 §5.1)")
    size = second & 0x7F
    end = at + 2
    if size > 125:
        if part is Part.CONTROL or part is Part.CLOSE:
            raise WebSocketError(1002, "a control frame is over 125 bytes (RFC 6455 §5.5)")
        end += 2 if size == 126 else 8
        if len(data) < end:
            return None
        size = _read_length(data[at + 2 : end])
    if not masked:
        return Header(first, part, size, b"", end)
    if len(data) < end + 4:
        return None
    return Header(first, part, size, bytes(data[end : end + 4]), end + 4)


def _read_part(first: int, rsv: int) -> Part:
    """Return what a first byte makes of its frame; refuse bits and opcodes that mean nothing."""
    part = PARTS.get(first & ~RSV)
    if part is None:
        if first & 0x8 and first & 0xF <= PONG:
            raise WebSocketError(1002, "a control frame cannot be a fragment (RFC 6455 §5.5)")
        raise WebSocketError(1002, f"opcode {first & 0xF:X} is reserved (RFC 6455 §5.2)")
    if first & RSV & ~rsv:
        raise WebSocketError(1002, "a reserved bit is set (RFC 6455 §5.2)")
    # RFC 7692 §6.1: "compressed" is said once, of a message; a control frame never is.
    if first & RSV and first & 0xF not in (TEXT, BINARY):
        raise WebSocketError(1002, "only a message's first frame sets RSV1 (RFC 7692 §6.1)")
    return part


def _read_length(extended: bytes | bytearray) -> int:
    """Return a length of 2 or 8 bytes, most significant first; one way to write it is right."""
    size = int.from_bytes(extended, "big")
    if size >> 63:
        raise WebSocketError(1002, "a length's top bit is set (RFC 6455 §5.2)")
    if size < (126 if len(extended) == 2 else 0x10000):
        raise WebSocketError(1002, "a length is not written as short as can be (RFC 6455 §5.2)")
    return size


def read_close(payload: bytes) -> Close:
    """Return what a Close frame says (RFC 6455 §5.5.1).

    >>> read_close(b"\\x03\\xe8bye"), read_close(b"")
    (Close(code=1000, reason='bye'), Close(code=1005, reason=''))
    """
    if not payload:
        return Close()
    if len(payload) == 1:
        raise WebSocketError(1002, "a close code has two bytes (RFC 6455 §5.5.1)")
    code = int.from_bytes(payload[:2], "big")
    if code not in CLOSE_CODES:
        raise WebSocketError(1002, f"the close code {code} may not be sent (RFC 6455 §7.4)")
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError:
        raise WebSocketError(1007, "a close reason is not UTF-8 (RFC 6455 §5.5.1)") from None


# ---------------------------------------------------------------- the mask

LONG = 2048  # bytes: more are unmasked faster by tables


def unmask(data: bytes | bytearray | memoryview, mask: bytes) -> bytes:
    """Return data with its mask undone, or put on, which is the same (RFC 6455 §5.3).

    A loop would take 50 ns for each byte.  Read as one long number, all of them are turned by one
    exclusive or.  More than LONG bytes are turned by tables.

    >>> unmask(b"\\x7f\\x9f\\x4d\\x51\\x58", b"\\x37\\xfa\\x21\\x3d")
    b'Hello'
    """
    size = len(data)
    if size > LONG:
        turned = bytearray(data)
        unmask_in_place(turned, mask)
        return bytes(turned)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(data, "little") ^ key).to_bytes(size, "little")


# What the exclusive or with each byte makes of each byte: 256 tables for bytes.translate.
TURNED = [unmask(bytes(range(256)), bytes((byte,) * 4)) for byte in range(256)]


def unmask_in_place(data: bytearray, mask: bytes) -> None:
    """Undo a mask where the bytes stand.

    Every fourth byte meets the same byte of the mask, so one table turns all of these.  To make a
    number of them and bytes of the number takes a fifth more time, and touches new memory; what is
    made here stays in the processor's caches while ``data`` is no longer than 64 KiB.
    """
    for at, byte in enumerate(mask):
        data[at::4] = data[at::4].translate(TURNED[byte])


# ---------------------------------------------------------------- bytes out

# The headers of short frames that the server sends most, by first byte and length.
SHORT = {first: [bytes((first, n)) for n in range(126)] for first in (FIN | TEXT, FIN | BINARY)}


def frame(first: int, payload: bytes, mask: bytes = b"") -> bytes:
    """Return a frame (RFC 6455 §5.2); with a mask of 4 bytes, as a client must send it.

    >>> frame(FIN | PING, b"", b"\\x01\\x02\\x03\\x04").hex(" ")
    '89 80 01 02 03 04'
    """
    size = len(payload)
    bit = MASKED if mask else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 0x10000:
        head = bytes((first, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, bit | 127)) + size.to_bytes(8, "big")
    return head + mask + unmask(payload, mask) if mask else head + payload


def close_payload(code: int | None, reason: str) -> bytes:
    """Return what stands in our Close (RFC 6455 §5.5.1); without a code, nothing.

    Raise OurError for a code that may not be on the wire (§7.4), and for a reason that is over 123
    bytes of UTF-8, as a control frame has at most 125 (§5.5).
    """
    if code is None:
        if reason:
            raise OurError("a close reason needs a close code (RFC 6455 §5.5.1)")
        return b""
    if code not in CLOSE_CODES:
        raise OurError(f"the close code {code} may not be sent (RFC 6455 §7.4)")
    encoded = encode_text(reason)
    if len(encoded) > 123:
        raise OurError(f"a close reason is at most 123 bytes, not {len(encoded)} (RFC 6455 §5.5)")
    return code.to_bytes(2, "big") + encoded


def encode_text(text: str) -> bytes:
    """Return a text as UTF-8; raise OurError for half a surrogate pair, which has none."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise OurError(f"this text cannot be UTF-8 (RFC 6455 §5.6): {error.reason}") from None
