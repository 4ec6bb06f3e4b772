"""HTTP/2: preface, settings, frames and their sizes, ping, GOAWAY (RFC 9113 §3 to §6)."""

from __future__ import annotations

import struct

from .asking import Asking, Broken, Miss, expect, same
from .http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Connection,
    connected,
    fails,
    frame,
    h2,
    head,
    settings,
)

SIZE = "FRAME_SIZE_ERROR"
PROTOCOL = "PROTOCOL_ERROR"
TABLE, PUSH, STREAMS, WINDOW, FRAME = 1, 2, 3, 4, 5  # RFC 9113 §6.5.2

# ---------------------------------------------------------------- the beginning


@h2("the first frame is SETTINGS", "RFC 9113 §3.4")
def the_first_frame(it: Asking) -> None:
    """A server must begin with a SETTINGS frame."""
    connection = Connection(it, PREFACE, settings())
    got = connection.read("the server's first frame")
    expect(got is not None and (got.kind, got.flags & ACK, got.stream) == (SETTINGS, 0, 0),
           "the first frame is another one", PREFACE, got)  # fmt: skip
    expect(connection.settings.get(PUSH, 0) == 0, "a server must not say that it takes pushes",
           PREFACE, connection.settings)  # fmt: skip


@h2("settings are acknowledged", "RFC 9113 §6.5.3")
def settings_are_acknowledged(it: Asking) -> None:
    """Each SETTINGS frame must be acknowledged, in order."""
    connection = Connection(it, PREFACE, settings())
    connection.put(settings((STREAMS, 50)), settings())
    connection.until(lambda: connection.acknowledged >= 3, "three acknowledged SETTINGS")


@h2("a request at once", "RFC 9113 §3.4")
def a_request_at_once(it: Asking) -> None:
    """A client may send requests right behind its preface: it need not wait for the server's."""
    connection = Connection(it)
    connection.put(PREFACE, settings(), connection.request())
    same(connection.answer(1).status, 200, "the status", connection.sent)


@h2("a preface byte by byte", "RFC 9113 §3.4")
def a_preface_byte_by_byte(it: Asking) -> None:
    """Preface and frames are read however the network has cut them."""
    connection = Connection(it)
    for byte in PREFACE + settings() + connection.request():
        connection.put(bytes([byte]))
    same(connection.answer(1).status, 200, "the status", connection.sent)


@h2("another preface", "RFC 9113 §3.4")
def another_preface(it: Asking) -> None:
    """What is not the preface is not taken for one: nothing behind it is served."""
    connection = Connection(it)
    bent = PREFACE.replace(b"SM", b"XX")
    connection.put(bent, settings(), connection.request())
    try:
        came = connection.wire.closed("what came is no preface")
    except Broken as broken:
        raise Miss(broken.problem, sent=bent) from None
    opened = came.find(frame(HEADERS, END_HEADERS, 1)[3:])
    expect(opened < 0, "a request behind it was answered", bent, came)


@h2("no settings first", "RFC 9113 §3.4")
def no_settings_first(it: Asking) -> None:
    """A first frame that is not SETTINGS is a connection error."""
    for first in (frame(PING, 0, 0, bytes(8)), settings(flags=ACK)):
        it.alone()
        connection = Connection(it)
        connection.put(PREFACE, first, connection.request())
        connection.is_failed(PROTOCOL, why="the first frame is not SETTINGS", suspect=len(PREFACE))


# ---------------------------------------------------------------- settings


@h2("settings on a stream", "RFC 9113 §6.5")
def settings_on_a_stream(it: Asking) -> None:
    """SETTINGS are for the connection: on a stream they are a connection error."""
    fails(it, frame(SETTINGS, 0, 1), codes=(PROTOCOL,), why="settings on stream 1", at=8)


@h2("settings of another length", "RFC 9113 §6.5")
def settings_of_another_length(it: Asking) -> None:
    """A setting has six bytes, and an acknowledgement none: FRAME_SIZE_ERROR."""
    for bad in (frame(SETTINGS, 0, 0, bytes(5)), frame(SETTINGS, ACK, 0, bytes(6))):
        fails(it, bad, codes=(SIZE,), why="no settings have that length", at=2)


