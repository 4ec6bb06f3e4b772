"""The exercises of chapter 13: a header, head-of-line blocking, and a sender that stalls."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived
from h2.exceptions import FlowControlError
from h2.settings import SettingCodes

from workbench.contracts import Broken
from workbench.exercises.model import Exercise, Point, Slip, handing
from workbench.exercises.talking import same
from workbench.http2_bytes import PREFACE, cut

# --- frame-header -----------------------------------------------------------------------------

PICTURED = bytes.fromhex("000012 01 05 00000001")
NAMES = ("the length", "the type", "the flags", "the stream")


def read(frame_header: Any, data: bytes) -> Any:
    """Return what the learner makes of bytes; raise Broken when it is neither of the two."""
    with handing(data):
        found = frame_header(data)
    if found is None or (isinstance(found, tuple) and len(found) == 4):
        return found
    problem = "frame_header returns None, or a tuple of length, type, flags and stream"
    raise Slip(problem, sent=data, got=found)


def says(frame_header: Any, data: bytes, *wanted: int) -> None:
    """Demand that a header says this."""
    found = read(frame_header, data)
    if found is None:
        raise Broken("the header is all here, and frame_header says None", sent=data)
    for name, got, right in zip(NAMES, found, wanted, strict=True):
        if got != right:
            raise Broken(f"{name} of this frame", sent=data[:9], got=got, wanted=right)


def the_picture(frame_header: Any) -> None:
    """The header of the picture, and that of an empty SETTINGS."""
    says(frame_header, PICTURED, 18, 1, 5, 1)
    says(frame_header, bytes.fromhex("000000 04 01 00000000"), 0, 4, 1, 0)


def every_split(frame_header: Any) -> None:
    """Each beginning of a header is none yet; the payload need not be here."""
    for size in range(9):
        found = read(frame_header, PICTURED[:size])
        if found is not None:
            problem = f"{size} bytes are taken for a header of nine"
            raise Broken(problem, sent=PICTURED[:size], got=repr(found), wanted="None")
    for more in (b"", b"\x82", bytes(18), bytes(18) + PICTURED):
        says(frame_header, PICTURED + more, 18, 1, 5, 1)


def three_bytes(frame_header: Any) -> None:
    """Lengths that need the second and the third byte."""
    for length in (0, 255, 256, 16384, 65536, (1 << 24) - 1):
        says(frame_header, length.to_bytes(3, "big") + PICTURED[3:], length, 1, 5, 1)


def large_numbers(frame_header: Any) -> None:
    """Streams of four bytes; types and flags that nobody knows yet."""
    for stream in (255, 256, 65537, 0x7FFFFFFF):
        says(frame_header, PICTURED[:5] + stream.to_bytes(4, "big"), 18, 1, 5, stream)
    says(frame_header, bytes.fromhex("000001 fe ff 00000003 00"), 1, 254, 255, 3)


def reserved_bit(frame_header: Any) -> None:
    """The reserved bit is set."""
    says(frame_header, bytes.fromhex("000012 01 05 80000001"), 18, 1, 5, 1)
    says(frame_header, bytes.fromhex("000004 08 00 ffffffff"), 4, 8, 0, 0x7FFFFFFF)


FRAME_HEADER = Exercise(
    name="frame-header",
    chapter=13,
    title="The nine bytes before every frame",
    effort=1,
    subject="frame_header",
    points=(
        Point(
            "the picture",
            the_picture,
            "fields cut at the wrong place: three bytes of length, one of type, one of flags, four "
            "of stream.",
            "RFC 9113 §4.1",
        ),
        Point(
            "every split",
            every_split,
            "counting wrongly what must be here: nine bytes of header, and no byte of the payload. "
            "A slice beyond the end is just shorter, and says so to nobody.",
        ),
        Point(
            "three bytes of length",
            three_bytes,
            "reading the length in your processor's order, or two bytes of it. On the wire the "
            'most significant byte comes first: int.from_bytes(data[:3], "big").',
            "RFC 9113 §4.1",
        ),
        Point(
            "large numbers",
            large_numbers,
            "looking at the last byte of the stream only, or refusing a type that has no name: "
            "unknown types are read, and ignored later.",
            "RFC 9113 §5.5",
        ),
        Point(
            "the reserved bit",
            reserved_bit,
            "taking all 32 bits for the stream: the first one is reserved, and ignored by who "
            "reads. & 0x7FFFFFFF leaves the other 31.",
            "RFC 9113 §4.1",
        ),
    ),
    hints=(
        "Nine bytes, four fields: 3 + 1 + 1 + 4. When is there nothing to say yet?",
        'One byte is a number already: data[3]. Several are int.from_bytes(data[a:b], "big"). '
        "The stream has 31 bits.",
        """
        Nearly all of it:

            if len(data) < 9:
                return None
            length = int.from_bytes(data[:3], "big")
            stream = int.from_bytes(data[5:9], "big") & 0x7FFFFFFF
        """,
    ),
    afterwards="""
        You have read what every peer of HTTP/2 reads first. Because the length stands in front and
        is never more than nine bytes away, nobody ever has to search for an end, as with CRLF.

        Hypercorn gives the bytes to the h2 library, which has them cut by hyperframe, with one
        struct format (">HBBBL": the length as two bytes and one). Our FrameReader does the same,
        and looks at the length *before* the payload is here: h2 would wait for all of it first.
        Uvicorn speaks HTTP/2 only with `--http zttp --http2`, and leaves the frames to that other
        library, zttp; mostly a proxy in front of it has read them.
        """,
    seconds=2.0,
)

# --- find-the-blocking ------------------------------------------------------------------------


class Row(NamedTuple):
    """An answer of a trace, with the fields of the exercise's own."""

    name: str
    connection: int
    ready: float
    first: float
    last: float


