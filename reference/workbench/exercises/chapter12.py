"""The exercises of chapter 12: a frame, fragments, and a room with a slow reader."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from workbench.audience import narrow
from workbench.contracts import Broken
from workbench.contracts.asgi_websocket_client import CLOSE, TEXT, Talk, closing, frame, handshake
from workbench.contracts.websocket_frames import HELLO, masked, plain
from workbench.exercises.model import Exercise, Point, handing
from workbench.exercises.serving import Served, application, serving
from workbench.exercises.talking import same, shown

# --- decode-a-frame ---------------------------------------------------------------------------


def decoded(decode: Any, data: bytes) -> Any:
    """Return what the learner makes of bytes; raise Broken when it is neither of the two."""
    with handing(shown(data)):
        found = decode(data)
    if found is None or (isinstance(found, tuple) and len(found) == 4):
        return found
    raise Broken(
        "decode_frame returns None, or FIN, opcode, payload and the rest",
        sent=shown(data),
        got=found,
    )


def is_frame(decode: Any, data: bytes, fin: bool, opcode: int, payload: bytes, rest: bytes) -> None:
    """Demand that bytes are this frame, with this behind it."""
    found = decoded(decode, data)
    begin = data[:20]
    if found is None:
        raise Broken("the frame is all here, and decode_frame says None", sent=begin)
    for what, got, wanted in zip(
        ("the opcode", "FIN", "the bytes behind the frame"),
        (found[1], found[0], found[3]),
        (opcode, fin, rest),
        strict=True,
    ):
        if got != wanted:
            raise Broken(f"{what} of this frame", sent=begin, got=got, wanted=wanted)
    if found[2] != payload:
        if not isinstance(found[2], bytes | bytearray) or len(found[2]) != len(payload):
            size = len(found[2]) if hasattr(found[2], "__len__") else found[2]
            raise Broken("the payload's length", sent=begin, got=size, wanted=len(payload))
        raise Broken("the payload", sent=begin, got=bytes(found[2]), wanted=payload)


def hello(decode: Any) -> None:
    """The example of the RFC."""
    is_frame(decode, HELLO, True, 1, b"Hello", b"")
    is_frame(
        decode, masked(0x82, b"\x00\xff" * 5, b"\x01\x02\x03\x04"), True, 2, b"\x00\xff" * 5, b""
    )


def what_comes_behind(decode: Any) -> None:
    """Two frames, and the beginning of a third."""
    rest = masked(0x89, b"?") + HELLO[:4]
    is_frame(decode, HELLO + rest, True, 1, b"Hello", rest)
    is_frame(decode, rest, True, 9, b"?", HELLO[:4])


def every_split(decode: Any) -> None:
    """Each beginning of a frame is no frame yet."""
    for data in (HELLO, masked(0x82, b"x" * 130), masked(0x82, b"y" * 65536)[:-1]):
        for cut in (*range(min(len(data), 20)), len(data) - 1):
            found = decoded(decode, data[:cut])
            if found is not None:
                problem = f"{cut} bytes of a longer frame are taken for a frame"
                raise Broken(problem, sent=shown(data[:cut]), got=found, wanted="None")


def all_lengths(decode: Any) -> None:
    """Every way in which a length is written."""
    for size in (0, 1, 125, 126, 127, 255, 256, 257, 65535, 65536, 66000):
        payload = bytes(range(251)) * (size // 251 + 1)
        is_frame(decode, masked(0x82, payload[:size]), True, 2, payload[:size], b"")


def bits_apart(decode: Any) -> None:
    """FIN, reserved bits and the opcode are told apart."""
    for first in (0x01, 0x00, 0x80, 0x8A, 0x88, 0xC1, 0x41):
        is_frame(decode, masked(first, b"ab"), first >= 0x80, first & 0x0F, b"ab", b"")


def without_a_mask(decode: Any) -> None:
    """A frame that nobody has masked."""
    for data in (plain(0x81, b"Hello"), plain(0x82, b"x" * 300), plain(0x89)):
        try:
            found = decode(data)
        except ValueError:
            continue
        problem = "a frame without a mask is taken, or waited for: ValueError is wanted"
        raise Broken(problem, sent=data[:20], got=found)


DECODE_A_FRAME = Exercise(
    name="decode-a-frame",
    chapter=12,
    title="One frame, by hand",
    effort=1,
    subject="decode_frame",
    points=(
        Point(
            "Hello",
            hello,
            "a mask that does not begin again after four bytes, or begins at the wrong place: the "
            "four bytes stand between the length and the payload.",
            "RFC 6455 §5.3",
        ),
        Point(
            "what comes behind",
            what_comes_behind,
            "throwing away what follows, or taking it for payload: the length says where it ends.",
            "RFC 6455 §5.2",
        ),
        Point(
            "every split",
            every_split,
            "a slice that goes beyond the end is just shorter: compare len(data) with where the "
            "frame ends, before you cut. And the first two bytes may be missing too.",
        ),
        Point(
            "all lengths",
            all_lengths,
            "reading the bytes of the length in your processor's order. On the wire the most "
            'significant byte comes first: int.from_bytes(..., "big"), or struct with "!H", "!Q".',
            "RFC 6455 §5.2",
        ),
        Point(
            "bits apart",
            bits_apart,
            "taking all seven lower bits for the opcode: it has four, data[0] & 0x0F; or taking "
            "FIN for granted.",
            "RFC 6455 §5.2",
        ),
        Point(
            "without a mask",
            without_a_mask,
            "not looking at the first bit of the second byte, or asking for it only when the rest "
            "is here, with four bytes of mask that never come.",
            "RFC 6455 §5.1",
        ),
    ),
    hints=(
        "Three steps: how long is the header, where does the frame end, is that much here?",
        "length = data[1] & 0x7F; for 126 the next 2 bytes are the length, for 127 the next 8. "
        "Then 4 bytes of mask. Only then cut.",
        """
        Nearly all of it:

            more = {126: 2, 127: 8}.get(length, 0)
            if more:
                length, at = int.from_bytes(data[2 : 2 + more], "big"), 2 + more
            end = at + 4 + length
            if len(data) < end:
                return None
        """,
    ),
    afterwards="""
        Your function reads the header again with each call, which is cheap. Who unmasks before
        looking at the length pays by the square of it, and so does a caller who copies the buffer
        for each piece: a megabyte in single bytes took us 26 s, nearly all of it `buf + piece`.
        Engines append in place, keep the header that they have read, and wait for so many bytes.

        Uvicorn reads frames by `websockets` or `wsproto`, two libraries of which the first undoes
        the mask in C when it can. Hypercorn takes wsproto.
        """,
    seconds=4.0,
)


# --- fragments --------------------------------------------------------------------------------

Frame = tuple[bool, int, bytes]


def gives(messages: Any, frames: list[Frame], *wanted: Any) -> None:
    """Demand that these frames give this, one after the other."""
    got = []
    for fin, opcode, payload in frames:
        found = messages.take(fin, opcode, payload)
        if found is not None:
            got.append(found)
    if got != [*wanted]:
        raise Broken(f"take() gave something else for {_told(frames)}", got=got, wanted=[*wanted])


def _told(frames: list[Frame]) -> str:
    return ", ".join(
        f"({fin}, {opcode:X}, {payload[:12]!r}{'...' if len(payload) > 12 else ''})"
        for fin, opcode, payload in frames[:6]
    ) + (", ..." if len(frames) > 6 else "")


def refuses(make: Any, frames: list[Frame], why: str, **how: Any) -> None:
    """Demand that the last of these frames raises ValueError."""
    messages = make(**how)
    for each in frames[:-1]:
        messages.take(*each)
    try:
        found = messages.take(*frames[-1])
    except ValueError:
        return
    raise Broken(f"{why}: ValueError is wanted for {_told(frames)}", got=found)


def whole_ones(make: Any) -> None:
    """Messages of one frame."""
    frames = [(True, 1, "né".encode()), (True, 2, b"\xff\x00"), (True, 1, b"")]
    gives(make(), frames, ("text", "né"), ("binary", b"\xff\x00"), ("text", ""))


def joined(make: Any) -> None:
    """Messages of several frames."""
    frames = [(False, 1, b"Hel"), (False, 0, b""), (True, 0, b"lo")]
    gives(make(), frames, ("text", "Hello"))
    gives(make(), [(False, 2, b"\xff"), (True, 0, b"\xfe")], ("binary", b"\xff\xfe"))


def one_after_the_other(make: Any) -> None:
    """Nothing of a message is left for the next one."""
    frames = [(False, 1, b"a"), (True, 0, b"b"), (True, 2, b"c"), (False, 2, b""), (True, 0, b"d")]
    gives(make(), frames, ("text", "ab"), ("binary", b"c"), ("binary", b"d"))


def within_a_character(make: Any) -> None:
    """A fragment ends within a character."""
    gives(make(), [(False, 1, b"caf\xc3"), (True, 0, b"\xa9")], ("text", "café"))


def control_between(make: Any) -> None:
    """Ping, pong and close between fragments."""
    messages = make()
    gives(messages, [(False, 1, b"Hel"), (True, 9, b"?")], ("ping", b"?"))
    gives(messages, [(True, 10, b"!"), (True, 0, b"lo")], ("pong", b"!"), ("text", "Hello"))
    gives(make(), [(False, 2, b"x"), (True, 8, b"\x03\xe8")], ("close", b"\x03\xe8"))


def not_in_order(make: Any) -> None:
    """What goes on without having begun, and what begins too soon."""
    refuses(make, [(True, 0, b"x")], "nothing has begun that could go on")
    over = [(False, 1, b"a"), (True, 0, b"b"), (True, 0, b"c")]
    refuses(make, over, "the message before is complete, nothing goes on")
    for opcode in (1, 2):
        for fin in (True, False):
            frames = [(False, 1, b"a"), (fin, opcode, b"b")]
            refuses(make, frames, "a message begins within another one")


def no_such_frame(make: Any) -> None:
    """Control frames that are too long or in pieces, and opcodes that mean nothing."""
    for opcode in (8, 9, 10):
        refuses(make, [(False, opcode, b"")], "a control frame in fragments")
        refuses(make, [(True, opcode, b"x" * 126)], "a control frame over 125 bytes")
        gives(
            make(),
            [(True, opcode, b"x" * 125)],
            ({8: "close", 9: "ping"}.get(opcode, "pong"), b"x" * 125),
        )
    for opcode in (3, 7, 11, 15):
        refuses(make, [(True, opcode, b"")], "an opcode that means nothing")


def no_text(make: Any) -> None:
    """Text that is no UTF-8."""
    refuses(make, [(True, 1, b"\xff")], "a text that is no UTF-8")
    refuses(make, [(False, 1, b"caf\xc3"), (True, 0, b"")], "a text that ends within a character")


def without_an_end(make: Any) -> None:
    """A message that goes on and on."""
    gives(make(most=10), [(False, 2, b"12345"), (True, 0, b"67890")], ("binary", b"1234567890"))
    too_long = [(False, 2, b"12345"), (False, 0, b"67890"), (False, 0, b"!")]
    refuses(make, too_long, "11 bytes, where 10 are the most, and it goes on", most=10)


FRAGMENTS = Exercise(
    name="fragments",
    chapter=12,
    title="From frames to messages",
    effort=2,
    subject="Messages",
    points=(
        Point(
            "whole ones",
            whole_ones,
            "decoding what is binary, or taking an empty message for none.",
            "RFC 6455 §5.6",
        ),
        Point(
            "joined",
            joined,
            "keeping only the last piece, or joining in the wrong order.",
            "RFC 6455 §5.4",
        ),
        Point(
            "one after the other",
            one_after_the_other,
            "something is left of the message before: its kind, or its bytes.",
        ),
        Point(
            "within a character",
            within_a_character,
            "decoding each fragment by itself. The message is UTF-8, a fragment need not be.",
            "RFC 6455 §5.6",
        ),
        Point(
            "control frames between",
            control_between,
            "mixing a control frame into the message around it: it has an opcode and FIN of its "
            "own, and neither says anything of the message.",
            "RFC 6455 §5.4",
        ),
        Point(
            "not in order",
            not_in_order,
            "trusting the client. Opcode 0 needs a message that has begun, 1 and 2 need none.",
            "RFC 6455 §5.4",
        ),
        Point(
            "no such frame",
            no_such_frame,
            "taking every opcode from 8 on for a control frame, or not looking at its FIN and its "
            "length.",
            "RFC 6455 §5.5",
        ),
        Point(
            "no text",
            no_text,
            'decode("utf-8", "replace") or "ignore": then nobody hears of it. UnicodeDecodeError '
            "is a ValueError.",
            "RFC 6455 §8.1",
        ),
        Point(
            "without an end",
            without_an_end,
            "looking at the length only when the message is complete: this one never is, and its "
            "bytes are already in your memory.",
            "RFC 6455 §10.4",
        ),
    ),
    hints=(
        "Which two things must be remembered from one frame to the next, and which frames must "
        "not touch them?",
        "Look at control frames first, and return. Then: opcode 0 wants a kind that is set, "
        "1 and 2 want none. Decode at FIN.",
        """
        The heart of it:

            if opcode in CONTROL:
                ...
                return CONTROL[opcode], payload
            if (opcode == 0) != bool(self.kind):
                raise ValueError("...")
            self.kind = self.kind or DATA[opcode]   # a KeyError is no ValueError
            self.parts += payload
        """,
    ),
    afterwards="""
        Ours decodes a text as it comes too, so that a byte that can never be right ends it at once
        (codecs.getincrementaldecoder).

        Uvicorn's ws_max_size is 16 MiB for a message; above it closes with 1009, as Hypercorn does
        above its websocket_max_message_size, also 16 MiB. An application hears of such a message
        only the disconnect, with 1009 or, from Hypercorn and from Uvicorn by `websockets`, with
        1006; Hypercorn tells it only when the client has left.
        """,
    seconds=4.0,
)


# --- broadcast --------------------------------------------------------------------------------

MOST = 16
LONG = "x" * 8000


class Member:
    """A client in the room."""

    def __init__(self, served: Served, name: str) -> None:
        self.name = name
        self.wire = served.connect(1.5)
        self.talk = Talk(self.wire)
        answer = self.talk.begin(handshake(f"/{name}"))
        if answer.status != 101:
            raise Broken(f"{name} is not accepted", got=answer.head)

    def say(self, *texts: str) -> None:
        """Say something, all in one write."""
        self.wire.send(b"".join(frame(TEXT, text.encode()) for text in texts))

    def hears(self, what: str) -> str:
        """Return the next text that comes."""
        got = self.talk.hear(f"{self.name} to hear {what}")
        if got.opcode == CLOSE:
            raise Broken(f"{self.name}, who reads, was closed with {got.code}, before: {what}")
        return got.payload.decode()

    def heard(self, *wanted: str) -> None:
        """Demand that just this is heard."""
        for text in wanted:
            got = self.hears(repr(text[:40]))
            if got != text:
                raise Broken(f"{self.name} hears something else", got=got[:80], wanted=text[:80])


@contextmanager
def room(make_app: Any, most: int = MOST) -> Iterator[Served]:
    """Serve the learner's application, with little room in the kernels."""
    app = application(make_app(most), "make_app()")
    with serving(app, lifespan="off", shell=narrow([])) as served:
        yield served


