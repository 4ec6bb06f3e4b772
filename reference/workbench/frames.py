"""WebSocket frames to look at: the bits of one, named; many, one under the other; in a few words.

Bytes come in, pictures and words go out.  Frames are read here a second time, by code of its own
that judges nothing: so it also shows what an engine would refuse, and shares none of its mistakes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.picture import BLUE, GREEN, GREY, ORANGE, PALE, RED, Picture, sheet
from workbench.wire_dump import Dump, Row, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OPCODES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
NAMES = ("FIN", "RSV1", "RSV2", "RSV3", "opcode", "MASK", "length")
PLACES = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 8), (8, 9), (9, 16))  # bits of the first two bytes
SHOWN = 24  # bytes of a payload


@dataclass(frozen=True)
class Frame:
    """A frame as it is on the wire. ``extended`` are the bytes of a longer length."""

    first: int
    second: int
    extended: bytes
    mask: bytes
    masked: bytes

    @property
    def whole(self) -> bytes:
        """All bytes of it."""
        return bytes((self.first, self.second)) + self.extended + self.mask + self.masked

    @property
    def payload(self) -> bytes:
        """The payload, its mask undone byte by byte."""
        if not self.mask:
            return self.masked
        return bytes(byte ^ self.mask[at % 4] for at, byte in enumerate(self.masked))

    @property
    def bits(self) -> str:
        """The sixteen bits of the first two bytes."""
        return f"{self.first:08b}{self.second:08b}"

    @property
    def kind(self) -> str:
        """The name of its opcode."""
        return OPCODES.get(self.first & 15, f"opcode {self.first & 15:X}")

    @property
    def told(self) -> str:
        """What it is, in a few words: 'text, 5 bytes: Hello'."""
        marks = [self.kind]
        if not self.first & 0x80:
            marks.append("goes on")
        marks += [f"RSV{number}" for number in (1, 2, 3) if self.first & (0x80 >> number)]
        return f"{', '.join(marks)}: {_payload_told(self)}".removesuffix(": ")


def _payload_told(frame: Frame) -> str:
    payload = frame.payload
    if frame.kind == "close":
        code = struct.unpack("!H", payload[:2])[0] if len(payload) > 1 else "no code"
        return f"{code} {_text(payload[2:])}".rstrip()
    if frame.first & 0x40 or not payload:
        return payload[:SHOWN].hex(" ")
    return _text(payload) + (f" ({len(payload)} bytes)" if len(payload) > SHOWN else "")


def _text(data: bytes) -> str:
    """Write bytes as a text where they are one, and what is longer cut short."""
    more = "..." if len(data) > SHOWN else ""
    try:
        text = data[:SHOWN].decode()
    except UnicodeDecodeError:
        return visible(data[:SHOWN]) + more
    return (text if text.isprintable() else visible(data[:SHOWN])) + more


def read_frame(data: bytes) -> Frame | None:
    """Return the frame at the beginning of ``data``; None while it is not all here."""
    if len(data) < 2:
        return None
    size, at = data[1] & 0x7F, 2
    more = {126: 2, 127: 8}.get(size, 0)
    extended = data[at : at + more]
    at += more
    if more:
        size = int.from_bytes(extended, "big")
    mask = data[at : at + 4] if data[1] & 0x80 else b""
    at += 4 * (data[1] >> 7)
    if len(data) < at + size:
        return None
    return Frame(data[0], data[1], extended, mask, data[at : at + size])


class Reader:
    """Frames out of one direction of a stream, wherever it is cut."""

    def __init__(self) -> None:
        self.buf = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes; return the frames that they complete."""
        self.buf += data
        found = []
        while (frame := read_frame(self.buf)) is not None:
            found.append(frame)
            self.buf = self.buf[len(frame.whole) :]
        return found

    def told(self, data: bytes) -> str:
        """Take bytes; say in a few words what they complete."""
        words = [frame.told for frame in self.feed(data)]
        if self.buf:
            words.append("a part of a frame")
        return f"{len(data)} bytes: {' | '.join(words)}"


# --- Many -------------------------------------------------------------------------------------


def frames(data: bytes) -> Dump:
    """Show a stream of frames, a row for each: header, mask and payload in hex, and what it is."""
    return Dump(list(_rows(data)))


def _rows(data: bytes) -> Iterator[Row]:
    at = 0
    while (frame := read_frame(data[at:])) is not None:
        parts = [f"{frame.first:02x} {frame.second:02x}", frame.extended.hex(" ")]
        parts += [frame.mask.hex(" "), frame.masked[:8].hex(" ")]
        more = " .." if len(frame.masked) > 8 else ""
        marks = "" if frame.mask else "bare "
        yield Row(at, " | ".join(filter(None, parts)) + more, marks + frame.told)
        at += len(frame.whole)
    if data[at:]:
        yield Row(at, data[at:][:16].hex(" "), "the rest has not come")


# --- One --------------------------------------------------------------------------------------


