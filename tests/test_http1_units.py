"""The parts of the HTTP/1.1 engine, one by one: grammar, chunks, responses, memo, limits."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Callable
from re._parser import SubPattern
from re._parser import parse as parse_pattern
from typing import Any

import pytest

from handmade import grammar, http1, http1_h11, http1_reading, http1_writing
from handmade.events import Data, End, Informational, Limits, OurError, PeerError
from handmade.http1_chunked import ChunkedReader
from handmade.http1_states import READING, WRITING, Reading, Writing
from workbench.contracts.engine import GET, read_until_error, request_of

# ---------------------------------------------------------------- the grammar against its ABNF

EVERY_BYTE = [bytes([value]) for value in range(256)]
TCHAR = set(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def allowed(pattern: re.Pattern[bytes], around: bytes = b"%b") -> set[int]:
    return {byte[0] for byte in EVERY_BYTE if pattern.fullmatch(around % byte)}


def test_token() -> None:
    """RFC 9110 §5.6.2: token = 1*tchar."""
    assert allowed(grammar.FIELD_NAME) == TCHAR
    assert not grammar.FIELD_NAME.fullmatch(b"")


def test_field_value() -> None:
    """RFC 9110 §5.5: VCHAR, obs-text, SP and HTAB; CR, LF and NUL are dangerous."""
    assert allowed(grammar.VALUE) == {0x09, *range(0x20, 0x7F), *range(0x80, 0x100)}


def test_request_target() -> None:
    """RFC 9112 §3.2: no white space; RFC 9110 §7.1: the fragment is not sent."""
    head = b"GET /%b HTTP/1.1\r\n\r\n"
    assert allowed(grammar.HEAD, head) == {*range(0x21, 0x7F)} - {ord("#")}


def test_version() -> None:
    """RFC 9112 §2.3: HTTP-version = HTTP-name "/" DIGIT "." DIGIT, case-sensitive."""
    digits = {*b"0123456789"}
    assert allowed(grammar.HEAD, b"GET / HTTP/1.%b\r\n\r\n") == digits
    assert allowed(grammar.HEAD, b"GET / HTTP/%b.1\r\n\r\n") == digits
    for version in (b"http/1.1", b"HTTP/1.1 ", b"HTTP/11", b"HTTP/1.11"):
        assert not grammar.HEAD.match(b"GET / %b\r\n\r\n" % version)


@pytest.mark.parametrize("byte", EVERY_BYTE)
def test_any_byte_before_the_colon(byte: bytes) -> None:
    """RFC 9112 §5, §5.1: field-name is a token, and nothing stands between it and the colon."""
    raw = b"GET / HTTP/1.1\r\nName%b: x\r\n\r\n" % byte
    assert bool(grammar.HEAD.match(raw)) == (byte[0] in TCHAR or byte == b":")


@pytest.mark.parametrize("blanks", [b"", b" ", b"\t", b" \t \t"])
def test_optional_white_space(blanks: bytes) -> None:
    """RFC 9110 §5.6.3: OWS = *( SP / HTAB ), which is no part of a value (RFC 9112 §5)."""
    assert grammar.split_fields(b"X:" + blanks + b"a b" + blanks + b"\r\n") == ((b"x", b"a b"),)


def test_lists() -> None:
    """RFC 9110 §5.6.1: a recipient ignores a reasonable number of empty elements."""
    assert grammar.split_list(b" , a,,\tB ,") == [b"a", b"b"]
    assert grammar.split_list(b"") == []


@pytest.mark.parametrize(
    "target", [b"http:///x", b"http://:80/x", b"http://u@a/x", b"http://u:p@a"]
)
def test_absolute_targets_that_are_none(target: bytes) -> None:
    """RFC 9110 §4.2.1: an empty host is invalid; §4.2.4: somebody before an "@" is an error."""
    assert not grammar.ABSOLUTE.fullmatch(target)


def test_content_length() -> None:
    """RFC 9110 §8.6: Content-Length = 1*DIGIT."""
    assert allowed(grammar.CONTENT_LENGTH) == {*b"0123456789"}
    assert not grammar.CONTENT_LENGTH.fullmatch(b"")
    assert not grammar.CONTENT_LENGTH.fullmatch("٣".encode())


@pytest.mark.parametrize(
    "host", [b"", b"a", b"a.b:80", b"[::1]", b"[::1]:8", b"a:", b"%41", b"~a!$&'()*+,;="]
)
def test_host(host: bytes) -> None:
    """RFC 9110 §7.2: Host = uri-host [ ":" port ], uri-host as in RFC 3986 §3.2.2."""
    assert grammar.HOST.fullmatch(host)


@pytest.mark.parametrize(
    "host", [b"a/b", b"a@b", b"a b", b"a:x", b"[::1", b"::1", b"%4", b"a\\b", b"[]", b"\xe4"]
)
def test_no_host(host: bytes) -> None:
    """RFC 9112 §3.2: an invalid Host value is answered with 400."""
    assert not grammar.HOST.fullmatch(host)


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        (b"/a?b?c", (b"/a", b"b?c")),
        (b"*", (b"", b"")),
        (b"http://a", (b"/", b"")),
        (b"HTTPS://a:1/b%20c?d", (b"/b%20c", b"d")),
        (b"http://a?b", (b"/", b"b")),
        (b"//a/b", (b"//a/b", b"")),
        (b"http://u@a/b", (b"", b"")),
    ],
)
def test_split_target(target: bytes, parts: tuple[bytes, bytes]) -> None:
    """RFC 9112 §3.2.1 to §3.2.4: path and query, whatever the form."""
    assert grammar.split_target(target) == parts


@pytest.mark.parametrize(
    ("line", "size"),
    [
        (b"5\r\n", 5),
        (b"0005\r\n", 5),
        (b"aF\r\n", 0xAF),
        (b"5;a\r\n", 5),
        (b"5 ; a = b;c\r\n", 5),
        (b'5;a="\\";\\\\"\r\n', 5),
        (b"5 \r\n", None),
        (b"\r\n", None),
        (b"5\n", None),
        (b"5;\r\n", None),
        (b"5;a=\r\n", None),
        (b'5;a="\r\n', None),
        (b"5g\r\n", None),
        (b"0x5\r\n", None),
        (b"5;a\0\r\n", None),
    ],
)
def test_chunk_line(line: bytes, size: int | None) -> None:
    """RFC 9112 §7.1, §7.1.1: chunk-size [ chunk-ext ] CRLF; RFC 9110 §5.6.4: quoted-string."""
    match = grammar.CHUNK_LINE.fullmatch(line)
    assert (match and int(match[1], 16)) == size


# ---------------------------------------------------------------- nothing takes longer than linear

GET_11 = b"GET / HTTP/1.1\r\n"
CHUNKED = request_of(b"POST", b"/", (b"Transfer-Encoding", b"chunked"))
ADVERSARIES: dict[str, Callable[[int], bytes]] = {
    "a name without its colon": lambda n: GET_11 + b"a" * n + b"\r\n\r\n",
    "blanks, then a NUL": lambda n: GET_11 + b"X:" + b" " * n + b"\0\r\n\r\n",
    "many fields, one bent": lambda n: GET_11 + b"a:\r\n" * (n // 4) + b"a\r\n\r\n",
    "a target without a version": lambda n: b"GET /" + b"a" * n + b"\r\n\r\n",
    "line feeds": lambda n: GET_11 + b"\r\n".join([b"a"] * (n // 3)) + b"\n",
    "a host of colons": lambda n: GET_11 + b"Host: " + b":" * n + b"\r\n\r\n",
    "slashes and marks": lambda n: b"GET http://a" + b"/?" * (n // 2) + b" HTTP/1.1\r\n\r\n",
    "commas": lambda n: CHUNKED[:-11] + b"," * n + b"\r\n\r\n",
    "chunk extensions": lambda n: CHUNKED + b"5" + b";a" * (n // 2) + b'="' + b"\r\n",
    "escapes in an open quote": lambda n: CHUNKED + b'5;a="' + b'\\"' * (n // 2) + b"\r\n",
    "blanks in a chunk's extension": lambda n: CHUNKED + b"5;a" + b" " * n + b"x\r\n",
    "trailers": lambda n: CHUNKED + b"0\r\n" + b"a:\r\n" * (n // 4) + b"a \r\n\r\n",
}  # fmt: skip
WIDE = Limits(request_line=1 << 20, head=1 << 20, fields=1 << 20, chunk_line=1 << 20)


def assert_cheap(run: Callable[[int], Any], sizes: tuple[int, int], times: float) -> None:
    """Fail when the large one never takes less than so many times the small one, in five turns.

    What is quadratic takes eight times as much in every turn, and what else the machine does only
    adds to it: so the first turn that is cheap enough has proved it, if the small one was not the
    one that was disturbed.  Therefore that is measured twice.
    """
    gc.collect()
    gc.disable()
    small = large = float("inf")
    try:
        for _ in range(5):
            small = min(small, *(_seconds(lambda: run(sizes[0])) for _ in range(2)))
            large = min(large, _seconds(lambda: run(sizes[1])))
            if large < times * small + 0.02:
                return
    finally:
        gc.enable()
    raise AssertionError(f"{large} s, and {small} s for the small one")


def _seconds(run: Callable[[], Any]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


@pytest.mark.parametrize("build", ADVERSARIES.values(), ids=ADVERSARIES)
def test_no_input_takes_more_than_linear_time(build: Callable[[int], bytes]) -> None:
    """RFC 9112 §11: an eightfold input may take eightfold time, never sixty-fourfold."""

    def run(size: int) -> None:
        raw = build(size)
        for _ in range(1 << 18 >> (size.bit_length() - 1)):  # the same number of bytes in all
            read_until_error(http1.Connection(WIDE), raw)

    run(1 << 10)
    assert_cheap(run, (1 << 13, 1 << 16), 4)


@pytest.mark.parametrize(
    ("begin", "line"),
    [
        (b"GET / HTTP/1.1\r\n", b"X: y\r\n"),
        (request_of(b"POST", b"/", (b"Transfer-Encoding", b"chunked")) + b"0\r\n", b"X: y\r\n"),
    ],
    ids=["a head", "trailers"],
)
def test_a_byte_at_a_time_costs_a_short_look_each(begin: bytes, line: bytes) -> None:
    """Slow-loris: a head of 64 KiB by single bytes must not be searched 65,536 times."""

    def run(size: int) -> None:
        engine = http1.Connection(WIDE)
        engine.receive(begin)
        for byte in line * (size // len(line)):
            engine.receive(bytes([byte]))
            while not isinstance(engine.next_event(), http1.NEED_DATA.__class__):
                pass

    assert_cheap(run, (1 << 12, 1 << 15), 3 * 8)


# ---------------------------------------------------------------- chunks


def read_chunks(raw: bytes, limits: Limits | None = None) -> tuple[bytes, End | None, bytes]:
    reader, buf, content = ChunkedReader(limits or Limits()), bytearray(raw), b""
    while True:
        event = reader.read(buf)
        if not isinstance(event, Data):
            return content, event, bytes(buf)
        content += event.data


def test_small_chunks_are_joined() -> None:
    """A byte a chunk costs no event a byte."""
    buf = bytearray(b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n")
    assert ChunkedReader(Limits()).read(buf) == Data(b"abc")


def test_what_follows_the_trailers_is_left() -> None:
    """RFC 9112 §7.1: the empty line ends the message; RFC 9110 §6.5: trailers come with it."""
    raw = b"1\r\na\r\n0\r\nX: 1\r\n\r\nGET /"
    assert read_chunks(raw) == (b"a", End(((b"x", b"1"),)), b"GET /")


@pytest.mark.parametrize("overhead", [b"0" * 6, b";aaaaa"], ids=["zeros", "extensions"])
def test_free_bytes_are_bounded(overhead: bytes) -> None:
    """RFC 9112 §7.1.1: a recipient ought to limit the total length of chunk extensions."""
    line = overhead + b"1" if overhead[:1] == b"0" else b"1" + overhead
    chunk = line + b"\r\na\r\n"
    assert read_chunks(chunk * 10, Limits(head=60))[0] == b"a" * 10
    with pytest.raises(PeerError, match="400"):
        read_chunks(chunk * 11, Limits(head=60))


def test_chunk_line_at_its_limit() -> None:
    """RFC 9112 §7.1.1: N bytes with the line's end pass, N + 1 do not, whole or in pieces."""
    fits = b"5;" + b"a" * 16 + b"\r\nhello\r\n0\r\n\r\n"
    assert read_chunks(fits, Limits(chunk_line=20))[0] == b"hello"
    for raw in (b"5;a" + fits[2:], b"5;a" + fits[2:19]):
        with pytest.raises(PeerError, match="too long"):
            read_chunks(raw, Limits(chunk_line=20))


