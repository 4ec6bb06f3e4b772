"""The client's bytes, cut into frames (RFC 9113 §4.1), and those refused that h2 would let pass.

Bytes come in; whole frames go out, to be read by h2.  What a frame says about a stream is h2's to
judge.  Here stands what it does not look at: how many of a kind come, how long a head grows while
it is still coming, what comes first.  Each check names the harm.

    | length (24 bits) | type (8) | flags (8) | 0 (1) | stream id (31) |  ``length`` bytes ...

>>> frames = FrameReader(Limits(), Http2Limits())
>>> frames.receive(PREFACE + bytes.fromhex("000000 04 00 00000000"))
>>> frames.next_frame().kind
<Kind.SETTINGS: 4>
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from .events import Limits
from .http2_events import PREFACE, Code, ConnectionFailed, Http2Limits, Nuisance

LARGEST = 16384  # bytes in a frame: the least that we must take, and enough (RFC 9113 §4.2)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
MOST_SETTINGS = 32  # in a frame; there are eight, and we remember none that we do not know

HEADER = struct.Struct(">HBBBI")


class Kind(IntEnum):
    """The types of frames (RFC 9113 §6)."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


# Names of the module: in Python 3.11 ``Kind.DATA`` takes ten times as long to look up.
DATA, HEADERS, SETTINGS, CONTINUATION = Kind.DATA, Kind.HEADERS, Kind.SETTINGS, Kind.CONTINUATION
KINDS = {kind.value: kind for kind in Kind}

COUNTED = {
    Kind.PRIORITY: Nuisance.OTHER,  # deprecated, and means nothing here (RFC 9113 §5.3)
    Kind.RST_STREAM: Nuisance.RESET,
    Kind.SETTINGS: Nuisance.SETTINGS,
    Kind.PING: Nuisance.PING,
    Kind.WINDOW_UPDATE: Nuisance.OTHER,
}


@dataclass(slots=True)
class Frame:
    """One frame, whole: ``data`` is all of it, with its header of 9 bytes.

    ``kind`` is a plain int where we do not know it (RFC 9113 §5.5).
    """

    kind: int
    flags: int
    stream_id: int
    data: bytes


def encode_frame(kind: Kind, flags: int, stream_id: int, payload: bytes) -> bytes:
    """Return the bytes of a frame (RFC 9113 §4.1).

    >>> encode_frame(Kind.PING, ACK, 0, b"whatever")
    b'\\x00\\x00\\x08\\x06\\x01\\x00\\x00\\x00\\x00whatever'
    """
    high, low = divmod(len(payload), 256)
    return HEADER.pack(high, low, kind, flags, stream_id) + payload


