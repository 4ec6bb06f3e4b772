"""HTTP/2: HPACK, and which fields a request may have (RFC 7541, RFC 9113 §4.3, §6.10, §8)."""

from __future__ import annotations

from functools import partial

from hpack import Decoder

from .asking import Asking, Miss, expect, same
from .http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    Connection,
    Pairs,
    connected,
    frame,
    h2,
    head,
    settings,
)

PROTOCOL = "PROTOCOL_ERROR"
TABLE = 1  # SETTINGS_HEADER_TABLE_SIZE
asgi = partial(h2, interface="asgi")


def scope_headers(connection: Connection, fields: Pairs) -> list[list[str]]:
    """Return the headers that the application was given."""
    found: list[list[str]] = connection.told(fields)["scope"]["headers"]
    return found


# ---------------------------------------------------------------- HPACK


@asgi("a field by its number", "RFC 7541 §2.3.2")
def a_field_by_its_number(it: Asking) -> None:
    """A field that was sent once may be sent again as one byte: both sides keep the same table."""
    connection = connected(it)
    sizes = []
    for _ in range(3):
        fields = head("/facts", (b"x-long", b"v" * 100))
        got = scope_headers(connection, fields)
        expect(["x-long", "v" * 100] in got, "the field is not the same any more", got=got)
        sizes.append(len(connection.block(fields)))
    expect(sizes[-1] < 20, f"our own table does not work: {sizes}")


@asgi("every way to write a field", "RFC 7541 §6.2")
def every_way(it: Asking) -> None:
    """A field may be written with or without Huffman, for the table or never for it."""
    connection = connected(it)
    pseudo = connection.block(head("/facts"))
    ways = (
        b"\x00\x03x-a\x01\x31"  # not for the table
        b"\x10\x03x-b\x01\x32"  # never for any table
        b"\x40\x03x-c\x01\x33"  # for the table
        b"\x00\x03x-d\x81\x6b"  # the value by Huffman: 4 is 011010, and two ones fill the byte
    )
    stream = connection.number()
    connection.put(frame(HEADERS, END_HEADERS | END_STREAM, stream, pseudo + ways))
    reply = connection.answer(stream)
    for name, value in (("x-a", "1"), ("x-b", "2"), ("x-c", "3"), ("x-d", "4")):
        wanted = f'["{name}", "{value}"]'.encode()
        expect(wanted in reply.body, f"{name} is lost", connection.sent, reply.body)


def undecodable(it: Asking, block: bytes, why: str, at: int) -> None:
    """Demand COMPRESSION_ERROR for a block of fields: no other could be decoded behind it."""
    connection = connected(it).put(frame(HEADERS, END_HEADERS | END_STREAM, 1, block))
    connection.is_failed("COMPRESSION_ERROR", why=why, suspect=9 + at)


START = b"\x82\x86\x84\x41\x01a"  # GET, http, /, the authority a


@h2("a number that is in no table", "RFC 9113 §4.3")
def no_such_number(it: Asking) -> None:
    """A field by a number that is in no table is a COMPRESSION_ERROR of the connection."""
    undecodable(it, START + b"\xff\x80\x01", "no field has number 255", len(START))
    undecodable(it, START + b"\x80", "no field has number 0", len(START))


@h2("a table too large", "RFC 7541 §6.3")
def a_table_too_large(it: Asking) -> None:
    """The client may not make its table larger than the server has allowed."""
    connection = connected(it)
    connection.settled()
    if connection.settings.get(TABLE, 4096) > 65536:
        return
    undecodable(it, b"\x3f\xe1\xff\x7f" + START, "a table of two megabytes", 0)


@h2("Huffman that ends wrongly", "RFC 7541 §5.2")
def huffman(it: Asking) -> None:
    """Padding of Huffman code that is not all ones, or has a whole byte, is a decoding error."""
    undecodable(it, START + b"\x00\x01x\x81\x68", "the last bits are not ones", len(START) + 4)
    undecodable(it, START + b"\x00\x01x\x82\x6b\xff", "a whole byte of padding", len(START) + 5)


@h2("half a field", "RFC 9113 §4.3")
def half_a_field(it: Asking) -> None:
    """A block of fields that ends inside a field is a COMPRESSION_ERROR."""
    undecodable(it, START + b"\x00\x05x-a", "the block ends inside a name", len(START))


@h2("a client without a table", "RFC 7541 §4.2")
def a_client_without_a_table(it: Asking) -> None:
    """When the client sets its table to 0 the server must say so, and write nothing by it."""
    connection = connected(it, (TABLE, 0))
    connection.decoder.max_allowed_table_size = 0
    for _ in range(2):
        same(connection.get().status, 200, "the status")


# ---------------------------------------------------------------- blocks of fields