def finds(blocked: Any, trace: list[Row], wanted: dict[str, float]) -> None:
    """Demand that these are found, and the seconds that they lost."""
    rows = "; ".join(f"{r.name} on {r.connection}: {r.ready}, {r.first}, {r.last}" for r in trace)
    shown = rows.encode()
    with handing(shown):
        found = blocked(list(trace))
    if not isinstance(found, dict):
        raise Slip("blocked returns a dict, from names to seconds", got=found)
    if set(found) != set(wanted):
        raise Broken("who was blocked", sent=shown, got=sorted(found), wanted=sorted(wanted))
    for name, seconds in wanted.items():
        if not isinstance(found[name], int | float):
            raise Slip(f"the seconds that {name} lost are no number", got=found[name])
        if not math.isclose(found[name], seconds, abs_tol=1e-6):
            lost = round(found[name], 6)  # as near as is compared: not 0.5499999999999999
            raise Broken(f"the seconds that {name} lost", sent=shown, got=lost, wanted=seconds)


PIPELINED = [
    Row("page", 1, 0.50, 0.50, 0.60),
    Row("style", 1, 0.05, 0.60, 0.65),
    Row("logo", 1, 0.10, 0.65, 0.70),
]


def behind_another(blocked: Any) -> None:
    """Three answers on one connection of HTTP/1.1, the first of them slow."""
    finds(blocked, PIPELINED, {"style": 0.55, "logo": 0.55})
    # A moment passes between the end of one and the beginning of the next.
    gaps = [PIPELINED[0], Row("style", 1, 0.05, 0.62, 0.65)]
    finds(blocked, gaps, {"style": 0.57})


def not_the_first(blocked: Any) -> None:
    """The one that blocks is not the first of its connection."""
    trace = [
        Row("page", 1, 0.0, 0.0, 0.1),
        Row("report", 1, 0.7, 0.7, 0.8),
        Row("logo", 1, 0.2, 0.8, 0.9),
    ]
    finds(blocked, trace, {"logo": 0.6})


def other_connections(blocked: Any) -> None:
    """Six connections: the slow answer holds up its own."""
    trace = [
        Row("report", 1, 0.50, 0.50, 0.60),
        Row("style", 2, 0.05, 0.05, 0.10),
        Row("logo", 3, 0.05, 0.70, 0.75),
        Row("photo", 1, 0.20, 0.60, 0.70),
    ]
    finds(blocked, trace, {"photo": 0.4})


