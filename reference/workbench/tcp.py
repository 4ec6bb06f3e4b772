"""One TCP connection, to play with, and pictures of it: where its bytes were cut, who sent what.

`tape` draws the stream as the continuous band that it is, between what was sent and what was
received. `sequence` draws the packets of two sides as arrows between two lifelines. Both are told
what happened; nothing is measured here.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.picture import BLUE, GREEN, GREY, ORANGE, PALE, RED, Picture, sheet
from workbench.wire_dump import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def connected(room: int = 0) -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a new connection on this machine: the client's and the server's.

    ``room`` is the size of the client's receive buffer in bytes; 0 leaves it to the kernel.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.socket()
        if room:
            # Before connect: the first packet already says how much we have room for.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        client.connect(listener.getsockname())
        return client, listener.accept()[0]


def reset(sock: socket.socket) -> None:
    """Cut a connection the hard way, as a client that crashed: a reset instead of a goodbye."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def push(sock: socket.socket, data: bytes, quiet: float = 0.2) -> int:
    """Send until the network has taken nothing for ``quiet`` seconds; return how much it took.

    The socket gets its old timeout back.
    """
    before, went = sock.gettimeout(), 0
    sock.settimeout(quiet)
    try:
        while went < len(data):
            went += sock.send(data[went : went + 65536])
    except TimeoutError:
        pass  # it takes no more: that is what we wanted to know
    finally:
        sock.settimeout(before)
    return went


# --- The tape ---------------------------------------------------------------------------------

CHARACTER = 0.083  # inches that one character of a label takes
NAMES = 1.0  # inches for the names of the rows
NARROWEST = 0.3
PAPER = 9.4


