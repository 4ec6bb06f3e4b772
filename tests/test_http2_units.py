"""The engine of HTTP/2 without a socket: frames, HPACK, turns, windows, patience (RFC 9113)."""

from __future__ import annotations

import doctest
import importlib

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded
from h2.settings import SettingCodes
from hpack import Decoder, Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from handmade.events import (
    NEED_DATA,
    Closed,
    Data,
    End,
    Informational,
    Limits,
    OurError,
    Request,
    Response,
)
from handmade.http2 import Connection
from handmade.http2_events import (
    ALLOWANCE,
    PREFACE,
    Code,
    ConnectionFailed,
    Http2Limits,
    Nuisance,
    Refused,
    Reset,
)
from handmade.http2_frames import CONTINUATION, DATA, HEADERS, SETTINGS, Kind, encode_frame
from handmade.http2_hpack import TABLE, RememberingDecoder, RememberingEncoder
from handmade.http2_sending import Outbox

GREETING = PREFACE + encode_frame(SETTINGS, 0, 0, b"")
HEAD = ((b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/a"), (b":authority", b"b"))


def opened(limits=None, http2=None):
    """Return an engine that has been greeted."""
    engine = Connection(limits, http2)
    engine.receive(GREETING)
    assert engine.next_event() is NEED_DATA
    engine.outgoing()
    return engine


def head(stream_id=1, *more, end=False, fields=HEAD):
    """Return a request's head in one frame, encoded without a table."""
    return encode_frame(HEADERS, 4 | end, stream_id, block((*fields, *more)))


def block(fields):
    encoder = Encoder()
    return encoder.encode([(*field, True) for field in fields])


def events_of(engine):
    """Return the events that are there; the last is the error, where there is one."""
    events = []
    try:
        while (event := engine.next_event()) is not NEED_DATA:
            events.append(event)
    except ConnectionFailed as error:
        events.append(error)
    return events


def client(**how):
    """Return a client of h2, greeted both ways, and the engine that it speaks to."""
    engine = Connection(**how)
    peer = H2Connection(H2Configuration(client_side=True, header_encoding=None))
    peer.initiate_connection()
    engine.receive(peer.data_to_send())
    assert engine.next_event() is NEED_DATA
    peer.receive_data(engine.outgoing())
    engine.receive(peer.data_to_send())
    assert engine.next_event() is NEED_DATA
    return peer, engine


@pytest.mark.parametrize("module", ["http2", "http2_frames", "http2_fields"])
def test_the_examples_are_true(module):
    result = doctest.testmod(importlib.import_module(f"handmade.{module}"))
    assert result.attempted > 2
    assert result.failed == 0


# ---------------------------------------------------------------- bytes in, events out


SENT = (
    GREETING
    + head(1, (b"cookie", b"a=1"), (b"cookie", b"b=2"))
    + encode_frame(DATA, 0, 1, b"hello")
    + encode_frame(HEADERS, 0, 3, block(HEAD)[:7])
    + encode_frame(CONTINUATION, 4, 3, block(HEAD)[7:])
    + encode_frame(DATA, 8, 1, b"\3 world\0\0\0")
    + encode_frame(HEADERS, 5, 1, block(((b"x-sum", b"1"),)))
    + encode_frame(Kind.RST_STREAM, 0, 3, b"\0\0\0\x08")
)
HOST = (b"host", b"b")
CAME = [
    Request(b"POST", b"/a", (HOST, (b"cookie", b"a=1; b=2")), b"2", stream_id=1, scheme=b"http"),
    Data(b"hello", 1),
    Request(b"POST", b"/a", (HOST,), b"2", stream_id=3, scheme=b"http"),
    Data(b" world", 1),
    End(((b"x-sum", b"1"),), 1),
    Reset(Code.CANCEL, 3),
]  # fmt: skip


def test_whole():
    engine = Connection()
    engine.receive(SENT)
    assert events_of(engine) == CAME


def test_byte_by_byte():
    engine, came = Connection(), []
    for position in range(len(SENT)):
        engine.receive(SENT[position : position + 1])
        came += events_of(engine)
    assert came == CAME


@pytest.mark.parametrize("cut", range(1, len(SENT), 7))
def test_in_two(cut):
    engine = Connection()
    engine.receive(SENT[:cut])
    came = events_of(engine)
    engine.receive(SENT[cut:])
    assert came + events_of(engine) == CAME


def test_the_end_of_the_bytes_is_said_once():
    engine = opened()
    engine.receive(b"")
    engine.receive(b"")
    assert events_of(engine) == [Closed()]
    assert engine.must_close


def test_an_error_comes_behind_what_was_before_it_and_stays():
    engine = opened()
    engine.receive(head(end=True) + encode_frame(Kind.PING, 0, 0, b"short") + head(3, end=True))
    request, end, error = events_of(engine)
    assert (type(request), type(end), error.code) == (Request, End, Code.FRAME_SIZE_ERROR)
    with pytest.raises(ConnectionFailed):
        engine.next_event()
    sent = engine.outgoing()
    assert sent[3] == Kind.GOAWAY
    assert int.from_bytes(sent[9:13]) == 1
    with pytest.raises(OurError):
        engine.send(Response(200, stream_id=1))


def test_a_frame_that_is_too_long_is_refused_by_its_header():
    engine = opened()
    engine.receive(b"\0\x40\1" + b"\0\0\0\0\0\1")  # 16385, and none of them is here
    assert events_of(engine)[0].code is Code.FRAME_SIZE_ERROR


def test_a_head_of_too_many_pieces_is_refused_at_once():
    engine = opened()
    whole = block(HEAD)
    engine.receive(encode_frame(HEADERS, 1, 1, whole[:1]))
    for _ in range(31):
        engine.receive(encode_frame(CONTINUATION, 0, 1, b""))
    assert events_of(engine) == []
    engine.receive(encode_frame(CONTINUATION, 0, 1, b""))
    assert events_of(engine)[0].code is Code.ENHANCE_YOUR_CALM


def test_a_head_of_too_many_bytes_is_refused_before_it_ends():
    engine = opened(Limits(head=10_000))
    engine.receive(encode_frame(HEADERS, 1, 1, b"\0\x01a\x7f\x80\x7f" + bytes(15_000)))
    assert events_of(engine) == []
    engine.receive(encode_frame(CONTINUATION, 0, 1, bytes(5_000)))
    assert events_of(engine)[0].code is Code.ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    ("limits", "fields", "status"),
    [
        (Limits(request_line=10), ((b":path", b"/" + b"a" * 10),), 414),
        (Limits(head=400), ((b"x", b"y" * 400),), 431),
        (Limits(fields=5), ((b"x", b"y"),) * 2, 431),
        (Limits(body=9), ((b"content-length", b"10"),), 413),
        (Limits(), ((b"content-length", b"9" * 5000),), 413),
        (Limits(), ((b":scheme", b"ftp"),), 400),
    ],
)
def test_what_is_too_much_is_refused_with_a_status(limits, fields, status):
    """RFC 9110 §4.1: how long a path may be; RFC 9110 §4.2: the schemes that we know."""
    pseudo = dict(HEAD) | {name: value for name, value in fields if name[:1] == b":"}
    others = [field for field in fields if field[0][:1] != b":"]
    engine = opened(limits)
    engine.receive(head(fields=(*pseudo.items(), *others)))
    (refused,) = events_of(engine)
    assert isinstance(refused, Refused)
    assert refused.error.status == status


def test_a_body_over_the_limit_is_refused_in_the_middle():
    engine = opened(Limits(body=9))
    engine.receive(head() + encode_frame(DATA, 0, 1, b"12345") + encode_frame(DATA, 0, 1, b"67890"))
    *_, refused = events_of(engine)
    assert refused.error.status == 413
    engine.receive(encode_frame(DATA, 1, 1, b"more"))
    assert events_of(engine) == []


def test_an_extended_connect_asks_for_its_protocol():
    """RFC 8441 §4: it is no CONNECT of a proxy, and has a path."""
    engine = opened()
    fields = ((b":method", b"CONNECT"), (b":protocol", b"websocket"), *HEAD[1:])
    engine.receive(head(fields=fields))
    (request,) = events_of(engine)
    assert (request.method, request.target, request.upgrade) == (b"CONNECT", b"/a", (b"websocket",))


def test_extended_connect_is_announced():
    peer, _ = client()
    assert peer.remote_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL] == 1