@pytest.mark.parametrize(("limits", "status"), [(Limits(head=20), 431), (Limits(fields=3), 431)])
def test_trailers_at_their_limits(limits: Limits, status: int) -> None:
    """RFC 9110 §5.4: three trailers of six bytes and the end are twenty."""
    raw = b"0\r\n" + b"X: y\r\n" * 3 + b"\r\n"
    assert read_chunks(raw, limits)[1] == End(((b"x", b"y"),) * 3)
    for more in (
        raw[:-2] + b"Z:\r\n\r\n",
        raw[:-4] + b"y\r\n\r\n" if limits.head == 20 else raw[:-2] + b"a:\r\n\r\n",
    ):
        with pytest.raises(PeerError, match=str(status)):
            read_chunks(more, limits)


# ---------------------------------------------------------------- limits at N and N + 1


def status_of(raw: bytes, limits: Limits, make: Any = http1.Connection) -> int | None:
    whole = read_until_error(make(limits), raw)[1]
    single = read_until_error(make(limits), [raw[i : i + 1] for i in range(len(raw))])[1]
    assert (whole and whole.status) == (single and single.status)
    return whole and whole.status


engines = pytest.mark.parametrize(
    "make", [http1.Connection, http1_h11.Connection], ids=["ours", "h11"]
)


