"""HTTP/2: streams and their states, flow control, floods (RFC 9113 §5, §6.9, §10.5)."""

from __future__ import annotations

import time

from .asking import Asking, Miss, expect, request, same
from .http2 import (
    CONTINUATION,
    DATA,
    END_STREAM,
    HEADERS,
    PING,
    SETTLED,
    Connection,
    connected,
    fails,
    frame,
    h2,
    head,
    reset,
    settings,
    window,
)
from .model import NotAsked

PROTOCOL, CLOSED, FLOW = "PROTOCOL_ERROR", "STREAM_CLOSED", "FLOW_CONTROL_ERROR"
STREAMS, WINDOW = 3, 4  # settings (RFC 9113 §6.5.2)
STATES = "RFC 9113 §5.1"
SHORT = 0.15  # seconds in which nothing must come

# ---------------------------------------------------------------- streams


@h2("many streams", "RFC 9113 §5")
def many_streams(it: Asking) -> None:
    """Requests on many streams at once are all answered, each on its own."""
    connection = connected(it)
    streams = [connection.ask(f"/ok?say=number{number}") for number in range(20)]
    for number, stream in enumerate(streams):
        reply = connection.answer(stream)
        same(reply.status, 200, f"the status on stream {stream}")
        expect(not it.interface or reply.body == b"number%d" % number, "another stream's answer",
               connection.sent[-500:], reply.body)  # fmt: skip


@h2("one after the other", STATES)
def one_after_the_other(it: Asking) -> None:
    """A connection carries one request after the other, on streams of rising numbers."""
    connection = connected(it)
    for _ in range(5):
        same(connection.get().status, 200, f"the status on stream {connection.next - 2}")
    connection.next = 1001  # numbers may be left out
    same(connection.get().status, 200, "the status on stream 1001")


@h2("a slow stream beside", "RFC 9113 §5", interface="asgi", choice=True)
def a_slow_stream_beside(it: Asking) -> None:
    """A request that takes long holds up none behind it on the same connection."""
    token = it.token()
    connection = connected(it)
    slow = connection.ask(f"/wait?token={token}")
    it.noted(token, "here", "the slow request to have begun")
    reply = connection.get()
    expect(not connection.replies[slow].over, "the slow one was waited for")
    same(reply.status, 200, "the status of the quick one")
    it.open(token)
    same(connection.answer(slow).body, b"opened", "the slow one")


@h2("an even stream", "RFC 9113 §5.1.1")
def an_even_stream(it: Asking) -> None:
    """The streams of a client have odd numbers: an even one is a connection error."""
    connection = connected(it)
    connection.put(connection.request(stream=2)).is_failed(PROTOCOL, why="stream 2", suspect=8)


@h2("a stream of the past", "RFC 9113 §5.1.1")
def a_stream_of_the_past(it: Asking) -> None:
    """A new stream has a higher number than all before it: else it is a connection error."""
    connection = connected(it)
    connection.next = 5
    connection.get()
    begin = len(connection.sent)
    connection.put(connection.request(stream=3))
    connection.is_failed(PROTOCOL, CLOSED, why="stream 3 behind stream 5", suspect=begin + 8)


@h2("frames on an idle stream", STATES)
def frames_on_an_idle_stream(it: Asking) -> None:
    """On a stream that nobody has opened only HEADERS and PRIORITY may come."""
    for sent in (frame(DATA, 0, 1, b"x"), reset(1), window(10, 1)):
        fails(it, sent, codes=(PROTOCOL,), why="stream 1 is idle", at=8)


def waits(it: Asking) -> Connection:
    """Return a connection whose stream 1 was ended by the client, and has no answer yet."""
    connection = connected(it)
    token = it.token()
    connection.ask(f"/wait?token={token}")
    it.noted(token, "here", "the application to wait")
    return connection


@h2("content behind the end", STATES, interface="asgi")
def content_behind_the_end(it: Asking) -> None:
    """DATA on a stream that the client has ended is STREAM_CLOSED."""
    connection = waits(it).put(frame(DATA, 0, 1, b"more"))
    connection.is_reset(1, CLOSED, why="DATA behind END_STREAM")