# ---------------------------------------------------------------- nuisances


CANCEL = b"\0\0\0\x08"
FLOODS = {
    Nuisance.PING: lambda n: encode_frame(Kind.PING, 0, 0, bytes(8)),
    Nuisance.SETTINGS: lambda n: encode_frame(SETTINGS, 0, 0, b""),
    Nuisance.OTHER: lambda n: encode_frame(Kind.WINDOW_UPDATE, 0, 0, b"\0\0\0\1"),
    Nuisance.RESET: lambda n: head(2 * n + 1) + encode_frame(Kind.RST_STREAM, 0, 2 * n + 1, CANCEL),
    Nuisance.EMPTY: lambda n: (head() if n == 0 else b"") + encode_frame(DATA, 0, 1, b""),
}  # fmt: skip


@pytest.mark.parametrize("what", FLOODS, ids=lambda what: what.name)
def test_each_nuisance_has_an_allowance_that_time_restores(what):
    most, rate = ALLOWANCE[what]
    engine = opened()
    left = most - (what is Nuisance.SETTINGS)  # the greeting has used one
    for number in range(left):
        engine.receive(FLOODS[what](number))
    assert not any(isinstance(event, ConnectionFailed) for event in events_of(engine))
    engine.refill(1)
    for number in range(left, left + rate):
        engine.receive(FLOODS[what](number))
    assert not any(isinstance(event, ConnectionFailed) for event in events_of(engine))
    engine.receive(FLOODS[what](left + rate))
    assert events_of(engine)[-1].code is Code.ENHANCE_YOUR_CALM