def tape(sent: Sequence[bytes], received: Sequence[bytes], title: str = "") -> Picture:
    """Draw the pieces that were sent, the stream they became, and the pieces that were received.

    An empty piece at the end of ``received`` is the end of the stream.

    >>> tape([b"GET / HT", b"TP/1.1"], [b"GET / HTTP/1.1"])
    sends    |GET / HT|TP/1.1|
    stream   |GET / HTTP/1.1|  14 bytes
    recvs    |GET / HTTP/1.1|
    """
    whole = b"".join(sent)
    pieces = [bytes(piece) for piece in received]
    return Picture(
        draw=lambda: _draw_tape(list(sent), pieces, title),
        text=_tape_text(list(sent), pieces, title),
        alt=(
            f"{title + '. ' if title else ''}{_count(len(sent), 'send')} of "
            f"{_sizes(sent)} bytes became one stream of {len(whole)} bytes, which "
            f"{_count(len(pieces), 'recv')} returned as {_sizes(pieces)} bytes."
        ),
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _sizes(pieces: Sequence[bytes]) -> str:
    return " + ".join(str(len(piece)) for piece in pieces) or "no"


def _tape_text(sent: list[bytes], received: list[bytes], title: str) -> str:
    whole = b"".join(sent)
    rows = [
        ("sends", _cells(sent)),
        ("stream", f"|{visible(whole)}|  {len(whole)} bytes"),
        ("recvs", _cells(received)),
    ]
    lines = [f"{name:<8} {text}" for name, text in rows]
    return "\n".join([title, *lines] if title else lines)


def _cells(pieces: list[bytes]) -> str:
    return "|" + "|".join(visible(piece) or "(end)" for piece in pieces) + "|"


def _draw_tape(sent: list[bytes], received: list[bytes], title: str) -> Figure:
    top = 0.42 if title else 0.15
    axes = sheet(top + 1.78, PAPER)
    if title:
        axes.text(0.12, 0.2, title, fontsize=11, va="center")
    total = sum(map(len, sent)) or 1
    room = PAPER - NAMES - 0.85
    scale = room / total
    rows = (("sends", top + 0.05), ("the stream", top + 0.67), ("recvs", top + 1.29))
    for name, y in rows:
        axes.text(0.12, y + 0.19, name, fontsize=10, va="center", color=GREY)
    _cuts(axes, sent, scale, top + 0.05 + 0.38, top + 0.67)
    _cuts(axes, received, scale, top + 0.67 + 0.38, top + 1.29)
    _row(axes, sent, scale, rows[0][1], "white", BLUE)
    _row(axes, [b"".join(sent)], scale, rows[1][1], PALE, BLUE, arrow=True)
    _row(axes, received, scale, rows[2][1], "white", GREEN)
    figure: Figure = axes.figure
    return figure


def _row(
    axes: Any,
    pieces: list[bytes],
    scale: float,
    y: float,
    face: str,
    edge: str,
    arrow: bool = False,
) -> None:
    from matplotlib.patches import Rectangle

    x, gap = NAMES, 0.03
    for piece in pieces:
        width = len(piece) * scale
        if not piece:
            axes.text(x + 0.08, y + 0.19, 'b""  end', fontsize=9, va="center", color=RED)
            continue
        axes.add_patch(
            Rectangle(
                (x + gap, y), width - 2 * gap, 0.38, facecolor=face, edgecolor=edge, linewidth=1.3
            )
        )
        axes.text(
            x + width / 2,
            y + 0.19,
            _fitting(piece, width),
            fontsize=9,
            ha="center",
            va="center_baseline",
            family="DejaVu Sans Mono",
        )
        x += width
    if arrow:
        axes.annotate(
            "",
            (x + 0.45, y + 0.19),
            (x, y + 0.19),
            arrowprops={"arrowstyle": "-|>", "color": BLUE, "lw": 1.2, "shrinkA": 0},
        )


def _fitting(piece: bytes, width: float) -> str:
    """Return as much of a piece as its box has room for."""
    text = visible(piece)
    most = max(int((width - 0.15) / CHARACTER), 1)
    if len(text) <= most:
        return text
    return text[: most - 1] + "…" if most > 3 else ""


def _cuts(axes: Any, pieces: list[bytes], scale: float, above: float, below: float) -> None:
    """Draw where a row of pieces cuts the stream."""
    x = NAMES
    for piece in [b"", *pieces]:
        x += len(piece) * scale
        axes.plot([x, x], [above, below], color="#999999", linewidth=0.9, linestyle=(0, (2, 2)))


# --- The sequence -----------------------------------------------------------------------------

STEP = 0.36
LEFT, RIGHT = 3.15, 6.25  # where the lifelines stand


def sequence(turns: Sequence[tuple[str, str] | str], title: str = "") -> Picture:
    """Draw who sent what to whom, from top to bottom.

    A turn is a pair: "client", "server" or "both" (a remark beside that side is "client:" or
    "server:") and a text. A text alone is a remark across both.

    >>> sequence([("client", "SYN"), ("server", "SYN ACK"), "connected"])
    client                                            server
      | ──────────────────── SYN ──────────────────────▶ |
      | ◀────────────────── SYN ACK ──────────────────── |
      |                    connected                     |
    """
    steps = [turn if isinstance(turn, tuple) else ("", turn) for turn in turns]
    said = "; ".join(f"{side.rstrip(':')} {text}".strip() for side, text in steps)
    return Picture(
        draw=lambda: _draw_sequence(steps, title),
        text=_sequence_text(steps, title),
        alt=f"{title + '. ' if title else ''}From top to bottom: {said}.",
    )


TEXT_WIDTH = 50


def _sequence_text(steps: list[tuple[str, str]], title: str) -> str:
    lines = [title] if title else []
    aside = max([len(text) for side, text in steps if side == "client:"], default=0)
    indent = " " * aside
    lines.append(f"{indent}client{'server':>{TEXT_WIDTH}}")
    for side, text in steps:
        before, after, middle = indent, "", " " * TEXT_WIDTH
        if side == "client":
            middle = f" {f' {text} ':─^{TEXT_WIDTH - 3}}▶ "
        elif side == "server":
            middle = f" ◀{f' {text} ':─^{TEXT_WIDTH - 3}} "
        elif side == "client:":
            before = f"{text:>{aside}}"
        elif side == "server:":
            after = f" {text}"
        else:
            middle = f"{text:^{TEXT_WIDTH}}"
        lines.append(f"{before}  |{middle}|{after}")
    return "\n".join(lines)


def _draw_sequence(steps: list[tuple[str, str]], title: str) -> Figure:
    top = 0.42 if title else 0.1
    height = top + 0.55 + STEP * len(steps) + 0.15
    axes = sheet(height, PAPER)
    if title:
        axes.text(0.12, 0.2, title, fontsize=11, va="center")
    for x, name in ((LEFT, "client"), (RIGHT, "server")):
        axes.text(
            x,
            top + 0.15,
            name,
            ha="center",
            va="center",
            fontsize=10,
            weight="bold",
            bbox={"boxstyle": "round,pad=0.3", "facecolor": PALE, "edgecolor": BLUE},
        )
        axes.plot([x, x], [top + 0.33, height - 0.1], color="#888888", linewidth=1.2)
    for number, (side, text) in enumerate(steps):
        _step(axes, side, text, top + 0.62 + number * STEP)
    figure: Figure = axes.figure
    return figure


def _step(axes: Any, side: str, text: str, y: float) -> None:
    hard = "RST" in text
    if side in ("client", "server"):
        ends = (LEFT, RIGHT) if side == "client" else (RIGHT, LEFT)
        colour = RED if hard else BLUE if side == "client" else GREEN
        axes.annotate(
            "",
            (ends[1], y + 0.08),
            (ends[0], y),
            arrowprops={
                "arrowstyle": "-|>",
                "color": colour,
                "lw": 2.0 if hard else 1.3,
                "shrinkA": 2,
                "shrinkB": 2,
                "linestyle": "--" if hard else "-",
            },
        )
        axes.text(
            (LEFT + RIGHT) / 2,
            y + 0.0,
            text,
            ha="center",
            va="center",
            fontsize=9,
            bbox={"boxstyle": "square,pad=0.12", "facecolor": "white", "edgecolor": "none"},
            color=RED if hard else "#222222",
        )
    elif side == "client:":
        axes.text(LEFT - 0.15, y, text, ha="right", va="center", fontsize=9, color=GREY)
    elif side == "server:":
        axes.text(RIGHT + 0.15, y, text, ha="left", va="center", fontsize=9, color=GREY)
    else:
        axes.text(
            (LEFT + RIGHT) / 2,
            y,
            text,
            ha="center",
            va="center",
            fontsize=9,
            style="italic",
            color="#222222",
            bbox={
                "boxstyle": "round,pad=0.2",
                "facecolor": "#FFF6DF",
                "edgecolor": ORANGE,
                "linewidth": 0.8,
            },
        )
