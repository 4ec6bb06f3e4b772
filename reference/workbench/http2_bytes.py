"""HTTP/2 on the wire, read for people: the header of a frame drawn, many frames as rows.

    header(data)          a picture of the nine bytes at the beginning of ``data``
    frames(data)          a row for each frame; the client's preface is one, too

Bytes come in, pictures and text go out. Nothing is checked here: what the reference makes of a
frame is its own affair, so this reader can be held against it. RFC 9113 §4.1 has the layout, §6 the
types and flags.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.lanes import ORANGE_TEXT
from workbench.picture import BLUE, GREEN, GREY, PALE, RED, Picture, sheet
from workbench.wire_dump import Dump, Row, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TYPES = (
    "DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY",
    "WINDOW_UPDATE", "CONTINUATION",
)  # fmt: skip
FLAGS = {
    "DATA": {0x1: "END_STREAM", 0x8: "PADDED"},
    "HEADERS": {0x1: "END_STREAM", 0x4: "END_HEADERS", 0x8: "PADDED", 0x20: "PRIORITY"},
    "SETTINGS": {0x1: "ACK"},
    "PUSH_PROMISE": {0x4: "END_HEADERS", 0x8: "PADDED"},
    "PING": {0x1: "ACK"},
    "CONTINUATION": {0x4: "END_HEADERS"},
}
CODES = (
    "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
    "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
    "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
)  # fmt: skip
SETTINGS = {
    1: "HEADER_TABLE_SIZE",
    2: "ENABLE_PUSH",
    3: "MAX_CONCURRENT_STREAMS",
    4: "INITIAL_WINDOW_SIZE",
    5: "MAX_FRAME_SIZE",
    6: "MAX_HEADER_LIST_SIZE",
    8: "ENABLE_CONNECT_PROTOCOL",
}
SHOWN = 8  # bytes of a payload in a row


@dataclass(frozen=True)
class Frame:
    """One frame; ``whole`` is all of it, the nine bytes of its header first."""

    whole: bytes

    @property
    def kind(self) -> str:
        """The name of its type, or its number where it has none."""
        number = self.whole[3]
        return TYPES[number] if number < len(TYPES) else f"type {number}"

    @property
    def flags(self) -> tuple[str, ...]:
        """The names of the flags that are set and mean something."""
        named = FLAGS.get(self.kind, {})
        return tuple(name for bit, name in named.items() if self.whole[4] & bit)

    @property
    def stream(self) -> int:
        """The stream's number; 0 is the connection."""
        return int.from_bytes(self.whole[5:9], "big") & 0x7FFFFFFF

    @property
    def payload(self) -> bytes:
        """What is behind the header."""
        return self.whole[9:]

    @property
    def told(self) -> str:
        """The type, its flags, and what it says where that is a number or a text."""
        parts = [self.kind, *self.flags]
        if about := _about(self):
            parts.append(about)
        return " ".join(parts)


def _about(frame: Frame) -> str:
    payload = frame.payload
    if frame.kind == "SETTINGS":
        pairs = [payload[at : at + 6] for at in range(0, len(payload) - 5, 6)]
        return ", ".join(
            f"{SETTINGS.get(int.from_bytes(p[:2], 'big'), '?')} {int.from_bytes(p[2:], 'big')}"
            for p in pairs
        )
    if frame.kind == "WINDOW_UPDATE":
        return f"+{int.from_bytes(payload, 'big')}"
    if frame.kind == "RST_STREAM":
        return _code(payload)
    if frame.kind == "GOAWAY":
        last = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
        told = "any" if last == 0x7FFFFFFF else str(last)
        return f"up to {told}, {_code(payload[4:8])}"
    if frame.kind == "DATA":
        return f"{len(payload)} bytes" if payload else "0 bytes"
    return ""


def _code(data: bytes) -> str:
    number = int.from_bytes(data[:4], "big")
    return CODES[number] if number < len(CODES) else str(number)


def cut(data: bytes) -> tuple[list[Frame], bytes]:
    """Return the whole frames at the beginning of ``data``, and the bytes behind them.

    A preface is left out.
    """
    data = data.removeprefix(PREFACE)
    found = []
    while len(data) >= 9 and len(data) >= (end := 9 + int.from_bytes(data[:3], "big")):
        found.append(Frame(data[:end]))
        data = data[end:]
    return found, data


class Teller:
    """Names the frames of one direction, however the network has cut them."""

    def __init__(self) -> None:
        self._buf = b""
        self._greeted = False

    def told(self, data: bytes) -> str:
        """Name what these bytes complete: "HEADERS 1, DATA 3 END_STREAM"."""
        return ", ".join(said for _, said in self.frames(data)) or f"{len(data)} bytes"

    def frames(self, data: bytes) -> list[tuple[int, str]]:
        """Return the stream and the name of each frame that these bytes complete."""
        self._buf += data
        found: list[tuple[int, str]] = []
        if not self._greeted and self._buf.startswith(PREFACE):
            self._buf = self._buf[len(PREFACE) :]
            self._greeted = True
            found.append((0, "preface"))
        whole, self._buf = cut(self._buf)
        found += [(frame.stream, _short(frame)) for frame in whole]
        return found