def test_time_never_gives_more_than_there_was():
    engine = opened()
    engine.refill(1e9)
    for _ in range(ALLOWANCE[Nuisance.PING][0] + 1):
        engine.receive(FLOODS[Nuisance.PING](0))
    assert isinstance(events_of(engine)[-1], ConnectionFailed)


def test_closed_streams_are_not_remembered_for_ever():
    engine = opened()
    for number in range(3000):
        engine.receive(head(2 * number + 1, end=True))
        events_of(engine)
        engine.send(Response(204, stream_id=2 * number + 1))
        engine.send(End(stream_id=2 * number + 1))
    assert len(engine._h2._closed_streams) <= 1000
    assert engine.streams == {}


def test_content_for_a_stream_that_we_have_reset_gives_its_window_back():
    peer, engine = client(http2=Http2Limits(connection_window=100_000, stream_window=90_000))
    for _ in range(10):
        stream_id = peer.get_next_available_stream_id()
        peer.send_headers(stream_id, HEAD)
        engine.receive(peer.data_to_send())
        events_of(engine)
        engine.reset(stream_id, Code.NO_ERROR)
        for _ in range(5):  # the reset has not arrived yet
            peer.send_data(stream_id, bytes(16_000))
        engine.receive(peer.data_to_send())
        assert events_of(engine) == []
        sent = engine.outgoing()
        assert sent.count(encode_frame(Kind.RST_STREAM, 0, stream_id, bytes(4))) == 1
        peer.receive_data(sent)


# ---------------------------------------------------------------- HPACK


NAMES = st.sampled_from([b":status", b"content-type", b"x-a", b"x-b", b"date", b"cookie"])
VALUES = st.sampled_from([b"", b"200", b"text/plain", b"a" * 60, b"b" * 1500]) | st.binary(
    max_size=9
)
HEADS = st.lists(st.lists(st.tuples(NAMES, VALUES), max_size=5), min_size=1, max_size=30)


@given(HEADS, st.lists(st.sampled_from([0, 100, 4096, 1 << 20]), max_size=5))
def test_what_the_encoder_remembers_is_what_it_would_encode(heads, sizes):
    """An independent decoder reads every head, whatever was remembered and resized between."""
    encoder, decoder = RememberingEncoder(), Decoder()
    decoder.max_allowed_table_size = 1 << 20
    for number, fields in enumerate(heads + heads):
        if sizes and number % 3 == 1:
            encoder.header_table_size = sizes[number % len(sizes)]
            assert encoder.header_table_size <= TABLE
        for _ in range(2):
            assert list(decoder.decode(encoder.encode(fields), raw=True)) == fields


@given(HEADS)
def test_what_the_decoder_remembers_is_what_it_would_decode(heads):
    encoder, decoder = Encoder(), RememberingDecoder(1 << 20)
    for fields in heads + heads:
        for _ in range(2):
            (whole,) = decoder.decode(encoder.encode(fields))
            assert list(whole.fields) == fields


def test_a_head_that_repeats_is_remembered_and_forgotten_when_the_table_moves():
    """RFC 7541 §6.1: an indexed field is what stands in the table at that moment."""
    encoder, decoder = Encoder(), RememberingDecoder(1 << 20)
    first = encoder.encode([(b"x-a", b"1")])
    again = encoder.encode([(b"x-a", b"1")])
    assert first != again
    decoder.decode(first)
    assert decoder.decode(again)[0] is decoder.decode(again)[0]
    decoder.decode(encoder.encode([(b"x-b", b"2")]))
    (other,) = decoder.decode(again)  # the same bytes, and another field: the table has moved
    assert other.fields == ((b"x-b", b"2"),)