@engines
def test_limits_are_exact(make: Any) -> None:
    """RFC 9112 §3 (414), RFC 9110 §5.4 (431), §15.5.14 (413): N passes, N + 1 does not."""
    assert status_of(GET, Limits(request_line=14), make) is None
    assert status_of(GET, Limits(request_line=13), make) == 414
    assert status_of(GET, Limits(head=len(GET)), make) is None
    assert status_of(GET, Limits(head=len(GET) - 1), make) == 431
    assert status_of(GET, Limits(fields=1), make) is None
    assert status_of(GET, Limits(fields=0), make) == 431
    post = request_of(b"POST", b"/", (b"Content-Length", b"3"), body=b"abc")
    assert status_of(post, Limits(body=3), make) is None
    assert status_of(post, Limits(body=2), make) == 413
    chunks = request_of(
        b"POST", b"/", (b"Transfer-Encoding", b"chunked"), body=b"3\r\nabc\r\n0\r\n\r\n"
    )
    assert status_of(chunks, Limits(body=3), make) is None
    assert status_of(chunks, Limits(body=2), make) == 413


@pytest.mark.parametrize(
    ("digits", "status"), [(b"0" * 18 + b"5", None), (b"0" * 19 + b"5", 413), (b"0" * 5000, 413)]
)
def test_digits_of_content_length(digits: bytes, status: int | None) -> None:
    """RFC 9110 §8.6: prevent errors by integer conversion; int() gives up at 4,300 digits."""
    raw = request_of(b"POST", b"/", (b"Content-Length", digits), body=b"hello")
    assert status_of(raw, Limits()) == status