def slow_by_itself(blocked: Any) -> None:
    """Answers that were late because the server had them late."""
    trace = [
        Row("page", 1, 0.1, 0.1, 0.2),
        Row("report", 1, 0.5, 0.5, 0.6),
        Row("logo", 1, 0.6, 0.6, 0.7),  # ready at the very moment when the other one ended
    ]
    finds(blocked, trace, {})


def in_turns(blocked: Any) -> None:
    """Streams of HTTP/2 that share a connection."""
    trace = [
        Row("video", 1, 0.0, 0.0, 0.9),
        Row("style", 1, 0.1, 0.11, 0.2),
        Row("logo", 1, 0.1, 0.12, 0.3),
        Row("photo", 1, 0.1, 0.13, 0.95),
    ]
    finds(blocked, trace, {})


def asked_later(blocked: Any) -> None:
    """A stream that was asked for later is done first: nobody stands in front of nobody."""
    trace = [
        Row("photo", 1, 0.1, 0.5, 0.9),  # its window was empty for a while
        Row("style", 1, 0.2, 0.2, 0.3),
    ]
    finds(blocked, trace, {})


FIND_THE_BLOCKING = Exercise(
    name="find-the-blocking",
    chapter=13,
    title="Head-of-line blocking in a trace",
    effort=2,
    subject="blocked",
    points=(
        Point(
            "behind another",
            behind_another,
            "taking the time since the server had the *first* one, or until the last byte: what is "
            "lost goes from `ready` to `first` of the one that waits. And it may begin a moment "
            "later than the other one ends.",
        ),
        Point(
            "not the first",
            not_the_first,
            "looking at the first answer of the connection only, or at the one just before: anyone "
            "who was asked for earlier may stand in front.",
        ),
        Point(
            "other connections",
            other_connections,
            "comparing answers of different connections: what is on another one can be as slow as "
            "it likes, it is in nobody's way.",
        ),
        Point(
            "slow by itself",
            slow_by_itself,
            "taking every late answer for a blocked one. Who was ready only when the one in front "
            "had ended has lost nothing: ready < last.",
        ),
        Point(
            "in turns",
            in_turns,
            "asking only whether somebody in front was still under way. On HTTP/2 all are under "
            "way together; blocked is who began only *after* the other had ended.",
            "RFC 9113 §5",
        ),
        Point(
            "asked later",
            asked_later,
            "forgetting the order. Who was asked for later and came first did not stand in front.",
        ),
    ),
    hints=(
        "For each answer, look at all those before it in the list. Which three things must be true "
        "of one of them?",
        "The same connection; it ended after mine was ready; it ended before mine began.",
        """
        The heart of it:

            for place, answer in enumerate(trace):
                for earlier in trace[:place]:
                    if (earlier.connection == answer.connection
                            and answer.ready < earlier.last <= answer.first):
                        found[answer.name] = answer.first - answer.ready
        """,
    ),
    afterwards="""
        You can now read a waterfall as the people do who made HTTP/2: not "what was slow", but
        "what was ready, and behind whom".

        Uvicorn on HTTP/1.1 holds pipelined requests back and begins the next one only when the
        answer before is complete; so there an answer is never even ready early. Hypercorn on HTTP/2
        runs an application for each stream at once, and a task sends from their buffers in turn.
        """,
    seconds=2.0,
)

# --- flow-control -----------------------------------------------------------------------------


class Wire:
    """What a learner's sender writes, and what it may."""

    def __init__(self, kind: Any, window: int = 65535) -> None:
        if not (isinstance(kind, type) and hasattr(kind, "pump")):
            raise Slip("Sender is a class, derived from Stalling", got=kind)
        self.written: list[tuple[int, bytes]] = []
        self.sender = kind(self.write, window)

    def write(self, stream: int, data: bytes) -> None:
        if not data or len(data) > 16384:
            raise Slip(f"a frame of {len(data)} bytes is written: 1 to 16384 are wanted")
        self.written.append((stream, bytes(data)))

    def sizes(self) -> dict[int, int]:
        """Return how many bytes were written on each stream."""
        found: dict[int, int] = {}
        for stream, data in self.written:
            found[stream] = found.get(stream, 0) + len(data)
        return found