def test_a_client_cannot_make_our_table_large():
    """RFC 7541 §4.2: an encoder may use less than it is allowed."""
    peer, engine = client()
    peer.update_settings({SettingCodes.HEADER_TABLE_SIZE: 1 << 30})
    engine.receive(peer.data_to_send())
    assert events_of(engine) == []
    assert engine._h2.encoder.header_table_size == TABLE


def test_a_cookie_never_enters_the_table():
    """RFC 7541 §7.1.3: its bytes could be guessed by the length of what is sent."""
    peer, engine = client()
    for _ in range(2):
        stream_id = peer.get_next_available_stream_id()
        peer.send_headers(stream_id, HEAD, end_stream=True)
        engine.receive(peer.data_to_send())
        events_of(engine)
        cookie = (b"Set-Cookie", b"secret=1")
        engine.put(Response(200, (cookie, (b"x-a", b"b"))), stream_id)
        engine.put(End(), stream_id)
        (response, *_) = peer.receive_data(engine.outgoing())
        names = {bytes(field[0]): field.indexable for field in response.headers}
        assert (names[b"set-cookie"], names[b"x-a"]) == (False, True)
    assert b"set-cookie" not in dict(engine._h2.encoder.header_table.dynamic_entries)


# ---------------------------------------------------------------- turns and windows


def test_streams_take_turns_of_one_piece():
    sent = []

    def send(queue):
        piece = queue.take(10)
        sent.append((queue.stream_id, bytes(piece)))
        return len(piece)

    outbox = Outbox(send)
    for stream_id, size in ((1, 35), (3, 10), (5, 15)):
        outbox.queue(stream_id).put(b"x" * size)
    assert outbox.pump(1000) == 1000 - 60
    assert [stream_id for stream_id, _ in sent] == [1, 3, 5, 1, 5, 1, 1]
    assert not outbox


def test_who_cannot_send_costs_the_others_nothing_and_the_room_has_an_end():
    sent = []

    def send(queue):
        if queue.stream_id == 1:
            return -1
        sent.append(queue.stream_id)
        return len(queue.take(10))

    outbox = Outbox(send)
    for stream_id in (1, 3, 5):
        outbox.queue(stream_id).put(b"x" * 100)
    assert outbox.pump(45) <= 0
    assert sorted(sent) == [3, 3, 5, 5, 5] or sorted(sent) == [3, 3, 3, 5, 5]
    outbox.pump(1000)
    assert len(sent) == 20
    assert outbox.size(1) == 100


def test_small_pieces_leave_as_one():
    engine = opened()
    engine.receive(head(end=True))
    events_of(engine)
    for event in (Response(200), *[Data(b"%d" % n) for n in range(10)], End()):
        engine.put(event, 1)
    sent = engine.outgoing()
    assert sent.endswith(encode_frame(DATA, 1, 1, b"0123456789"))


def test_the_events_of_a_response_have_an_order():
    """RFC 9113 §8.6: and 101 is none of HTTP/2."""
    engine = opened()
    engine.receive(head(end=True))
    events_of(engine)
    with pytest.raises(OurError):
        engine.send(Data(b"x", 1))
    with pytest.raises(OurError):
        engine.send(End((), 1))
    with pytest.raises(OurError):
        engine.send(Informational(101, (), 1))
    engine.send(Informational(103, (), 1))
    engine.send(Response(200, ((b"content-length", b"2"),), stream_id=1))
    for wrong in (Response(200, stream_id=1), Informational(103, (), 1), Data(b"xyz", 1)):
        with pytest.raises(OurError):
            engine.send(wrong)
    with pytest.raises(OurError):
        engine.send(End((), 1))
    engine.send(Data(b"xy", 1))
    engine.send(End((), 1))
    with pytest.raises(OurError):
        engine.send(Data(b"", 1))