@h2("values that no setting has", "RFC 9113 §6.5.2")
def values_that_no_setting_has(it: Asking) -> None:
    """A value out of range is a connection error: of flow control where it is a window."""
    for setting, value, code in ((PUSH, 2, PROTOCOL), (WINDOW, 1 << 31, "FLOW_CONTROL_ERROR"),
                                 (FRAME, 16383, PROTOCOL), (FRAME, 1 << 24, PROTOCOL)):  # fmt: skip
        fails(it, settings((setting, value)), codes=(code,), why=f"setting {setting} is {value}",
              at=11)  # fmt: skip


@h2("unknown settings", "RFC 9113 §6.5.2")
def unknown_settings(it: Asking) -> None:
    """An unknown setting must be ignored."""
    same(connected(it, (0x4A4A, 7), (0xFF00, 1)).get().status, 200, "the status")


# ---------------------------------------------------------------- frames


@h2("a frame that is too long", "RFC 9113 §4.2")
def a_frame_that_is_too_long(it: Asking) -> None:
    """A frame beyond the size that the server has said, or 16,384, is a FRAME_SIZE_ERROR."""
    connection = connected(it)
    connection.settled()
    size = connection.settings.get(FRAME, 16384) + 1
    if size > 1 << 20:
        return  # a server that says that it takes everything
    pad = b"\x00" + connection.block([*head("/ok"), (b"x", b"y" * 20)])
    long = frame(HEADERS, END_HEADERS | END_STREAM, 1, pad.ljust(size, b"\0"))
    connection.put(long).is_failed(SIZE, why=f"{size} bytes in a frame", suspect=0)


@h2("no frame longer than allowed", "RFC 9113 §4.2")
def no_frame_longer(it: Asking) -> None:
    """No frame of the server's is longer than the client's SETTINGS_MAX_FRAME_SIZE."""
    connection = connected(it, (WINDOW, 1 << 20))
    connection.put(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 20)))
    connection.get("/big?size=400000")
    expect(connection.largest <= 16384, f"a frame of {connection.largest} bytes")


@h2("frames nobody knows", "RFC 9113 §5.5")
def frames_nobody_knows(it: Asking) -> None:
    """A frame of an unknown type must be ignored, as must unknown flags and the reserved bit."""
    connection = connected(it).put(frame(0x4B, 0xFF, 0, b"grease"), frame(0x4B, 0, 7, b"grease"))
    stream = connection.number()
    block = connection.block(head("/ok"))
    sent = bytearray(frame(HEADERS, END_HEADERS | END_STREAM | 0x50, stream, block))
    sent[5] |= 0x80
    connection.put(bytes(sent))
    same(connection.answer(stream).status, 200, "the status", connection.sent)


@h2("padding", "RFC 9113 §6.1")
def padding(it: Asking) -> None:
    """What pads a frame is no part of what it holds."""
    connection = connected(it)
    stream = connection.number()
    block = connection.block(head("/ok"))
    padded = b"\x09" + bytes(4) + b"\x00" + block + bytes(9)  # with a priority that means nothing
    connection.put(frame(HEADERS, END_HEADERS | END_STREAM | PADDED | 0x20, stream, padded))
    same(connection.answer(stream).status, 200, "the status", connection.sent)


@h2("more padding than frame", "RFC 9113 §6.1")
def more_padding_than_frame(it: Asking) -> None:
    """Padding as long as the frame, or longer, is a connection error."""
    connection = connected(it)
    block = connection.block(head("/ok", method=b"POST"))
    connection.put(
        frame(HEADERS, END_HEADERS, connection.number(), block),
        frame(DATA, PADDED | END_STREAM, 1, b"\x06hello"),
    )
    connection.is_failed(PROTOCOL, why="6 bytes of padding in 5", suspect=len(block) + 18)


@h2("priorities mean nothing", "RFC 9113 §5.3.2")
def priorities(it: Asking) -> None:
    """PRIORITY is deprecated: it may come at any time, on any stream, and changes nothing."""
    connection = connected(it).put(frame(PRIORITY, 0, 9, struct.pack(">IB", 0, 15)))
    same(connection.get().status, 200, "the status")
    connection.put(frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 15)))
    same(connection.get().status, 200, "the status behind another one")


@h2("a client that pushes", "RFC 9113 §8.4")
def a_client_that_pushes(it: Asking) -> None:
    """A client cannot push: PUSH_PROMISE is a connection error."""
    connection = connected(it)
    sent = connection.request("/ok", end=False)
    promise = struct.pack(">I", 2) + connection.block(head("/ok"))
    connection.put(sent, frame(PUSH_PROMISE, END_HEADERS, 1, promise))
    connection.is_failed(PROTOCOL, why="a client pushes", suspect=len(sent) + 3)