def comes(served: Served, *names: str) -> list[Member]:
    """Let some enter the room; when this returns, each of them is in it."""
    members = []
    for name in names:
        members.append(Member(served, name))
        members[-1].say("here")  # who hears oneself is in the room
        for each in members:
            each.heard(f"{name}: here")
    return members


def everybody_hears(make_app: Any) -> None:
    """Three are in the room, and each says something."""
    with room(make_app) as served:
        members = comes(served, "ada", "bob", "eve")
        for speaker in members:
            speaker.say("hello")
            for each in members:
                each.heard(f"{speaker.name}: hello")


def in_order(make_app: Any) -> None:
    """Two speak at the same time, in many small steps."""
    with room(make_app, 1000) as served:
        ada, bob, eve = comes(served, "ada", "bob", "eve")
        for number in range(40):
            ada.say(f"{number}")
            bob.say(f"{number}")
        heard = [[each.hears("what was said") for _ in range(80)] for each in (ada, bob, eve)]
    if not heard[0] == heard[1] == heard[2]:
        place = next(
            at for at, all_of in enumerate(zip(*heard, strict=True)) if len(set(all_of)) > 1
        )
        got = [each[place] for each in heard]
        raise Broken(f"message {place + 1} is not the same for all three", got=got)
    for name in ("ada", "bob"):
        own = [text for text in heard[2] if text.startswith(name)]
        same(own, [f"{name}: {number}" for number in range(40)], f"what eve heard of {name}")