# ---------------------------------------------------------------- the memo


def test_the_memo_gives_out_nothing_that_can_be_changed() -> None:
    """Two requests with the same fields share them, so they must be immutable to the core."""
    first, second = (read_until_error(http1.Connection(), GET)[0][0] for _ in range(2))
    assert first is not second
    for request in (first, second):
        assert type(request.fields) is tuple  # type: ignore[union-attr]
        assert all(type(pair) is tuple for pair in request.fields)  # type: ignore[union-attr]
    first.fields, first.method = (), b"CHANGED"  # type: ignore[union-attr]
    third = read_until_error(http1.Connection(), GET)[0][0]
    assert (third.fields, third.method) == (second.fields, b"GET")  # type: ignore[union-attr]


def test_the_memo_is_not_stale() -> None:
    """An absolute target replaces Host in this request, and not in the next with equal fields."""
    one = request_of(target=b"http://b.example/")
    for raw, host in ((GET, b"a.example"), (one, b"b.example"), (GET, b"a.example")):
        request: Any = read_until_error(http1.Connection(), raw)[0][0]
        assert dict(request.fields)[b"host"] == host


def test_the_memo_forgets_and_keeps_no_long_blocks() -> None:
    """256 blocks of at most 2 KiB: what strangers can make us remember is bounded."""
    http1_reading.parse_fields.cache_clear()
    for number in range(300):
        read_until_error(http1.Connection(), request_of(b"GET", b"/", (b"X", b"%d" % number)))
    assert http1_reading.parse_fields.cache_info().currsize == 256
    http1_reading.parse_fields.cache_clear()
    read_until_error(http1.Connection(), request_of(b"GET", b"/", (b"X", b"a" * 2048)))
    assert http1_reading.parse_fields.cache_info().currsize == 0