@h2("frames of another length", "RFC 9113 §4.2")
def frames_of_another_length(it: Asking) -> None:
    """PING has 8 bytes, RST_STREAM and WINDOW_UPDATE have 4: else FRAME_SIZE_ERROR."""
    for kind, stream, size in ((PING, 0, 7), (WINDOW_UPDATE, 0, 3), (RST_STREAM, 1, 5)):
        connection = connected(it)
        sent = connection.request("/ok", end=False)
        connection.put(sent, frame(kind, 0, stream, bytes(size)))
        connection.is_failed(SIZE, why=f"{size} bytes", suspect=len(sent) + 2)


@h2("frames on the wrong stream", "RFC 9113 §5.1.1")
def frames_on_the_wrong_stream(it: Asking) -> None:
    """DATA, HEADERS, RST_STREAM, PRIORITY and CONTINUATION need a stream: 0 is none."""
    for kind, payload in ((DATA, b"x"), (HEADERS, b"\x82"), (RST_STREAM, bytes(4)),
                          (PRIORITY, bytes(5)), (CONTINUATION, b"\x82")):  # fmt: skip
        fails(it, frame(kind, END_HEADERS, 0, payload), codes=(PROTOCOL,), why="on stream 0", at=8)


@h2("a ping on a stream", "RFC 9113 §6.7")
def a_ping_on_a_stream(it: Asking) -> None:
    """PING and GOAWAY are for the connection: on a stream they are a connection error."""
    for sent in (frame(PING, 0, 1, bytes(8)), frame(GOAWAY, 0, 1, bytes(8))):
        fails(it, sent, codes=(PROTOCOL,), why="on stream 1", at=8)


@h2("pings are answered", "RFC 9113 §6.7")
def pings_are_answered(it: Asking) -> None:
    """A ping must be answered with the same eight bytes; an answer is not answered."""
    connection = connected(it).put(frame(PING, ACK, 0, b"no reply"))
    for data in (b"whatever", bytes(8), b"\xff" * 8):
        connection.put(frame(PING, 0, 0, data))
    connection.until(lambda: len(connection.pongs) >= 3, "three answers to three pings")
    same(connection.pongs, [b"whatever", bytes(8), b"\xff" * 8], "the answers", connection.sent)


# ---------------------------------------------------------------- the end


@h2("GOAWAY of the client", "RFC 9113 §6.8")
def goaway_of_the_client(it: Asking) -> None:
    """A client that goes is still answered what it has asked."""
    connection = connected(it)
    connection.put(connection.request("/big?size=30000"), frame(GOAWAY, 0, 0, bytes(8)))
    size = len(connection.answer(1).body)
    if it.interface:  # a server in a cell has answers of its own
        same(size, 30000, "the size of the answer", connection.sent)


@h2("a failed connection ends", "RFC 9113 §5.4.1")
def a_failed_connection_ends(it: Asking) -> None:
    """Behind GOAWAY for an error a server must close the TCP connection."""
    connection = connected(it).put(frame(PING, 0, 0, bytes(7)))
    connection.is_failed(SIZE, PROTOCOL, why="a ping of 7 bytes")
    while not connection.ended:
        connection.read("the end of a connection that has failed")


@h2("GOAWAY says why", "RFC 9113 §5.4.1", choice=True)
def goaway_says_why(it: Asking) -> None:
    """A server should first send GOAWAY, with the last stream that it may have worked on."""
    connection = connected(it)
    connection.get()
    connection.get()
    connection.put(frame(PING, 0, 0, bytes(7)))
    connection.is_failed(SIZE, PROTOCOL, why="a ping of 7 bytes")
    expect(connection.goaway is not None, "the connection ended without a word", connection.sent)
    assert connection.goaway is not None
    same(connection.goaway[1], 3, "the last stream that GOAWAY names", connection.sent)


@h2("a client that is cut off", "RFC 9113 §9.1")
def clients_that_leave(it: Asking) -> None:
    """A client that leaves at any point costs the others nothing."""
    whole = PREFACE + settings() + frame(HEADERS, 5, 1, b"\x82\x86\x84\x41\x01a")
    for length in (3, len(PREFACE), len(PREFACE) + 5, len(whole) - 3, len(whole)):
        it.connect().send(whole[:length]).reset()
        it.connect().send(whole[:length]).close()
    same(connected(it).get().status, 200, "the next client")