class FrameReader:
    """Cut bytes into frames, and count.

    Raise ConnectionFailed for what no client does that means well; nothing can be read after that.
    """

    __slots__ = (
        *("limits", "http2", "highest"),
        *("_buf", "_met", "_block", "_size", "_pieces", "_left"),
    )

    def __init__(self, limits: Limits, http2: Http2Limits) -> None:
        self.limits = limits
        self.http2 = http2
        self.highest = 0
        """The highest stream that a client has opened."""
        self._buf = bytearray()
        self._met = 0  # 0: nothing was said yet, 1: the preface, 2: the settings behind it, too
        self._block = self._size = self._pieces = (
            0  # the head that is coming: stream, bytes, frames
        )
        self._left = {what: most for what, (most, _) in http2.allowance.items()}

    @property
    def in_the_middle(self) -> bool:
        """True when the client has begun something and not ended it."""
        return bool(self._buf) or bool(self._block) or self._met < 2

    def receive(self, data: bytes) -> None:
        """Take bytes."""
        self._buf += data

    def next_frame(self) -> Frame | None:
        """Return the next frame when all of it is here, else None."""
        if not self._met and not self._greeted():
            return None
        buf = self._buf
        if len(buf) < 9:
            return None
        high, low, kind, flags, stream_id = HEADER.unpack_from(buf)
        end = 9 + (high << 8 | low)
        if end > LARGEST + 9:  # before it is here: h2 would wait for all of it first
            raise ConnectionFailed(Code.FRAME_SIZE_ERROR, "a frame is too long (RFC 9113 §4.2)")
        if len(buf) < end:
            return None
        frame = Frame(KINDS.get(kind, kind), flags, stream_id & 0x7FFFFFFF, bytes(buf[:end]))
        del buf[:end]
        self._check(frame)
        return frame

    def _greeted(self) -> bool:
        """Read the preface; False when more of it must come (RFC 9113 §3.4)."""
        if not PREFACE.startswith(self._buf[: len(PREFACE)]):
            raise ConnectionFailed(Code.PROTOCOL_ERROR, "this is no HTTP/2 (RFC 9113 §3.4)")
        if len(self._buf) < len(PREFACE):
            return False
        del self._buf[: len(PREFACE)]
        self._met = 1
        return True

    def _check(self, frame: Frame) -> None:
        """Refuse a frame that may not come now, or comes too often."""
        kind = frame.kind
        if self._met < 2:
            self._met = 2
            if kind is not SETTINGS or frame.flags & ACK:
                raise ConnectionFailed(
                    Code.PROTOCOL_ERROR, "the first frame is no SETTINGS (RFC 9113 §3.4)"
                )
        if self._block or kind is CONTINUATION or kind is HEADERS:
            self._check_block(frame)
        elif kind is not DATA:
            self.spend(COUNTED.get(kind, Nuisance.OTHER))  # type: ignore[call-overload]  # unknown ones are counted too
            if kind is SETTINGS and len(frame.data) > 9 + 6 * MOST_SETTINGS:
                raise ConnectionFailed(Code.ENHANCE_YOUR_CALM, "too many settings in a frame")
            if kind is SETTINGS and frame.flags & ACK and len(frame.data) > 9:
                raise ConnectionFailed(
                    Code.FRAME_SIZE_ERROR, "an acknowledgement has content (RFC 9113 §6.5)"
                )
            if kind is Kind.RST_STREAM and frame.stream_id > self.highest:
                raise ConnectionFailed(
                    Code.PROTOCOL_ERROR, "a stream is reset that was never opened (RFC 9113 §6.4)"
                )

    def _check_block(self, frame: Frame) -> None:
        """Check what carries a head: one frame, or several with nothing in between (§4.3, §6.10).

        h2 counts the pieces, but puts them together whatever they weigh, and to undo Huffman's
        code of a megabyte holds up everybody else for a second.
        """
        begins = frame.kind is HEADERS
        if begins == bool(self._block) or (not begins and frame.stream_id != self._block):
            raise ConnectionFailed(
                Code.PROTOCOL_ERROR,
                "the frames of a head do not follow each other (RFC 9113 §6.10)",
            )
        if begins:
            self._block, self._size, self._pieces = frame.stream_id, 0, 0
            self.highest = max(self.highest, frame.stream_id)
        self._size += len(frame.data) - 9
        self._pieces += 1
        if self._size > 2 * self.limits.head or self._pieces > self.http2.pieces:
            raise ConnectionFailed(Code.ENHANCE_YOUR_CALM, "a head does not end (VU#421644)")
        if frame.flags & END_HEADERS:
            self._block = 0

    # ------------------------------------------------------------ patience

    def spend(self, what: Nuisance) -> None:
        """Take one off the allowance; raise ConnectionFailed when nothing is left."""
        self._left[what] -= 1
        if self._left[what] < 0:
            raise ConnectionFailed(Code.ENHANCE_YOUR_CALM, f"too many {what.value}")

    def earn(self, what: Nuisance, number: int) -> None:
        """Put some back: what the client does answers what we did."""
        most, _ = self.http2.allowance[what]
        self._left[what] = min(most, self._left[what] + number)

    def refill(self, seconds: float) -> None:
        """Let time go by: the allowance grows again, up to what it was."""
        for what, (most, rate) in self.http2.allowance.items():
            self._left[what] = min(most, self._left[what] + rate * seconds)  # type: ignore[assignment]  # a float is as good