@h2("a head behind the end", STATES, interface="asgi")
def a_head_behind_the_end(it: Asking) -> None:
    """HEADERS on a stream that the client has ended are STREAM_CLOSED."""
    connection = waits(it)
    connection.put(connection.request(stream=1)).is_reset(1, CLOSED, why="HEADERS behind the end")


@h2("as many streams as allowed", "RFC 9113 §5.1.2", interface="asgi")
def as_many_as_allowed(it: Asking) -> None:
    """One stream more than the server has allowed is refused, and the others go on."""
    connection = connected(it)
    connection.settled()
    most = connection.settings.get(STREAMS)
    if most is None or most > 300:
        raise NotAsked("the server allows any number, or very many")
    token = it.token()
    connection.put(*[connection.request(f"/wait?token={token}") for _ in range(most)])
    extra = connection.ask("/ok")
    connection.is_reset(extra, "REFUSED_STREAM", PROTOCOL, why=f"stream {most + 1} of {most}")
    it.open(token)
    if connection.goaway is None:
        same(connection.answer(1).body, b"opened", "the first of them")


@h2("a reset stream", "RFC 9113 §6.4")
def a_reset_stream(it: Asking) -> None:
    """A stream that the client resets is over; the others go on."""
    connection = connected(it)
    other = connection.ask("/ok", end=False)
    gone = connection.ask("/big?size=300000")
    connection.put(reset(gone), frame(DATA, END_STREAM, other))
    same(connection.answer(other).status, 200, "the stream beside it", connection.sent)
    same(connection.get().status, 200, "the stream behind it", connection.sent)
    expect(connection.goaway is None, "the whole connection ended", connection.sent,
           connection.goaway)  # fmt: skip


@h2("a reset stream's late frames", STATES)
def late_frames(it: Asking) -> None:
    """WINDOW_UPDATE and RST_STREAM may come late on a stream that is over: they are ignored."""
    connection = connected(it)
    connection.get()
    connection.put(window(100, 1), reset(1))
    same(connection.get().status, 200, "the next request", connection.sent)


@h2("an error costs its stream", "RFC 9113 §5.4.2", choice=True)
def an_error_costs_its_stream(it: Asking) -> None:
    """A malformed request ends its own stream, and the others go on."""
    connection = connected(it)
    bad = connection.ask(head("/ok", (b"Upper", b"case")))
    connection.is_reset(bad, PROTOCOL, why="a name in capitals", status=True)
    same(connection.get().status, 200, "the next request", connection.sent)


# ---------------------------------------------------------------- flow control


def stalled(connection: Connection, stream: int, size: int, what: str) -> None:
    """Demand exactly so much content, and nothing more while no window is opened."""
    reply = connection.replies[stream]
    connection.until(lambda: len(reply.body) >= size, f"{size} bytes: {what}")
    if connection.wire.readable(SHORT):
        connection.read("what comes beyond the window")
    problem = f"{len(reply.body)} bytes came, and the window has {size}: {what}"
    expect(len(reply.body) <= size and not reply.complete, problem, connection.sent[-500:])


def unfinished(connection: Connection) -> bytes:
    """Return the head of a request whose content is still to come: it has no answer yet."""
    return connection.request(head("/echo", method=b"POST"), end=False)


@h2("the window of a stream", "RFC 9113 §6.9", interface="asgi")
def the_window_of_a_stream(it: Asking) -> None:
    """No more content is sent than a stream's window has; WINDOW_UPDATE opens it again."""
    connection = connected(it, (WINDOW, 1000), greedy=False)
    stream = connection.ask("/big?size=4000")
    stalled(connection, stream, 1000, "the initial window is 1000")
    connection.put(window(1500, stream))
    stalled(connection, stream, 2500, "1500 more")
    connection.put(window(1500, stream))
    same(len(connection.answer(stream).body), 4000, "the size of all")


@h2("the window of all streams", "RFC 9113 §6.9.1", interface="asgi")
def the_window_of_all(it: Asking) -> None:
    """All streams together have a window of their own, of 65,535 bytes at first."""
    connection = connected(it, (WINDOW, 1 << 20), greedy=False)
    stream = connection.ask("/big?size=100000")
    stalled(connection, stream, 65535, "the connection's window")
    connection.put(window(34465))
    same(len(connection.answer(stream).body), 100000, "the size of all")


