"""Every bug that we fear in HTTP/2 is found by a case of the contract, or by a test of the engine.

A mutant is our server with one bug.  The case that is named beside it fails on the mutant and
passes on the server as it is: that is the proof that the case looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from contracts.async_shells import PATIENT
from contracts.http2_shells import Http2Ours

from handmade import (
    asgi_scope,
    http2,
    http2_fields,
    http2_frames,
    http2_hpack,
    http2_reading,
    http2_sending,
    http2_streams,
    protocol_http2,
    protocol_http2_stream,
    protocol_http2_wire,
)
from handmade.http2_events import Code
from workbench.contracts import find
from workbench.gauntlet.museum import infected, nothing


@dataclass(frozen=True)
class Mutant:
    """A bug, the case that finds it, and how we get it."""

    bug: str
    case: str
    change: Callable[..., Any]


MUTANTS: list[Mutant] = []
HURRIED = replace(PATIENT, graceful=2.0)  # an application that a mutant lets hang never ends


def mutant(bug: str, case: str) -> Callable[..., Any]:
    """Note a mutant; its function is given ``patch(target, name, new)``."""

    def note(change: Callable[..., Any]) -> Callable[..., Any]:
        MUTANTS.append(Mutant(bug, case, change))
        return change

    return note


@mutant("no nuisance is ever too much", "a flood of pings")
@mutant("the same, for settings", "a flood of settings")
@mutant("the same, for empty frames", "a flood of empty frames")
@mutant("the same, for window updates", "a flood of window updates")
def boundless_patience(patch):
    patch(http2_frames.FrameReader, "spend", nothing)


@mutant("window updates that answer what we send are a flood", "a download through small windows")
def updates_are_a_flood(patch):
    patch(http2_frames.FrameReader, "earn", nothing)
    no_time_goes_by(patch)


def no_time_goes_by(patch):
    """Let patience grow by nothing but what is earned: time forgives who is slow, as we may be."""
    patch(http2_frames.FrameReader, "refill", nothing)


@mutant("applications of streams that were reset do not count", "rapid reset")
def resets_make_room(patch):
    patch(protocol_http2.Http2Protocol, "_too_many", lambda self: False)
    patch(http2_frames.FrameReader, "spend", nothing)


@mutant("heads are put together whatever they weigh", "a flood of continuations")
def endless_heads(patch):
    patch(http2_frames.FrameReader, "_check_block", nothing)


@mutant("a head may unfold to anything", "a bomb of HPACK")
def a_bomb(patch):
    init = http2_hpack.RememberingDecoder.__init__

    def boundless(self, most):
        init(self, 1 << 40)

    patch(http2_hpack.RememberingDecoder, "__init__", boundless)


@mutant("what has arrived is acknowledged, read or not", "an upload that nobody reads")
def acknowledged_at_once(patch):
    feed = protocol_http2_stream.StreamChannel.feed

    def fed(self, event):
        feed(self, event)
        if hasattr(event, "data"):
            self.engine.acknowledge(self.id, len(event.data))

    read = http2.Connection.acknowledge
    patch(protocol_http2_stream.StreamChannel, "feed", fed)
    patch(
        http2.Connection,
        "acknowledge",
        lambda self, stream_id, size: (
            read(self, stream_id, size)
            if stream_id in self.streams and self.streams[stream_id].unread >= size
            else None
        ),
    )


@mutant("nothing is ever acknowledged", "an upload")
def never_acknowledged(patch):
    patch(http2.Connection, "acknowledge", nothing)


@mutant("every byte is acknowledged by itself", "an upload")
def chatter(patch):
    def at_once(self, stream_id, size):
        for part in (size // 2, size - size // 2):
            for whose in (stream_id, None):
                if part and (whose is None or stream_id in self.streams):
                    self._h2.increment_flow_control_window(part, whose)
        self.streams[stream_id].unread -= size

    patch(http2.Connection, "acknowledge", at_once)
    patch(protocol_http2_stream, "BUFFERED", 1)


@mutant("the window of dropped content is lost", "what was on its way")
def lost_window(patch):
    patch(http2_streams, "PORTION", 1 << 62)


@mutant("the first stream sends all it has before the next one", "a short answer beside a long one")
def no_turns(patch):
    def pump(self, room):
        for queue in list(self._turns):
            while room > 0 and not queue.empty and (sent := self._send(queue)) >= 0:
                room -= sent
            if not queue.empty:
                return room
            self.drop(queue.stream_id)
        return room

    patch(http2_sending.Outbox, "pump", pump)


@mutant("a stream that cannot send stops the others", "a shut stream beside an open one")
def one_stops_all(patch):
    pump = http2_sending.Outbox.pump

    def stops(self, room):
        if self._turns and self._send(self._turns[0]) < 0:
            return room
        return pump(self, room)

    patch(http2_sending.Outbox, "pump", stops)


@mutant("send waits for nobody", "send waits for the client")
def no_backpressure(patch):
    patch(protocol_http2_stream, "HELD", 1 << 62)


@mutant("an application's failure cuts the connection", "a failure after the start")
def cuts_all(patch):
    patch(protocol_http2_stream.StreamChannel, "abort", lambda self: self.wire.abort())


@mutant("a failure ends the stream as if it were whole", "a failure after the start")
def ends_short(patch):
    def ends(self):
        self.engine._h2.end_stream(self.id)
        self.wire.flush_soon()
        self.lose()

    patch(protocol_http2_stream.StreamChannel, "abort", ends)


@mutant("the reset of an early answer says CANCEL", "an answer before the request's end")
def cancels(patch):
    sent = http2.Connection._sent

    def cancel(self, queue):
        queue.end = None
        if self.streams[queue.stream_id].ended:
            sent(self, queue)
        else:
            self.reset(queue.stream_id, Code.CANCEL)

    patch(http2.Connection, "_sent", cancel)


@mutant("connection-specific fields go out", "fields about the connection")
def connection_fields(patch):
    patch(http2_fields, "CONNECTION", frozenset())
    # What h2 or a client makes of them is its own affair: the fields must not be there.


@mutant("connection-specific fields come in", "malformed requests")
def connection_fields_come_in(patch):
    patch(http2_fields, "CONNECTION", frozenset())


@mutant("a malformed request ends the connection", "malformed requests")
def malformed_ends_all(patch):
    def fails(self, stream_id, code):
        raise http2_reading.ConnectionFailed(code, "malformed")

    patch(http2_streams.Streams, "_reset_for", fails)


@mutant("a Host beside another :authority is passed on", "malformed requests")
def two_hosts(patch):
    def first(pseudo, fields):
        host = pseudo.get(b":authority") or dict(fields).get(b"host", b"")
        return ((b"host", host), *(f for f in fields if f[0] != b"host"))

    patch(http2_fields, "_with_host", first)


@mutant("cookies stay apart", "cookies")
def cookies_apart(patch):
    patch(http2_fields, "_with_one_cookie", lambda fields: fields)


@mutant("the Content-Length is not compared", "a body of another length")
def any_length(patch):
    head = http2_reading.read_head

    def without(fields, limits):
        judged = head(fields, limits)
        return http2_fields.Head(judged.request, None, judged.error)

    patch(http2_reading, "read_head", without)


@mutant("a decoding error is a protocol error", "connection errors")
def wrong_code(patch):
    patch(http2_hpack.CompressionError, "error_code", Code.PROTOCOL_ERROR)


@mutant("a reset of an idle stream is passed over", "connection errors")
def idle_resets(patch):
    check = http2_frames.FrameReader._check

    def lax(self, frame):
        if frame.kind is not http2_frames.Kind.RST_STREAM:
            check(self, frame)

    patch(http2_frames.FrameReader, "_check", lax)


@mutant("one stream too many ends the connection", "one stream too many")
def too_many_ends_all(patch):
    request = http2_reading.Reader._on_request

    def fails(self, event):
        if len(self.streams) >= self.http2.streams:
            raise http2_reading.ConnectionFailed(Code.PROTOCOL_ERROR, "too many")
        request(self, event)

    table = dict(http2_reading.Reader._TRANSLATE)
    table[next(iter(table))] = fails
    patch(http2_reading.Reader, "_TRANSLATE", table)


@mutant("a client that says GOAWAY gets nothing more", "a client that says GOAWAY")
def deaf_to_who_goes(patch):
    def goaway(self, frame):
        self._h2.receive_data(frame.data)
        self.leaving = True

    patch(http2_reading.Reader, "_read_goaway", goaway)


@mutant("a server that stops says no GOAWAY", "a server that stops")
def no_goodbye(patch):
    patch(http2_streams.Streams, "goaway", nothing)


@mutant("streams that come too late are served", "too late for a server that stops")
def never_too_late(patch):
    patch(http2_streams.Streams, "take_no_more", nothing)


@mutant("pings keep a connection open", "pings do not keep a connection open")
def pings_keep_open(patch):
    advance = protocol_http2.Http2Protocol._advance

    def lives_on(self):
        advance(self)
        self.deadline += 1

    patch(protocol_http2.Http2Protocol, "_advance", lives_on)


@mutant("nobody looks at the streams", "a body that does not go on")
@mutant("the same, for who takes nothing", "a client that takes nothing")
def nobody_looks(patch):
    patch(protocol_http2_stream.StreamChannel, "look", nothing)


@mutant("a stream that is reset is not told to its application", "a stream that is reset")
def not_told(patch):
    patch(protocol_http2.Http2Protocol, "_lose", nothing)


@mutant("the answer to HEAD has content", "HEAD")
def head_has_content(patch):
    from handmade import http2_stream

    choose = http2_stream.choose_writer
    patch(http2_stream, "choose_writer", lambda method, *more: choose(b"GET", *more))


@mutant("trailers are forgotten", "trailers")
def no_trailers(patch):
    def end(self, queue):
        self._h2.end_stream(queue.stream_id)
        self._sent(queue)

    patch(http2.Connection, "_send_end", end)


@mutant("100 is sent with the head of every request that expects it", "100-continue")
def early_invitation(patch):
    init = protocol_http2_stream.StreamChannel.__init__

    def invites(self, wire, request):
        init(self, wire, request)
        self.read()

    patch(protocol_http2_stream.StreamChannel, "__init__", invites)


@mutant(
    "a window that is given back is told when somebody writes", "an upload through a small window"
)
def told_late(patch):
    patch(protocol_http2_wire.Http2Wire, "flush_soon", nothing)


@mutant("the scheme is what the client says", "the scheme")
def own_scheme(patch):
    scope = asgi_scope.http_scope

    def http(request, client, server):
        return scope(request, client, server) | {"scheme": request.scheme.decode()}

    from handmade import asgi

    patch(asgi, "http_scope", http)


@mutant("what the decoder remembers is never forgotten", "one after the other")
def never_forgets(patch):
    class Stubborn(dict):
        def clear(self):
            pass

    init = http2_hpack.RememberingDecoder.__init__

    def remembers(self, most):
        init(self, most)
        self._known = Stubborn()

    patch(http2_hpack.RememberingDecoder, "__init__", remembers)


@pytest.fixture(autouse=True)
def _forget():
    yield
    http2_fields.response_fields.cache_clear()


@pytest.mark.parametrize("each", MUTANTS, ids=lambda each: each.bug.replace(" ", "_"))
def test_the_case_finds_the_mutant(each):
    """What a mutant leaves undone is waited for, but when the case is over we are in a hurry."""
    http2_fields.response_fields.cache_clear()
    server = Http2Ours("asyncio", patience=1.5, timeouts=HURRIED)
    with pytest.raises((AssertionError, OSError)), infected(each.change):
        find("http2", each.case).run(server)


def test_without_time_the_server_as_it_is_keeps_the_contract():
    with infected(no_time_goes_by):
        find("http2", "a download through small windows").run(Http2Ours("asyncio", patience=60.0))


def test_there_are_enough():
    assert len({mutant.change for mutant in MUTANTS}) >= 30