@asgi("a head in pieces", "RFC 9113 §6.10")
def a_head_in_pieces(it: Asking) -> None:
    """A head may come in HEADERS and any number of CONTINUATION, cut anywhere."""
    connection = connected(it)
    stream = connection.number()
    block = connection.block(head("/facts", (b"x-long", b"v" * 50)))
    pieces = [block[at : at + 7] for at in range(0, len(block), 7)]
    connection.put(frame(HEADERS, END_STREAM, stream, pieces[0]))
    connection.put(*[frame(CONTINUATION, 0, stream, piece) for piece in pieces[1:]])
    connection.put(frame(CONTINUATION, END_HEADERS, stream))
    body = connection.answer(stream).body
    expect(b"v" * 50 in body, "the field is not whole", connection.sent, body)


@h2("a frame inside a head", "RFC 9113 §6.10")
def a_frame_inside_a_head(it: Asking) -> None:
    """Between HEADERS and its CONTINUATION nothing may come: else a connection error."""
    begin = frame(HEADERS, END_STREAM, 1, START[:4])
    for inside in (frame(PING, 0, 0, bytes(8)), frame(CONTINUATION, END_HEADERS, 3, START[4:]),
                   frame(HEADERS, END_HEADERS | END_STREAM, 3, START)):  # fmt: skip
        connection = connected(it).put(begin, inside)
        connection.is_failed(PROTOCOL, why="a head is under way", suspect=len(begin))


@h2("a continuation of no head", "RFC 9113 §6.10")
def a_continuation_of_no_head(it: Asking) -> None:
    """CONTINUATION behind a head that is complete is a connection error."""
    connection = connected(it)
    sent = connection.request("/ok", end=False)
    connection.put(sent, frame(CONTINUATION, END_HEADERS, 1, b"\x82"))
    connection.is_failed(PROTOCOL, why="the head was complete", suspect=len(sent))


# ---------------------------------------------------------------- malformed requests


def malformed(it: Asking, requests: dict[str, Pairs]) -> None:
    """Demand that each of these requests is reset with PROTOCOL_ERROR, or answered by 4xx."""
    connection = connected(it)
    for what, fields in requests.items():
        if connection.goaway or connection.ended:
            connection = connected(it)
        stream = connection.ask(fields)
        connection.is_reset(stream, PROTOCOL, why=what, status=True)


BASE = head("/ok")


@h2("names in capitals", "RFC 9113 §8.2.1")
def names_in_capitals(it: Asking) -> None:
    """A name with a capital letter, a blank or a colon makes a request malformed."""
    malformed(it, {
        "a capital letter": head("/ok", (b"X-Upper", b"1")),
        "a blank in a name": head("/ok", (b"a b", b"1")),
        "a colon in a name": head("/ok", (b"a:b", b"1")),
        "an empty name": head("/ok", (b"", b"1")),
    })  # fmt: skip


@h2("line ends in a value", "RFC 9113 §8.2.1")
def line_ends_in_a_value(it: Asking) -> None:
    """A value with a line end or a zero must be refused: a proxy would make two fields of it."""
    malformed(it, {
        "a line feed": head("/ok", (b"a", b"b\nc: d")),
        "a carriage return": head("/ok", (b"a", b"b\r")),
        "a zero": head("/ok", (b"a", b"b\0")),
    })  # fmt: skip


@h2("blanks around a value", "RFC 9113 §8.2.1")
def blanks_around_a_value(it: Asking) -> None:
    """A value must not begin or end with a blank or a tab."""
    malformed(it, {
        "a blank before it": head("/ok", (b"a", b" b")),
        "a tab behind it": head("/ok", (b"a", b"b\t")),
    })  # fmt: skip