def who_leaves(make_app: Any) -> None:
    """One closes, one is cut off; the others are told, and go on."""
    with room(make_app) as served:
        ada, bob, eve, dan = comes(served, "ada", "bob", "eve", "dan")
        bob.wire.send(closing(1000))
        for each in (ada, eve, dan):
            each.heard("bob left")
        eve.wire.reset()
        for each in (ada, dan):
            each.heard("eve left")
        ada.say("still here?")
        for each in (ada, dan):
            each.heard("ada: still here?")


def much_at_once(make_app: Any) -> None:
    """One says more than a mailbox holds, in one write; all read."""
    with room(make_app, 4) as served:
        ada, bob = comes(served, "ada", "bob")
        ada.say(*[str(number) for number in range(60)])
        for each in (ada, bob):
            each.heard(*[f"ada: {number}" for number in range(60)])


def slow_reader(served: Served) -> tuple[Member, Member, Member]:
    """Return two that read and one that will not, and has little room for what it does not read.

    The slow one came between the two: who is told of it in the midst of a message shows.
    """
    ada, tortoise, bob = comes(served, "ada", "tortoise", "bob")
    tortoise.wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    return ada, bob, tortoise


def nobody_waits(make_app: Any) -> None:
    """One does not read while others talk, and those hear all in the same order."""
    with room(make_app) as served:
        ada, bob, _ = slow_reader(served)
        heard: dict[str, list[str]] = {"ada": [], "bob": []}
        for number in range(80):
            ada.say(f"{number} {LONG}")
            for each in (ada, bob):
                while (text := each.hears("what ada says, while tortoise reads nothing")) != (
                    f"ada: {number} {LONG}"
                ):
                    same(text, "tortoise left", f"what {each.name} hears")
                    heard[each.name].append(text)
                heard[each.name].append(f"ada: {number}")
    for place, (one, other) in enumerate(zip(*heard.values(), strict=False)):
        if one != other:
            texts = [all_of[place : place + 2] for all_of in heard.values()]
            problem = "ada and bob do not hear the same order, when the slow one leaves"
            raise Broken(problem, got=f"ada {texts[0]}, bob {texts[1]}")