# ---------------------------------------------------------------- responses


def test_encode_fields() -> None:
    """RFC 9112 §5, RFC 9110 §7.6.1: fields as they are; framing and connection are ours."""
    given = (
        (b"X-Y", b"z"),
        (b"Content-Length", b"5"),
        (b"CONTENT-LENGTH", b"5"),
        (b"Transfer-Encoding", b"gzip"),
        (b"Keep-Alive", b"timeout=5"),
        (b"Connection", b"upgrade, Close"),
        (b"X-Y", b"a"),
    )
    fields = http1_writing.encode_fields(given)
    assert fields == http1_writing.ResponseFields(b"X-Y: z\r\nX-Y: a\r\n", 5, True)


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b"1_0", b"a", b"9" * 20, b"1, 1", b" 1"])
def test_a_length_that_is_none(value: bytes) -> None:
    """RFC 9110 §8.6: Content-Length = 1*DIGIT, from us too."""
    with pytest.raises(OurError):
        http1_writing.encode_fields(((b"Content-Length", value),))


def test_two_lengths() -> None:
    """RFC 9110 §8.6: one that differs from another is never sent."""
    with pytest.raises(OurError):
        http1_writing.encode_fields(((b"Content-Length", b"1"), (b"Content-Length", b"2")))


@pytest.mark.parametrize("byte", EVERY_BYTE)
def test_any_byte_in_a_response(byte: bytes) -> None:
    """RFC 9110 §5.1, §5.5: names are tokens, values visible; RFC 9112 §4: so is the reason."""
    for part, good in (
        ((b"X" + byte, b""), byte[0] in TCHAR),
        ((b"X", b"a" + byte), bool(grammar.VALUE.fullmatch(byte))),
    ):
        if good:
            assert b": ".join(part) in http1_writing.encode_fields((part,)).encoded
        else:
            with pytest.raises(OurError):
                http1_writing.encode_fields((part,))
    if not grammar.VALUE.fullmatch(byte):
        with pytest.raises(OurError):
            http1_writing.status_line(200, byte)