@h2("a window that changes", "RFC 9113 §6.9.2", interface="asgi")
def a_window_that_changes(it: Asking) -> None:
    """A new SETTINGS_INITIAL_WINDOW_SIZE changes the windows of open streams, also below zero."""
    connection = connected(it, (WINDOW, 0), greedy=False)
    stream = connection.ask("/big?size=4000")
    reply = connection.replies[stream]
    connection.until(lambda: reply.status, "the head, which needs no window")
    connection.put(settings((WINDOW, 500)))
    stalled(connection, stream, 500, "the new window is 500")
    connection.put(settings((WINDOW, 100)), window(400, stream))
    stalled(connection, stream, 500, "it was 400 below zero, and is 0")
    connection.put(window(3500, stream))
    same(len(connection.answer(stream).body), 4000, "the size of all")


@h2("the window is given back", "RFC 9113 §6.9.1", interface="asgi")
def the_window_is_given_back(it: Asking) -> None:
    """What the application has read may be sent again: an upload of 400 KB arrives."""
    connection = connected(it)
    connection.settled()
    stream = connection.ask(head("/echo", method=b"POST"), end=False)
    left, sent = 400_000, 0
    while left:
        connection.windows.setdefault(stream, 0)
        first = connection.settings.get(WINDOW, 65535) + connection.windows[stream]
        room = min(first - sent, 65535 + connection.windows.get(0, 0) - sent, left, 16384)
        if room <= 0:
            connection.read(f"room for more than {sent} bytes of the upload")
            expect(not connection.ended, "the connection ended", None, connection.goaway)
            continue
        left, sent = left - room, sent + room
        connection.wire.send(frame(DATA, 0 if left else END_STREAM, stream, b"u" * room))
    same(len(connection.answer(stream).body), 400_000, "the size of the echo")


@h2("a window of nothing more", "RFC 9113 §6.9")
def a_window_of_nothing(it: Asking) -> None:
    """WINDOW_UPDATE of 0 is an error: of the stream on a stream, else of the connection."""
    fails(it, window(0), codes=(PROTOCOL,), why="WINDOW_UPDATE of 0", at=9)
    connection = connected(it)
    connection.put(unfinished(connection), window(0, 1))
    connection.is_reset(1, PROTOCOL, why="WINDOW_UPDATE of 0")


@h2("a window beyond its limit", "RFC 9113 §6.9.1")
def a_window_beyond(it: Asking) -> None:
    """A window over 2 to the 31 is FLOW_CONTROL_ERROR: of the stream, or of the connection."""
    most = (1 << 31) - 1
    fails(it, window(most), codes=(FLOW,), why="65,535 and 2147483647", at=9)
    connection = connected(it)
    connection.put(unfinished(connection), window(most, 1))
    connection.is_reset(1, FLOW, why="over 2 to the 31")


@h2("settings that overflow a window", "RFC 9113 §6.9.2")
def settings_that_overflow(it: Asking) -> None:
    """SETTINGS that bring an open stream's window over its limit are FLOW_CONTROL_ERROR."""
    connection = connected(it)
    more = window(1 << 30, 1), settings((WINDOW, (1 << 31) - 1))
    connection.put(unfinished(connection), *more)
    connection.is_failed(FLOW, why="over 2 to the 31")