@settings(deadline=None)
@given(
    window=st.integers(0, 40_000),
    sizes=st.lists(st.lists(st.integers(0, 50_000), max_size=4), min_size=1, max_size=4),
    opens=st.lists(st.integers(3_000, 60_000), min_size=1, max_size=5),
    rooms=st.lists(st.integers(1, 100_000), min_size=1, max_size=5),
    trailers=st.booleans(),
)
def test_every_response_arrives_whatever_the_windows(window, sizes, opens, rooms, trailers):
    """h2 raises when a window is overrun; what arrives is what was sent, and it ends."""
    peer, engine = client()
    peer.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
    wanted, got, over = {}, {}, set()
    end = End(((b"x-end", b"1"),) if trailers else ())
    for number, each in enumerate(sizes):
        stream_id = peer.get_next_available_stream_id()
        peer.send_headers(stream_id, HEAD, end_stream=True)
        engine.receive(peer.data_to_send())
        events_of(engine)
        pieces = [bytes([number]) * size for size in each]
        for event in (Response(200), *map(Data, pieces), end):
            engine.put(event, stream_id)
        wanted[stream_id] = b"".join(pieces)
        got[stream_id] = b""
    for turn in range(1000):
        for event in peer.receive_data(engine.outgoing(rooms[turn % len(rooms)])):
            if isinstance(event, DataReceived):
                got[event.stream_id] += event.data
            elif isinstance(event, StreamEnded):
                over.add(event.stream_id)
        if len(over) == len(sizes):
            break
        for stream_id in wanted.keys() - over:
            peer.increment_flow_control_window(opens[turn % len(opens)], stream_id)
        peer.increment_flow_control_window(opens[turn % len(opens)])
        engine.refill(100)
        engine.receive(peer.data_to_send())
        assert not any(isinstance(event, ConnectionFailed) for event in events_of(engine))
    assert got == wanted
    assert engine.streams == {}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 16_384), st.booleans()), max_size=60))
def test_what_is_not_read_is_not_given_back(pieces):
    """The client never gets more window than what was read, and never stalls when all is."""
    http2 = Http2Limits(stream_window=50_000, connection_window=70_000)
    peer, engine = client(http2=http2)
    peer.send_headers(1, HEAD)
    received = read = 0
    for size, reads in pieces:
        if peer.local_flow_control_window(1) < size:
            reads = True
        else:
            peer.send_data(1, bytes(size))
            received += size
        engine.receive(peer.data_to_send())
        events_of(engine)
        if reads:
            engine.acknowledge(1, received - read)
            read = received
        peer.receive_data(engine.outgoing())
        assert peer.local_flow_control_window(1) <= 50_000 - (received - read)
        if read == received:
            assert peer.local_flow_control_window(1) >= 16_384


# ---------------------------------------------------------------- anything


FRAMES = st.builds(
    lambda kind, flags, stream_id, payload: encode_frame(kind, flags, stream_id, payload),
    st.integers(0, 11),
    st.integers(0, 255),
    st.integers(0, 9),
    st.binary(max_size=40) | st.just(block(HEAD)) | st.just(bytes(4)) | st.just(bytes(8)),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(FRAMES | st.binary(max_size=30), max_size=25), st.booleans())
def test_nothing_but_a_failed_connection_ever_comes_of_bytes(frames, answers):
    engine = opened()
    for data in frames:
        engine.receive(data)
        for event in events_of(engine):
            if isinstance(event, ConnectionFailed):
                assert engine.must_close
                assert bytes([Kind.GOAWAY]) in engine.outgoing()
                return
            if answers and isinstance(event, Request):
                engine.put(Response(200), event.stream_id)
                engine.put(Data(b"hello"), event.stream_id)
                engine.put(End(), event.stream_id)
        engine.outgoing()


# ---------------------------------------------------------------- what means nothing any more


@pytest.mark.parametrize("padding", [b"", b"\x03"])
def test_a_head_with_priorities_is_a_head(padding):
    """RFC 9113 §5.3.2: also one that waits for itself, which once was an error."""
    engine = opened()
    flags = 0x25 | (0x8 if padding else 0)
    priority = (1).to_bytes(4) + b"\x10"
    payload = padding + priority + block(HEAD) + bytes(3 if padding else 0)
    engine.receive(encode_frame(HEADERS, flags, 1, payload))
    request, end = events_of(engine)
    assert (request.target, request.stream_id, end.stream_id) == (b"/a", 1, 1)
    assert engine.outgoing() == b""


def test_a_priority_of_a_wrong_length_costs_its_stream():
    """RFC 9113 §6.3."""
    engine = opened()
    engine.receive(head() + encode_frame(Kind.PRIORITY, 0, 1, bytes(4)))
    assert type(events_of(engine)[0]) is Request
    assert engine.outgoing() == encode_frame(
        Kind.RST_STREAM, 0, 1, Code.FRAME_SIZE_ERROR.to_bytes(4)
    )
    engine.receive(encode_frame(Kind.PRIORITY, 0, 0, bytes(5)))
    assert events_of(engine)[-1].code is Code.PROTOCOL_ERROR


def test_the_reserved_bit_of_a_window_update_adds_nothing():
    """RFC 9113 §6.9."""
    engine = opened()
    engine.receive(head() + encode_frame(Kind.WINDOW_UPDATE, 0, 1, b"\x80\0\0\0"))
    assert type(events_of(engine)[0]) is Request
    assert engine.outgoing() == encode_frame(Kind.RST_STREAM, 0, 1, Code.PROTOCOL_ERROR.to_bytes(4))