@h2("fields of a connection", "RFC 9113 §8.2.2")
def fields_of_a_connection(it: Asking) -> None:
    """Fields that speak about a connection of HTTP/1.1 make a request malformed."""
    names = (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
    requests = {name.decode(): head("/ok", (name, b"x")) for name in names}
    malformed(it, {**requests, "te: gzip": head("/ok", (b"te", b"gzip"))})


@h2("te: trailers", "RFC 9113 §8.2.2")
def te_trailers(it: Asking) -> None:
    """TE may say trailers, and nothing else."""
    same(connected(it).get(head("/ok", (b"te", b"trailers"))).status, 200, "the status")


@h2("pseudo-header fields that are missing", "RFC 9113 §8.3.1")
def missing(it: Asking) -> None:
    """Each request must have one :method, one :scheme and one :path, and that not empty."""
    malformed(it, {
        "no :method": BASE[1:],
        "no :scheme": [BASE[0], *BASE[2:]],
        "no :path": [*BASE[:2], BASE[3]],
        "an empty :path": head(""),
        "a :path twice": [*BASE, (b":path", b"/ok")],
    })  # fmt: skip


@h2("pseudo-header fields nobody knows", "RFC 9113 §8.3")
def unknown(it: Asking) -> None:
    """An unknown pseudo-header field, or one of responses, makes a request malformed."""
    malformed(it, {
        ":unknown": [*BASE, (b":unknown", b"1")],
        ":status": [*BASE, (b":status", b"200")],
    })  # fmt: skip


@h2("pseudo-header fields too late", "RFC 9113 §8.3")
def too_late(it: Asking) -> None:
    """Pseudo-header fields must come before all others."""
    malformed(it, {"behind a field": [*BASE[:3], (b"a", b"b"), BASE[3]]})


@h2("Host beside :authority", "RFC 9113 §8.3.1", choice=True)
def host_beside_authority(it: Asking) -> None:
    """A Host that is another than :authority should make a request malformed."""
    malformed(it, {"two hosts": head("/ok", (b"host", b"other.example"))})


@h2("content of another length", "RFC 9113 §8.1.1")
def content_of_another_length(it: Asking) -> None:
    """Content that is longer or shorter than its Content-Length makes a request malformed."""
    for length, content in ((5, b"hell"), (5, b"hello!"), (0, b"x")):
        connection = connected(it)
        announced = (b"content-length", b"%d" % length)
        stream = connection.ask(head("/echo", announced, method=b"POST"), content)
        why = f"{len(content)} bytes of {length}"
        connection.is_reset(stream, PROTOCOL, why=why, status=True)


@h2("a length and no content", "RFC 9113 §8.1.1")
def a_length_and_no_content(it: Asking) -> None:
    """A Content-Length on a request that ends with its head makes it malformed, unless it is 0."""
    malformed(it, {"5 bytes of nothing": head("/ok", (b"content-length", b"5"))})
    zero = head("/ok", (b"content-length", b"0"))
    same(connected(it).get(zero).status, 200, "the status for a length of 0")


@asgi("trailers of a request", "RFC 9113 §8.1")
def trailers_of_a_request(it: Asking) -> None:
    """Fields behind the content end a request; they change nothing of its content."""
    connection = connected(it)
    stream = connection.ask(head("/echo", method=b"POST"), b"hello", end=False)
    block = connection.block([(b"x-sum", b"1")])
    connection.put(frame(HEADERS, END_HEADERS | END_STREAM, stream, block))
    same(connection.answer(stream).body, b"hello", "the content", connection.sent)


@asgi("trailers that are wrong", "RFC 9113 §8.1")
def trailers_that_are_wrong(it: Asking) -> None:
    """Trailers with a pseudo-header field, or that do not end the stream, are malformed."""
    for fields, flags in (([(b":path", b"/b")], END_STREAM), ([(b"x", b"1")], 0)):
        connection = connected(it)
        stream = connection.ask(head("/echo", method=b"POST"), b"hello", end=False)
        block = connection.block(fields)
        connection.put(frame(HEADERS, END_HEADERS | flags, stream, block))
        if not flags:
            connection.put(frame(DATA, END_STREAM, stream, b"more"))
        connection.is_reset(stream, PROTOCOL, why="trailers that are wrong", status=True)


# ---------------------------------------------------------------- responses


@asgi("names of a response", "RFC 9113 §8.2.1")
def names_of_a_response(it: Asking) -> None:
    """Every name of a response is in lower case, whatever the application sends."""
    reply = connected(it).get("/fields")
    for name, _ in reply.fields:
        expect(name == name.lower(), f"{name!r} has capitals", None, reply.fields)
    values = reply.values(b"set-cookie")
    same(values, [b"a=1", b"b=2"], "the two values of set-cookie")


@asgi("a response says nothing of a connection", "RFC 9113 §8.2.2")
def nothing_of_a_connection(it: Asking) -> None:
    """Fields that speak about a connection of HTTP/1.1 are not sent, nor an application's own."""
    for path in ("/ok", "/a/coding", "/stream"):
        reply = connected(it).get(path)
        for name in (b"connection", b"transfer-encoding", b"keep-alive", b"upgrade"):
            if reply.values(name):
                raise Miss(f"{name.decode()} in the response to {path}", got=reply.fields)


@asgi("a table for the answers", "RFC 7541 §2.3.2", choice=True)
def a_table_for_the_answers(it: Asking) -> None:
    """The server writes the fields of its answers by its table: the second head is short."""
    connection = connected(it)
    sizes = []
    decode = Decoder.decode

    def measured(self: Decoder, data: bytes, raw: bool = False) -> object:
        sizes.append(len(data))
        return decode(self, data, raw)

    connection.decoder.decode = measured.__get__(connection.decoder)  # type: ignore[method-assign]
    connection.get("/fields")
    connection.get("/fields")
    expect(sizes[1] * 2 < sizes[0], f"heads of {sizes[0]} bytes, then of {sizes[1]}")


@h2("settings behind a request", "RFC 9113 §6.5.3")
def settings_behind_a_request(it: Asking) -> None:
    """Settings may change at any time; what is under way goes on."""
    connection = connected(it)
    stream = connection.ask("/ok", end=False)
    connection.put(settings((TABLE, 0)), settings((TABLE, 4096)), frame(DATA, END_STREAM, stream))
    same(connection.answer(stream).status, 200, "the status", connection.sent)