def _short(frame: Frame) -> str:
    flags = [name for name in frame.flags if name != "END_HEADERS"]
    about = _about(frame) if frame.kind not in ("SETTINGS", "GOAWAY") else ""
    number = str(frame.stream) if frame.stream else ""
    return " ".join(filter(None, [frame.kind, number, *flags, about]))


# --- Many -------------------------------------------------------------------------------------


def frames(data: bytes) -> Dump:
    """Show each frame in a row: length | type | flags | stream | payload, and what it is."""
    return Dump(list(_rows(data)))


def _rows(data: bytes) -> Iterator[Row]:
    at = 0
    if data.startswith(PREFACE):
        yield Row(0, visible(PREFACE), "the preface: no request, a password")
        at = len(PREFACE)
    whole, rest = cut(data[at:])
    for frame in whole:
        yield Row(at, _hex(frame), f"{_where(frame)}: {frame.told}")
        at += len(frame.whole)
    if rest:
        yield Row(at, rest[:16].hex(" "), "the rest has not come")


def _hex(frame: Frame) -> str:
    head = frame.whole[:9]
    parts = [head[:3], head[3:4], head[4:5], head[5:], frame.payload[:SHOWN]]
    more = " .." if len(frame.payload) > SHOWN else ""
    return " | ".join(part.hex(" ") for part in parts if part) + more


def _where(frame: Frame) -> str:
    return f"stream {frame.stream}" if frame.stream else "connection"


# --- One --------------------------------------------------------------------------------------

FIELDS = (
    ("length", 0, 3, BLUE), ("type", 3, 4, ORANGE_TEXT), ("flags", 4, 5, GREEN),
    ("stream", 5, 9, RED),
)  # fmt: skip


def header(data: bytes, title: str = "") -> Picture:
    """Draw the nine bytes of a frame's header, and what each of its four fields says.

    Raise ValueError where there are fewer bytes.
    """
    if len(data) < 9:
        raise ValueError(f"the header of a frame has 9 bytes, and here are {len(data)}")
    frame = Frame(bytes(data))
    title = title or "The header of a frame: nine bytes"
    rows = _fields(frame)
    lines = [title]
    lines += [f"  {name:<8}{text:<12}  {meaning}" for name, text, meaning in rows]
    told = "; ".join(f"{name} {text}: {meaning}" for name, text, meaning in rows)
    return Picture(lambda: _draw(frame, title), "\n".join(lines), f"{title}. {told}.")


def _fields(frame: Frame) -> list[tuple[str, str, str]]:
    length = int.from_bytes(frame.whole[:3], "big")
    flags = ", ".join(frame.flags) or "none"
    stream = str(frame.stream) if frame.stream else "0, the connection"
    meanings = (f"{length} bytes follow", frame.kind, flags, stream)
    return [
        (name, frame.whole[start:end].hex(" "), meaning)
        for (name, start, end, _), meaning in zip(FIELDS, meanings, strict=True)
    ]


BOX, TOP, LEFT = 0.62, 0.75, 0.25


def _draw(frame: Frame, title: str) -> Figure:
    axes = sheet(3.15, 8.0)
    axes.text(0.12, 0.2, title, fontsize=11, va="center")
    for (name, start, end, colour), (_, _, meaning) in zip(FIELDS, _fields(frame), strict=True):
        for at in range(start, end):
            _byte(axes, at, frame.whole[at], colour)
        middle = _place((start + end - 1) / 2) + BOX / 2
        axes.text(middle, TOP - 0.14, name, fontsize=10, ha="center", color=colour)
        number = FIELDS.index((name, start, end, colour))
        y = TOP + BOX + 0.42 + 0.33 * number
        axes.text(LEFT, y, name, fontsize=10, va="center", color=colour)
        axes.text(LEFT + 0.9, y, meaning, fontsize=10, va="center", color="#333333")
    bits = f"{frame.whole[4]:08b}"
    axes.text(
        LEFT + 4.2, TOP + BOX + 0.42 + 0.66, f"bit by bit: {bits}", fontsize=9, va="center",
        family="DejaVu Sans Mono", color=GREY,
    )  # fmt: skip
    axes.text(
        LEFT + 4.2, TOP + BOX + 0.42 + 0.99, "the first bit is reserved, the other 31 count",
        fontsize=9, va="center", color=GREY,
    )  # fmt: skip
    figure: Figure = axes.figure
    return figure


def _place(at: float) -> float:
    """Return where a byte's box begins; a field stands a little apart from the next."""
    gaps = sum(at >= start for _, start, _, _ in FIELDS[1:])
    return LEFT + at * BOX + 0.2 * gaps


def _byte(axes: Any, at: int, value: int, colour: str) -> None:
    from matplotlib.patches import Rectangle

    look: dict[str, Any] = {"facecolor": PALE if value else "white", "edgecolor": colour}
    axes.add_patch(Rectangle((_place(at), TOP), BOX, BOX, linewidth=1.4, **look))
    axes.text(
        _place(at) + BOX / 2, TOP + BOX / 2, f"{value:02x}", ha="center", va="center",
        family="DejaVu Sans Mono", fontsize=13, weight="bold" if value else "normal",
    )  # fmt: skip