WRITERS = {
    (b"GET", b"1.1", 200, 5): http1_writing.LengthWriter,
    (b"GET", b"1.1", 200, None): http1_writing.ChunkedWriter,
    (b"GET", b"1.0", 200, 5): http1_writing.LengthWriter,
    (b"GET", b"1.0", 200, None): http1_writing.CloseWriter,
    (b"HEAD", b"1.1", 200, 5): http1_writing.NoBodyWriter,
    (b"HEAD", b"1.0", 200, None): http1_writing.NoBodyWriter,
    (b"GET", b"1.1", 204, None): http1_writing.NoBodyWriter,
    (b"GET", b"1.1", 205, None): http1_writing.NoBodyWriter,
    (b"GET", b"1.1", 304, 5): http1_writing.NoBodyWriter,
}


@pytest.mark.parametrize(("facts", "kind"), WRITERS.items(), ids=str)
def test_choose_writer(facts: tuple[bytes, bytes, int, int | None], kind: type) -> None:
    """RFC 9112 §6.3, case by case."""
    assert type(http1_writing.choose_writer(*facts)) is kind


def test_framing_field() -> None:
    """RFC 9110 §15.3.6: 205 says that it is empty; §8.6: 204 says nothing."""
    nobody = http1_writing.NoBodyWriter()
    assert http1_writing.framing_field(205, None, nobody) == b"content-length: 0\r\n"
    assert http1_writing.framing_field(204, 5, nobody) == b""
    assert http1_writing.framing_field(304, 5, nobody) == b"content-length: 5\r\n"
    assert http1_writing.framing_field(200, None, nobody) == b""


def test_every_status_line() -> None:
    """RFC 9112 §4: status-line = HTTP-version SP status-code SP [ reason-phrase ]."""
    assert http1_writing.status_line(299) == b"HTTP/1.1 299 \r\n"
    assert http1_writing.status_line(413) == b"HTTP/1.1 413 Content Too Large\r\n"
    assert http1_writing.status_line(200, b"Fine") == b"HTTP/1.1 200 Fine\r\n"
    assert all(200 <= status < 600 for status in http1_writing.STATUS_LINES)
    assert http1_writing.informational(Informational(103)) == b"HTTP/1.1 103 Early Hints\r\n\r\n"


@pytest.mark.parametrize(
    "name", [b"Content-Length", b"transfer-encoding", b"Host", b"Trailer", b"CONNECTION"]
)
def test_no_trailer_that_frames(name: bytes) -> None:
    """RFC 9110 §6.5.1: a sender does not put framing or routing into trailers."""
    with pytest.raises(OurError):
        http1_writing.ChunkedWriter().end([(name, b"5")])


# ---------------------------------------------------------------- the tables


def test_every_state_is_reached_and_no_move_leads_nowhere() -> None:
    """What is not in a table is not allowed, so each state must be in one."""
    assert {Reading.HEAD, *READING.values()} == set(Reading) - {Reading.FAILED}
    assert {Writing.IDLE, *WRITING.values()} == set(Writing)


def test_an_answer_before_the_version_is_known_has_no_chunks() -> None:
    """RFC 9112 §6.1: chunked goes only to a client that has said HTTP/1.1."""
    for make in (http1.Connection, http1_h11.Connection):
        engine: Any = make()
        read_until_error(engine, b"GET / \r\n\r\n")
        raw = engine.send(http1.Response(400)) + engine.send(Data(b"no")) + engine.send(End())
        assert b"chunked" not in raw
        assert raw.lower().endswith(b"\r\nconnection: close\r\n\r\nno")