@h2("a client beyond the window", "RFC 9113 §6.9", interface="asgi", choice=True)
def a_client_beyond_the_window(it: Asking) -> None:
    """A client that sends more than the windows have is stopped with FLOW_CONTROL_ERROR."""
    connection = connected(it)
    connection.settled()
    stream = connection.ask(head("/wait", method=b"POST"), end=False)
    room = max(connection.settings.get(WINDOW, 65535), 65535 + connection.windows.get(0, 0))
    if room > 8 << 20:
        raise NotAsked("the windows are very large")
    piece = frame(DATA, 0, stream, bytes(16384))
    connection.wire.send(piece * (room // 16384 + 2))
    connection.is_reset(stream, FLOW, why="more than the windows have")


@h2("a client that takes nothing", "RFC 9113 §5.2.1", interface="asgi", choice=True)
def a_client_that_takes_nothing(it: Asking) -> None:
    """A server whose client opens no window lets the application wait: memory does not fill."""
    token = it.token()
    connection = connected(it, greedy=False)
    connection.ask(f"/endless?most=60000000&token={token}")
    connection.until(lambda: connection.replies[1].body, "the first content")
    before, still = -1, 0
    while still < 15:
        notes = it.left_behind(token)
        expect(not any("done" in each for each in notes), "60 MB were taken, and nobody reads them")
        still = still + 1 if len(notes) == before else 0
        before = len(notes)
        time.sleep(0.02)
    same(connected(it).get().status, 200, "the client beside it")


@h2("a shut window beside", "RFC 9113 §5.2", interface="asgi", choice=True)
def a_shut_window_beside(it: Asking) -> None:
    """A stream whose window is shut holds up no other."""
    connection = connected(it, (WINDOW, 100), greedy=False)
    shut = connection.ask("/big?size=4000")
    stalled(connection, shut, 100, "its window is shut")
    same(connection.get("/ok").body, b"ok", "the stream beside it")


# ---------------------------------------------------------------- floods

FLOODS = "RFC 9113 §10.5"


def calmed(connection: Connection, frames: bytes, times: int, what: str) -> None:
    """Demand that a flood is ended, by GOAWAY or by the end of the connection."""
    for _ in range(times):
        connection.wire.send(frames)
        if connection.wire.was_reset:
            return
        while connection.wire.readable(0) and connection.goaway is None and not connection.ended:
            connection.read("the end of a flood")
        if connection.goaway is not None or connection.ended:
            return
    connection.put(frame(PING, 0, 0, SETTLED))
    while connection.goaway is None and not connection.ended:
        if SETTLED in connection.pongs:
            raise Miss(f"{what}: all of them were taken", sent=frames[:60], got=b"")
        connection.read("the end of a flood")


@h2("20,000 pings", FLOODS, choice=True)
def a_flood_of_pings(it: Asking) -> None:
    """Twenty thousand pings are no question any more: such a client is cut off."""
    calmed(connected(it), frame(PING, 0, 0, bytes(8)) * 500, 40, "20,000 pings")


@h2("a flood of settings", FLOODS, choice=True)
def a_flood_of_settings(it: Asking) -> None:
    """Ten thousand SETTINGS frames, each of which wants an answer, are cut off."""
    calmed(connected(it), settings((STREAMS, 100)) * 500, 20, "10,000 SETTINGS")


@h2("a flood of empty frames", FLOODS, choice=True)
def a_flood_of_empty_frames(it: Asking) -> None:
    """Ten thousand DATA frames of nothing are cut off."""
    connection = connected(it)
    stream = connection.ask(head("/wait", method=b"POST"), end=False)
    calmed(connection, frame(DATA, 0, stream) * 500, 20, "10,000 empty frames")


@h2("a head without end", FLOODS, choice=True)
def a_head_without_end(it: Asking) -> None:
    """CONTINUATION without end is given up, before memory is full of it."""
    connection = connected(it)
    connection.wire.send(frame(HEADERS, END_STREAM, 1, b"\x82\x86\x84\x41\x01a"))
    piece = b"\x00\x01a\x7f\x81\x7e" + b"b" * 253
    calmed(connection, frame(CONTINUATION, 0, 1, piece * 10) * 20, 30, "1.5 MB of one head")


@h2("rapid reset", FLOODS, interface="asgi", choice=True)
def rapid_reset(it: Asking) -> None:
    """Streams that are opened and reset at once, without end, start no application without end."""
    token = it.token()
    connection = connected(it)
    for _ in range(10):
        for _ in range(100):
            stream = connection.next
            connection.wire.send(connection.request(f"/wait?token={token}") + reset(stream))
        if connection.wire.was_reset:
            break
    begun = sum("here" in each for each in it.notes(token))
    expect(begun <= 300, f"1000 streams were reset, and {begun} applications begun for them")
    same(it.ask(request("/ok")).status, 200, "the client beside it")