def within_the_windows(kind: Any) -> None:
    """One stream, and its window."""
    wire = Wire(kind, 40000)
    wire.sender.send(1, b"x" * 100_000)
    same(wire.sizes(), {1: 40000}, "the bytes sent on a stream with a window of 40000")
    wire.sender.window_update(1, 10_000)
    same(wire.sizes(), {1: 50000}, "the bytes sent after 10000 more were allowed")


def connection_opens(kind: Any) -> None:
    """The connection's window is used up, and opens again."""
    wire = Wire(kind, 1 << 20)
    wire.sender.send(1, b"x" * 100_000)
    same(wire.sizes(), {1: 65535}, "the bytes sent while the connection allows 65535")
    wire.sender.window_update(0, 20_000)
    same(wire.sizes(), {1: 85535}, "the bytes sent after 20000 more on the connection")


def nobody_waits(kind: Any) -> None:
    """A stream whose window is empty, and two others."""
    wire = Wire(kind, 10_000)
    wire.sender.send(1, b"x" * 30_000)
    wire.sender.send(3, b"y" * 100)
    wire.sender.send(5, b"z" * 100)
    sizes = {1: 10000, 3: 100, 5: 100}
    same(wire.sizes(), sizes, "the bytes sent beside a stream whose window is empty")


def in_turn(kind: Any) -> None:
    """A long answer and a short one, while the connection opens by a little at a time."""
    wire = Wire(kind, 1 << 20)
    wire.sender.send(1, b"x" * 500_000)
    wire.sender.send(3, b"y" * 1500)
    wire.sender.window_update(0, 40_000)
    if wire.sizes().get(3) != 1500:
        raise Broken(
            "the connection let 40000 bytes more through, and the short answer is not among them",
            got=wire.sizes(),
        )
    wire.sender.send(5, b"z" * 1500)
    for _ in range(4):
        wire.sender.window_update(0, 1000)
    if wire.sizes().get(5) != 1500:
        raise Broken(
            "the connection opened four times by 1000 bytes, and the short answer had fewer than "
            "two of those turns",
            got=wire.sizes(),
        )


def new_settings(kind: Any) -> None:
    """The initial window changes while streams are open."""
    wire = Wire(kind, 10_000)
    wire.sender.send(1, b"x" * 100_000)
    wire.sender.settings(15_000)
    same(wire.sizes(), {1: 15000}, "the bytes sent after the initial window grew by 5000")
    wire.sender.settings(1_000)  # the stream's window is now -14000
    wire.sender.window_update(1, 10_000)
    same(wire.sizes(), {1: 15000}, "the bytes sent while the stream's window is -4000")
    wire.sender.window_update(1, 5_000)
    same(wire.sizes(), {1: 16000}, "the bytes sent when the stream's window is 1000")
    wire.sender.send(3, b"y" * 5000)
    same(wire.sizes(), {1: 16000, 3: 1000}, "the bytes sent on a new stream")


def an_early_update(kind: Any) -> None:
    """An update for a stream on which nothing was sent."""
    wire = Wire(kind, 1000)
    wire.sender.window_update(7, 500)
    wire.sender.send(7, b"x" * 5000)
    same(wire.sizes(), {7: 1500}, "the bytes sent when an update came before them")