def bits(data: bytes, title: str = "") -> Picture:
    """Draw the frame at the beginning of ``data``: each bit of its header, then the bytes.

    Raise ValueError where it is not all here.
    """
    frame = read_frame(data)
    if frame is None:
        raise ValueError(f"{len(data)} bytes are no whole frame")
    title = title or f"A frame of {len(frame.whole)} bytes"
    return Picture(
        lambda: _draw(frame, title), "\n".join([title, *_lines(frame)]), _alt(frame, title)
    )


def _values(frame: Frame) -> list[tuple[str, str, str]]:
    """Return name, bits and meaning of each part of the first two bytes."""
    pieces = [frame.bits[start:end] for start, end in PLACES]
    length = frame.second & 0x7F
    size = {126: "see the next 2 bytes", 127: "see the next 8 bytes"}.get(length, "bytes follow")
    fin = "the last of its message" if frame.first & 0x80 else "its message goes on"
    meanings = [fin, "", "", "", frame.kind, "4 bytes of mask" if frame.mask else "no mask"]
    return list(zip(NAMES, pieces, [*meanings, f"{length}: {size}"], strict=True))


def _parts(frame: Frame) -> list[tuple[str, str, str]]:
    """Return name, bytes and meaning of what follows the first two bytes."""
    size, cut = len(frame.masked), frame.masked[:12]
    dots = " .." if size > 12 else ""
    rows = []
    if frame.extended:
        rows.append(("length", frame.extended.hex(" "), f"{size}, the most significant byte first"))
    if frame.mask:
        rows.append(("mask", frame.mask.hex(" "), "chosen anew for each frame"))
        rows.append(("payload", cut.hex(" ") + dots, "as it is on the wire"))
        again = (frame.mask * 3)[: len(cut)]
        rows.append(("^ mask", again.hex(" ") + dots, "again and again"))
    told = _payload_told(frame)
    rows.append(
        ("= payload" if frame.mask else "payload", frame.payload[:12].hex(" ") + dots, told)
    )
    return rows


def _lines(frame: Frame) -> list[str]:
    rows = [*_values(frame), *_parts(frame)]
    width = max(len(value) for _, value, _ in rows)
    return [f"  {name:<10}{value:<{width}}  {meaning}".rstrip() for name, value, meaning in rows]


def _alt(frame: Frame, title: str) -> str:
    named = ", ".join(f"{name} {value}" for name, value, _ in _values(frame))
    return f"{title}. The header bit by bit: {named}. It is {frame.told}."


BIT, TOP, LEFT = 0.4, 0.62, 0.25
COLOURS = (RED, GREY, GREY, GREY, BLUE, ORANGE, GREEN)


def _draw(frame: Frame, title: str) -> Figure:
    parts = _parts(frame)
    axes = sheet(TOP + 1.25 + 0.3 * len(parts), 8.0)
    axes.text(0.12, 0.2, title, fontsize=11, va="center")
    for (name, value, meaning), (start, end), colour in zip(
        _values(frame), PLACES, COLOURS, strict=True
    ):
        _draw_bits(axes, value, start, end, colour)
        middle = _place(start + (end - start) / 2 - 0.5) + BIT / 2
        small = 7.5 if end - start == 1 else 9
        axes.text(middle, TOP - 0.12, name, fontsize=small, ha="center", color=colour)
        if meaning:
            # FIN and MASK are one bit wide, their meaning is not: it goes a line deeper.
            deeper = 0.24 if end - start == 1 else 0.0
            left = _place(start) if end - start == 1 else middle
            place = {"ha": "left" if end - start == 1 else "center", "va": "center"}
            axes.text(left, TOP + BIT + 0.2 + deeper, meaning, fontsize=8.5, color=colour, **place)
    for number, (name, value, meaning) in enumerate(parts):
        y = TOP + 1.3 + 0.3 * number
        axes.text(LEFT, y, name, fontsize=9.5, va="center", color=GREY)
        axes.text(LEFT + 1.0, y, value, fontsize=9.5, va="center", family="DejaVu Sans Mono")
        axes.text(
            LEFT + 4.2, y, meaning, fontsize=9.5, va="center", color=GREY, parse_math=False
        )  # fmt: skip
    figure: Figure = axes.figure
    return figure


def _place(bit: float) -> float:
    """Return where a bit's box begins; the second byte stands a little apart."""
    return LEFT + bit * BIT + (0.35 if bit >= 8 else 0.0)


def _draw_bits(axes: Any, value: str, start: int, end: int, colour: str) -> None:
    from matplotlib.patches import Rectangle

    for bit, sign in zip(range(start, end), value, strict=True):
        look: dict[str, Any] = {"facecolor": PALE if sign == "1" else "white", "edgecolor": colour}
        axes.add_patch(Rectangle((_place(bit), TOP), BIT, BIT, linewidth=1.3, **look))
        axes.text(
            _place(bit) + BIT / 2, TOP + BIT / 2, sign, ha="center", va="center",
            family="DejaVu Sans Mono", fontsize=11, weight="bold" if sign == "1" else "normal",
        )  # fmt: skip