def test_nothing_is_kept_of_what_will_not_be_read() -> None:
    """A client that goes on sending behind its error costs no memory."""
    for make in (http1.Connection, http1_h11.Connection):
        engine: Any = make()
        read_until_error(engine, b"\x16\x03")
        for _ in range(100):
            engine.receive(b"x" * 1000)
        assert len(engine._buf) == 0


def test_a_head_is_parsed_much_faster_than_by_h11() -> None:
    """The number behind "one regular expression over a whole head": each head another one."""
    names = [b"Accept", b"Cookie", b"User-Agent", b"Referer", b"Origin", b"Pragma", b"Priority"] * 2
    heads = [
        request_of(b"GET", b"/", *[(name, b"value %d of some length" % n) for name in names])
        for n in range(400)
    ]

    def run(make: Callable[[], Any]) -> float:
        engines = [make() for _ in heads]

        def parse() -> None:
            for engine, head in zip(engines, heads, strict=True):
                (engine.receive if hasattr(engine, "receive") else engine.receive_data)(head)
                engine.next_event()

        return _seconds(parse)

    import h11

    ours = min(run(http1.Connection) for _ in range(5))
    theirs = min(run(lambda: h11.Connection(h11.SERVER)) for _ in range(5))
    assert theirs > 2 * ours, (ours, theirs)


@engines
def test_blanks_around_a_value_of_ours_mean_nothing(make: Any) -> None:
    """RFC 9110 §5.5: they are no part of the value, and no reason to refuse it."""
    engine = make()
    read_until_error(engine, GET, answer=False)
    raw = engine.send(http1.Response(200, [(b"X", b" a\t")])) + engine.send(End([(b"Y", b" b ")]))
    assert re.search(rb"\r\nX: +a\t?\r\n", raw)
    assert re.search(rb"0\r\nY: +b *\r\n\r\n$", raw)


@engines
def test_a_shell_that_gives_up_owes_an_answer(make: Any) -> None:
    """RFC 9110 §15.5.9: a client that is too slow is told so, and the connection ends."""
    engine = make()
    engine.receive(b"HEAD / HT")
    engine.give_up()
    assert (engine.owes_response, engine.must_close) == (True, True)
    raw = engine.send(http1.Response(408, [(b"content-length", b"2")]))
    raw += engine.send(Data(b"no")) + engine.send(End())
    assert raw.endswith(b"\r\n\r\n")  # it was a HEAD
    assert b"connection: close" in raw.lower()
    assert engine.must_close


def possessive_groups(items):
    """Yield each possessive repeat of more than one class of bytes in a parsed pattern."""
    for operation, argument in items:
        if str(operation) == "POSSESSIVE_REPEAT":
            (inner,) = argument[2] if len(argument[2]) == 1 else [(None, None)]
            if str(inner[0]) not in ("IN", "LITERAL", "NOT_LITERAL", "ANY"):
                yield argument
        for part in argument if isinstance(argument, list | tuple) else ():
            if isinstance(part, SubPattern):
                yield from possessive_groups(part)
            elif isinstance(part, list):  # the alternatives of a branch
                yield from (
                    found
                    for each in part
                    if isinstance(each, SubPattern)
                    for found in possessive_groups(each)
                )


PATTERNS = {name: value for name, value in vars(grammar).items() if isinstance(value, re.Pattern)}


@pytest.mark.parametrize("name", PATTERNS)
def test_no_group_is_repeated_possessively(name):
    """Python 3.11.2, Debian 12's, does not step back when a turn of such a group fails halfway."""
    assert list(possessive_groups(parse_pattern(PATTERNS[name].pattern.decode("latin-1")))) == []


@pytest.mark.parametrize("pattern", [r"(?:a;b)*+", r"x(?:[a]b|c)++", r"(y(?:ab)?+)"])
def test_a_possessive_group_would_be_found(pattern):
    assert list(possessive_groups(parse_pattern(pattern)))