def until_it_left(speaker: Member, listener: Member) -> None:
    """Let one speak until both are told that the slow one has left."""
    for _ in range(200):
        speaker.say(LONG)
        speaker.hears("its own words")
        if listener.hears("what is said, or who has left") == "tortoise left":
            return
    raise Broken(
        "tortoise has read nothing of 200 messages of 8,000 letters, and is still in the room",
        wanted="tortoise left",
    )


def is_told(make_app: Any) -> None:
    """The slow one is out of the room: the others hear it, and so does it."""
    with room(make_app) as served:
        ada, bob, tortoise = slow_reader(served)
        until_it_left(ada, bob)
        while (
            got := tortoise.talk.hear("a close frame for tortoise, who reads at last")
        ).opcode != CLOSE:
            pass
        same(got.code, 1013, "the code that the slow one is closed with")


BROADCAST = Exercise(
    name="broadcast",
    chapter=12,
    title="A room with a slow reader",
    effort=3,
    subject="make_app",
    points=(
        Point(
            "everybody hears",
            everybody_hears,
            "forgetting the speaker, or putting somebody into the room before they are accepted.",
            "ASGI WebSocket 2.5, Accept",
        ),
        Point(
            "in order",
            in_order,
            "a task for each message: nobody says which of two tasks sends first. One coroutine "
            "for each reader, which takes from one queue.",
        ),
        Point(
            "who leaves",
            who_leaves,
            "telling it only behind the loop that receives. One may also leave while you send, "
            "where OSError is raised, and in the speaker's own coroutine: then the wrong one ends. "
            "`finally` is for this.",
            "ASGI WebSocket 2.5, Disconnected Client",
        ),
        Point(
            "much at once",
            much_at_once,
            "receive returns at once while messages are there, and a coroutine that never has to "
            "wait gives nobody a turn: all mailboxes are full before one of them was looked into. "
            "`await asyncio.sleep(0)` gives a turn.",
        ),
        Point(
            "nobody waits",
            nobody_waits,
            "`await send(...)`, or `await queue.put(...)` on a full queue, in the coroutine of the "
            "one who speaks. It must only put, and never wait. Or, where the order is not the same "
            "for all: telling that one has left in the midst of the loop that still delivers a "
            "message. Note who has no room, and let them leave behind the loop.",
        ),
        Point(
            "the slow one is told",
            is_told,
            "a mailbox without a limit, or one that leaves out messages in silence; or waiting for "
            "the coroutine that stands in the slow one's send. Wait for what comes first, cancel "
            "the rest, then close.",
            "ASGI WebSocket 2.5, Close",
        ),
    ),
    hints=(
        "Who may wait for a reader's network? Give that somebody a coroutine for each reader.",
        "For each client three tasks: one receives and puts into all mailboxes (put_nowait), one "
        "empties the own mailbox, one waits for an Event that says 'too slow'. New here: "
        "asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED) returns when the first of them "
        "has ended, and leaves the others running. And receive returns at once while messages are "
        "there: behind each, `await asyncio.sleep(0)` lets the mailboxes be emptied.",
        """
        The heart of it:

            tasks = [asyncio.create_task(work) for work in (listen(), deliver(), behind.wait())]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                del room[box]
                tell(f"{name} left")
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            if behind.is_set():
                await send({"type": "websocket.close", "code": 1013})
        """,
    ),
    afterwards="""
        This room lives in one process. With several workers each has its own, and only those in the
        same one hear each other; chapter 16 joins them.

        Uvicorn and Hypercorn, as ours, let `await send` wait when a reader's buffers are full, and
        know nothing of rooms: what a slow reader costs, and whom, is decided in the application.
        Django's Channels decides by `capacity`: a full channel drops messages.
        """,
    seconds=9.0,
)


EXERCISES = (DECODE_A_FRAME, FRAGMENTS, BROADCAST)