def a_real_client(kind: Any) -> None:
    """The h2 library as a client with small windows, five streams, 400 KB."""
    client = H2Connection(H2Configuration(client_side=True))
    client.local_settings[SettingCodes.INITIAL_WINDOW_SIZE] = 9000
    client.local_settings.acknowledge()
    client.initiate_connection()
    client.receive_data(bytes.fromhex("000000 04 00 00000000 000000 04 01 00000000"))
    streams = range(1, 11, 2)
    bodies = {stream: bytes([stream]) * (20_000 * stream) for stream in streams}
    for stream in streams:
        head = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")]
        client.send_headers(stream, head, end_stream=True)
        client.receive_data(bytes.fromhex("000001 01 04") + stream.to_bytes(4, "big") + b"\x88")
    client.data_to_send()
    got = dict.fromkeys(streams, b"")
    coming: list[bytes] = []
    sender = kind(
        lambda stream, data: coming.append(
            len(data).to_bytes(3, "big") + b"\0\0" + stream.to_bytes(4, "big") + bytes(data)
        ),
        9000,
    )
    for stream, body in bodies.items():
        sender.send(stream, body)
    while coming:
        try:
            events = client.receive_data(coming.pop(0))
        except FlowControlError as error:
            raise Broken(f"the client ends the connection: {error}") from None
        for event in events:
            if isinstance(event, DataReceived):
                got[event.stream_id or 0] += event.data or b""
                client.acknowledge_received_data(len(event.data or b""), event.stream_id or 0)
        for frame in cut(client.data_to_send().removeprefix(PREFACE))[0]:
            if frame.kind == "WINDOW_UPDATE":
                sender.window_update(frame.stream, int.from_bytes(frame.payload, "big"))
    for stream, body in bodies.items():
        same(len(got[stream]), len(body), f"the bytes that have come on stream {stream}")
        if got[stream] != body:
            raise Broken(f"the content of stream {stream} is another one")


FLOW_CONTROL = Exercise(
    name="flow-control",
    chapter=13,
    title="A sender that stalls",
    effort=3,
    subject="Sender",
    points=(
        Point(
            "within the windows",
            within_the_windows,
            "sending more than the stream's window, or not at once when it opens. min() of four "
            "numbers: what there is, a frame, and the two windows.",
            "RFC 9113 §6.9.1",
        ),
        Point(
            "the connection opens",
            connection_opens,
            "adding to the connection's window and going home. An update with stream 0 lets "
            "*every* stream go on that waits for it: pump there, too.",
            "RFC 9113 §6.9",
        ),
        Point(
            "nobody waits for another",
            nobody_waits,
            "a `return` where the first stream cannot send. Its window is its own affair: go on to "
            "the next stream.",
            "RFC 9113 §5.2",
        ),
        Point(
            "in turn",
            in_turn,
            "beginning with the same stream each time. When the connection opens by a little, that "
            "one takes all of it: put a stream that has sent a frame behind all others.",
        ),
        Point(
            "new settings",
            new_settings,
            "setting the windows of open streams to the new value, or leaving them alone. They "
            "change by the *difference*, also below zero, and a growing one lets them send.",
            "RFC 9113 §6.9.2",
        ),
        Point(
            "an early update",
            an_early_update,
            "a KeyError, or losing what came early: a client may open the window of a stream on "
            "which you have not sent anything. It starts from the initial window.",
            "RFC 9113 §6.9",
        ),
        Point("a real client", a_real_client),
    ),
    hints=(
        "There are five bugs. Which methods do not pump? Which line gives up for all when one "
        "cannot?",
        "pump: take the first stream off the dict, send one frame if it may, put it back behind "
        "the others if something is left. Count how many in a row could not send: if it is all of "
        "them, end.",
        """
        The heart of it:

            stuck = 0
            while stuck < len(self.waiting):
                stream, data = next(iter(self.waiting.items()))
                del self.waiting[stream]
                size = min(len(data), FRAME, self.connection, self.windows[stream])
                stuck = stuck + 1 if size <= 0 else 0
                ...                     # write, count, and put back what is left
        """,
    ),
    afterwards="""
        This is the part of HTTP/2 that stalls in practice: a transfer that stands still for ever,
        and no error anywhere, for each side waits for the other.

        Hypercorn leaves the counting to h2, as our reference does, and gives turns by the
        `priority` library: an update for the connection unblocks all streams, in a loop
        (`_window_updated`). Uvicorn, with `--http zttp --http2`, leaves windows and turns to zttp.
        Ours has the same rotation as your `pump`, in Outbox.pump.
        """,
    seconds=2.0,
)

EXERCISES = (FRAME_HEADER, FIND_THE_BLOCKING, FLOW_CONTROL)
