"""Framing: where a request begins and ends, and where its answer does (RFC 9112)."""

from __future__ import annotations

import time
from functools import partial

from .asking import Asking, Miss, expect, request, same
from .model import check

framing = partial(check, group="framing")
BARE: tuple[str, ...] = ()
NO_SIZE = request("/ok", "Transfer-Encoding: chunked", method="POST")


def with_body(*fields: str, body: bytes = b"hello") -> bytes:
    """Return a POST with these fields and these bytes behind them."""
    return request("/echo", *fields, method="POST") + body


# ---------------------------------------------------------------- the request line and Host


@framing("no Host", "RFC 9112 §3.2", 2, needs=BARE)
def no_host(it: Asking) -> None:
    """A server must answer 400 to an HTTP/1.1 request that lacks Host."""
    it.refused(b"GET /ok HTTP/1.1\r\n\r\n", 400, suspect=b"\r\n\r\n", closes=False)


@framing("two Hosts", "RFC 9112 §3.2", 2, needs=BARE)
def two_hosts(it: Asking) -> None:
    """A server must answer 400 to a request with more than one Host."""
    it.refused(request("/ok", "Host: other"), 400, suspect=b"Host: other", closes=False)


@framing("a bad Host", "RFC 9112 §3.2", 2, needs=BARE)
def a_bad_host(it: Asking) -> None:
    """A server must answer 400 to a Host whose value is no host."""
    sent = b"GET /ok HTTP/1.1\r\nHost: a b/c\r\n\r\n"
    it.refused(sent, 400, suspect=b" b/c", closes=False)


@framing("HTTP/1.0 without Host", "RFC 9112 §3.2", 2)
def http_1_0_without_host(it: Asking) -> None:
    """Host is demanded of HTTP/1.1 alone: a request of HTTP/1.0 without it is served."""
    sent = b"GET /ok HTTP/1.0\r\n\r\n"
    same(it.ask(sent).status, 200, "the status", sent)


@framing("a whole URL", "RFC 9112 §3.2.2", 2)
def a_whole_url(it: Asking) -> None:
    """A server must accept the absolute form of a target, whose path is its path."""
    answer = it.ask(request("http://test/ok?say=absolute"))
    same((answer.status, answer.body), (200, b"absolute"), "the answer",
         request("http://test/ok?say=absolute"))  # fmt: skip


@framing("an empty line first", "RFC 9112 §2.2", 2, choice=True, needs=BARE)
def an_empty_line_first(it: Asking) -> None:
    """A server should ignore an empty line before a request: old clients end a body with one."""
    sent = b"\r\n" + request("/ok")
    same(it.ask(sent).status, 200, "the status", sent)


@framing("a bent method", "RFC 9112 §3", 2, choice=True, needs=BARE)
def a_bent_method(it: Asking) -> None:
    """A method is a token; a server should answer 400 to a request line that is none."""
    it.refused(request("/ok", method="GE(T"), 400, 501, suspect=b"(", closes=False)


@framing("two blanks in the request line", "RFC 9112 §3", 2, choice=True, needs=BARE)
def two_blanks(it: Asking) -> None:
    """One blank stands between the parts; a server should answer 400 to another request line."""
    it.refused(b"GET  /ok HTTP/1.1\r\nHost: test\r\n\r\n", 400, suspect=b"  ", closes=False)


@framing("a version in small letters", "RFC 9112 §2.3", 2, choice=True, needs=BARE)
def a_small_version(it: Asking) -> None:
    """HTTP-version is case-sensitive; ``http/1.1`` is no version, and 400 should come."""
    sent = b"GET /ok http/1.1\r\nHost: test\r\n\r\n"
    it.refused(sent, 400, 505, suspect=b"http/", closes=False)


@framing("an unknown version", "RFC 9110 §15.6.6", 2, choice=True, needs=BARE)
def an_unknown_version(it: Asking) -> None:
    """A major version that the server does not speak is refused, with 505 or 400."""
    sent = b"GET /ok HTTP/9.9\r\nHost: test\r\n\r\n"
    it.refused(sent, 505, 400, suspect=b"9.9", closes=False)


# ---------------------------------------------------------------- fields


@framing("a blank before the colon", "RFC 9112 §5.1", 2, needs=BARE)
def a_blank_before_the_colon(it: Asking) -> None:
    """A server must answer 400 when a blank stands between a field's name and its colon."""
    sent = with_body("Content-Length : 5")
    it.refused(sent, 400, suspect=b" : 5", closes=False)


@framing("no blank after the colon", "RFC 9112 §5", 2)
def no_blank_after_the_colon(it: Asking) -> None:
    """The blank after the colon may be missing, and blanks around a value are no part of it."""
    fields = seen_fields(it, "X-Close:yes", "X-Wide: \t wide\t ")
    same(fields.get("x-close"), "yes", "the field X-Close:yes")
    same(fields.get("x-wide"), "wide", "the field X-Wide with blanks around its value")


def seen_fields(it: Asking, *fields: str) -> dict[str, str]:
    """Return the fields that the application sees, by their names in small letters."""
    facts = it.facts(*fields)
    if facts["interface"] == "asgi":
        return dict(facts["scope"]["headers"])
    environ = facts["environ"]
    return {key[5:].lower().replace("_", "-"): value for key, value in environ.items()
            if key.startswith("HTTP_")}  # fmt: skip


def refused_or(it: Asking, sent: bytes, field: str, *allowed: str | None, suspect: bytes) -> None:
    """Demand 400, or one of these values of a field in the application."""
    wire = it.connect().send(sent)
    if not wire.until_any():
        return
    answer = wire.response(whole=False)
    if 400 <= answer.status < 500:
        return
    facts = it.read(answer, sent)
    key = "HTTP_" + field.upper().replace("-", "_")
    got = (
        facts["environ"].get(key) if facts["interface"] == "wsgi"
        else dict(facts["scope"]["headers"]).get(field)
    )  # fmt: skip
    if got not in allowed:
        raise Miss(f"wanted 400, and the application is given {field}: {got!r}", sent=sent,
                   got=got, suspect=suspect)  # fmt: skip


@framing("a folded field", "RFC 9112 §5.2", 2)
def a_folded_field(it: Asking) -> None:
    """A value that goes on in the next line must be refused, or joined by blanks."""
    sent = request("/facts", "X-Fold: one\r\n two")
    refused_or(it, sent, "x-fold", "one two", "one   two", "one  two", "one    two",
               suspect=b"\r\n two")  # fmt: skip


@framing("a blank before the first field", "RFC 9112 §2.2", 2)
def a_blank_before_the_first_field(it: Asking) -> None:
    """A blank behind the request line must be refused, or its whole line be skipped."""
    sent = b"GET /facts HTTP/1.1\r\n X-Hidden: yes\r\nHost: test\r\n\r\n"
    refused_or(it, sent, "x-hidden", None, suspect=b" X-Hidden")


@framing("a bare CR in a field", "RFC 9112 §2.2", 2)
def a_bare_cr(it: Asking) -> None:
    """A CR without LF must be refused, or replaced by a blank."""
    sent = b"GET /facts HTTP/1.1\r\nHost: test\r\nX-Bare: a\rb\r\n\r\n"
    refused_or(it, sent, "x-bare", "a b", suspect=b"\rb")


@framing("a NUL in a field", "RFC 9110 §5.5", 2)
def a_nul(it: Asking) -> None:
    """A NUL in a value must be refused, or replaced by a blank."""
    sent = b"GET /facts HTTP/1.1\r\nHost: test\r\nX-Nul: a\0b\r\n\r\n"
    refused_or(it, sent, "x-nul", "a b", suspect=b"\0b")


@framing("a field without a name", "RFC 9112 §5", 2, choice=True, needs=BARE)
def a_field_without_a_name(it: Asking) -> None:
    """A field's name is a token, of one character at least; anything else is no field."""
    it.refused(request("/ok", ": no name"), 400, suspect=b": no name", closes=False)


@framing("a field's name with a bracket", "RFC 9110 §5.6.2", 2, choice=True, needs=BARE)
def a_bent_name(it: Asking) -> None:
    """A bracket stands in no token, and so in no field's name."""
    it.refused(request("/ok", "X[0]: yes"), 400, suspect=b"[0]", closes=False)


# ---------------------------------------------------------------- Content-Length


@framing("a negative length", "RFC 9112 §6.3", 3, needs=BARE)
def a_negative_length(it: Asking) -> None:
    """A length that is no number must be answered with 400, and the connection closed."""
    it.refused(with_body("Content-Length: -5"), 400, suspect=b"-5")


@framing("a length in words", "RFC 9112 §6.3", 3, needs=BARE)
def a_length_in_words(it: Asking) -> None:
    """A length in words is the client's error, 400, and none of ours, 500."""
    it.refused(with_body("Content-Length: five"), 400, suspect=b"five")


@framing("a length with a plus", "RFC 9112 §6.3", 3, needs=BARE)
def a_length_with_a_plus(it: Asking) -> None:
    """A length is digits alone: what int() takes besides is not for everybody on the way."""
    it.refused(with_body("Content-Length: +5"), 400, suspect=b"+5")


@framing("a length with an underscore", "RFC 9112 §6.3", 3, needs=BARE)
def a_length_with_an_underscore(it: Asking) -> None:
    """A length is digits alone: Python reads 5_0 as 50, and a proxy does not."""
    it.refused(with_body("Content-Length: 5_0"), 400, suspect=b"_0")


@framing("two lengths", "RFC 9112 §6.3", 3, needs=BARE)
def two_lengths(it: Asking) -> None:
    """Two lengths that differ must be answered with 400, and the connection closed."""
    sent = with_body("Content-Length: 5", "Content-Length: 6", body=b"hello!")
    it.refused(sent, 400, suspect=b"Content-Length: 6")


@framing("a list of lengths", "RFC 9112 §6.3", 3, needs=BARE)
def a_list_of_lengths(it: Asking) -> None:
    """A list of lengths that differ must be answered with 400, and the connection closed."""
    it.refused(with_body("Content-Length: 5, 6", body=b"hello!"), 400, suspect=b", 6")


@framing("one length twice", "RFC 9112 §6.3", 3)
def one_length_twice(it: Asking) -> None:
    """The same length twice is refused, or is that length; nothing between."""
    sent = with_body("Content-Length: 5", "Content-Length: 5")
    answer = it.connect().send(sent).response(whole=False)
    if answer.status != 400:
        same(answer.body, b"hello", "the body", sent)


# ---------------------------------------------------------------- Transfer-Encoding


@framing("chunks are decoded", "RFC 9112 §7.1", 3)
def chunks_are_decoded(it: Asking) -> None:
    """A server must be able to decode chunks; their sizes are no part of the body."""
    sent = request("/echo", method="POST", chunks=(b"hel", b"lo"))
    same(it.ask(sent).body, b"hello", "the body that the application got", sent)


@framing("chunk sizes", "RFC 9112 §7.1", 3)
def chunk_sizes(it: Asking) -> None:
    """A size is hexadecimal, in large or small letters, with zeros before it."""
    sent = request("/echo", "Transfer-Encoding: chunked", method="POST")
    sent += b"00A\r\n0123456789\r\na\r\n0123456789\r\n00\r\n\r\n"
    same(it.ask(sent).body, b"0123456789" * 2, "the body that the application got", sent)


@framing("chunk extensions", "RFC 9112 §7.1.1", 3)
def chunk_extensions(it: Asking) -> None:
    """A server must ignore the extensions of a chunk that it does not know."""
    sent = request("/echo", method="POST", chunks=(b"hello",))
    sent = sent.replace(b"5\r\n", b'5;a=b;c="d"\r\n')
    same(it.ask(sent).body, b"hello", "the body that the application got", sent)


@framing("trailers", "RFC 9112 §7.1.2", 3)
def trailers(it: Asking) -> None:
    """Fields behind the last chunk are no part of the body, and no request of their own."""
    sent = request("/echo", method="POST", chunks=(b"hello",))
    sent = sent.replace(b"\r\n0\r\n\r\n", b"\r\n0\r\nX-Trailer: yes\r\n\r\n")
    same(it.ask(sent).body, b"hello", "the body that the application got", sent)


def not_whole(it: Asking, framed: bytes, suspect: bytes) -> None:
    """Demand that broken chunks are never given to the application as a whole body."""
    token = it.token()
    sent = request(f"/echo?token={token}", "Transfer-Encoding: chunked", method="POST") + framed
    wire = it.connect().send(sent).half_close()
    came = b""
    if wire.until_any():
        answer = wire.response(whole=False)
        came = answer.head
        if answer.status < 400:
            raise Miss("broken chunks are served as a whole body", sent=sent, got=came,
                       suspect=suspect, at=9)  # fmt: skip
    bodies = [each for each in it.notes(token) if "body" in each]
    if bodies:
        raise Miss("the application took broken chunks for a whole body", sent=sent,
                   got=bodies[0]["body"], suspect=suspect)  # fmt: skip


@framing("a chunk without a size", "RFC 9112 §7.1", 3)
def a_chunk_without_a_size(it: Asking) -> None:
    """What does not begin with its size is no chunk, and the body is not complete."""
    not_whole(it, b"hello\r\n0\r\n\r\n", b"hello")


@framing("a chunk size with 0x", "RFC 9112 §7.1", 3)
def a_chunk_size_with_0x(it: Asking) -> None:
    """A size is hexadecimal digits alone, although int(size, 16) takes more."""
    not_whole(it, b"0x5\r\nhello\r\n0\r\n\r\n", b"0x5")


@framing("a negative chunk", "RFC 9112 §7.1", 3)
def a_negative_chunk(it: Asking) -> None:
    """A size has no sign."""
    not_whole(it, b"-1\r\nhello\r\n0\r\n\r\n", b"-1")


@framing("a chunk size that overflows", "RFC 9112 §7.1", 3)
def a_chunk_size_that_overflows(it: Asking) -> None:
    """A server must expect large sizes: one of more than 64 bits does not wrap around."""
    not_whole(it, b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"1000000")


@framing("a chunk that is too long", "RFC 9112 §7.1", 3)
def a_chunk_that_is_too_long(it: Asking) -> None:
    """Behind a chunk's bytes stands CRLF; where it does not, the body is not complete."""
    not_whole(it, b"3\r\nhello\r\n0\r\n\r\n", b"lo\r\n")


@framing("length beside chunks", "RFC 9112 §6.1", 3)
def length_beside_chunks(it: Asking) -> None:
    """With both framings the server must close after its answer: this is how one smuggles."""
    token = it.token()
    sent = request("/echo", "Content-Length: 4", method="POST", chunks=(b"hello",))
    sent += request(f"/ok?token={token}")
    wire = it.connect().send(sent)
    answer = wire.response(whole=False)
    came = wire.response(whole=False).head if wire.until_any() else b""
    if came or it.notes(token):
        raise Miss("the bytes behind the body ran as a request", sent=sent, got=came or answer.head,
                   suspect=b"GET /ok", at=0)  # fmt: skip


@framing("chunks win over length", "RFC 9112 §6.3", 3)
def chunks_win_over_length(it: Asking) -> None:
    """Transfer-Encoding overrides Content-Length: refused, or read as chunks, never by length."""
    sent = request("/echo", "Content-Length: 3", method="POST", chunks=(b"hello",))
    answer = it.connect().send(sent).response(whole=False)
    if answer.status != 400:
        same(answer.body, b"hello", "the body that the application got", sent)


@framing("chunks are not last", "RFC 9112 §6.3", 3, needs=BARE)
def chunks_are_not_last(it: Asking) -> None:
    """Where chunked is not the last coding nobody can know the length: 400, and close."""
    sent = with_body("Transfer-Encoding: chunked, identity", body=b"5\r\nhello\r\n0\r\n\r\n")
    it.refused(sent, 400, 501, suspect=b", identity")


@framing("a coding nobody knows", "RFC 9112 §6.1", 3, needs=BARE)
def a_coding_nobody_knows(it: Asking) -> None:
    """A coding that is not understood is refused, 501 or 400; it is not taken for chunked."""
    sent = with_body("Transfer-Encoding: xchunked", body=b"5\r\nhello\r\n0\r\n\r\n")
    it.refused(sent, 400, 501, suspect=b"xchunked")


@framing("chunks in HTTP/1.0", "RFC 9112 §6.1", 3)
def chunks_in_http_1_0(it: Asking) -> None:
    """Transfer-Encoding in HTTP/1.0 is faulty framing: the connection must be closed behind it."""
    sent = request("/echo", "Connection: keep-alive", version="1.0", method="POST",
                   chunks=(b"hello",))  # fmt: skip
    wire = it.connect().send(sent)
    if wire.until_any():
        wire.response(whole=False)
        it.must_close(wire, sent, "after chunks in HTTP/1.0")


@framing("byte by byte", "RFC 9293 §2.2", 1)
def byte_by_byte(it: Asking) -> None:
    """TCP is a stream: a request that comes a byte at a time is the same request."""
    sent = request("/echo", method="POST", body=b"hello")
    wire = it.connect()
    for position in range(len(sent)):
        wire.send(sent[position : position + 1])
    answer = wire.response()
    same((answer.status, answer.body), (200, b"hello"), "the answer", sent)


# ---------------------------------------------------------------- what comes back


@framing("HEAD", "RFC 9110 §9.3.2", 3)
def head(it: Asking) -> None:
    """The answer to HEAD must have no content; what follows on the connection is whole."""
    wire = it.connect()
    wire.send(request("/ok", method="HEAD")).response(head_only=True)
    wire.send(request("/ok", "Connection: close"))
    came = wire.closed("it was asked to")
    expect(not came or came.startswith(b"HTTP/1.1 200"), "content came behind HEAD",
           request("/ok", method="HEAD"), came, 0)  # fmt: skip


@framing("HEAD of a stream", "RFC 9110 §9.3.2", 3)
def head_of_a_stream(it: Asking) -> None:
    """HEAD of content without a length has no chunks, not even the last one."""
    sent = request("/stream", method="HEAD")
    wire = it.connect().send(sent)
    wire.response(head_only=True)
    wire.send(request("/ok", "Connection: close"))
    came = wire.closed("it was asked to")
    expect(not came or came.startswith(b"HTTP/1.1 200"), "content came behind HEAD", sent, came, 0)


@framing("204 has no content", "RFC 9110 §15.3.5", 3)
def no_content(it: Asking) -> None:
    """204 has no content, whatever the application says, and must bear no length and no chunks."""
    nothing(it, 204)


@framing("304 has no content", "RFC 9110 §15.4.5", 3)
def not_modified(it: Asking) -> None:
    """304 ends at the empty line, whatever the application says."""
    nothing(it, 304)


def nothing(it: Asking, status: int) -> None:
    """Demand an answer without content, and a connection that goes on or ends."""
    sent = request(f"/status?code={status}&body=content")
    wire = it.connect().send(sent)
    answer = wire.response(whole=False)
    if answer.status == 500:
        return  # the application's mistake, told as such
    same(answer.status, status, "the status", sent)
    expect("transfer-encoding" not in dict(answer.fields), f"a {status} in chunks", sent,
           answer.head)  # fmt: skip
    if status == 204:
        expect("content-length" not in dict(answer.fields), "a 204 with a length", sent,
               answer.head)  # fmt: skip
    wire.send(request("/ok", "Connection: close"))
    came = wire.closed("it was asked to")
    expect(not came or came.startswith(b"HTTP/1.1 200"), f"content came behind {status}", sent,
           came, 0)  # fmt: skip


@framing("an empty 404", "RFC 9112 §2.1", 3)
def an_empty_404(it: Asking) -> None:
    """An answer without content is ended by the empty line, and its framing says so."""
    answer = it.ask(request("/nowhere"))
    same((answer.status, answer.body), (404, b""), "the answer")
    answer = it.ask(request("/nowhere", "Connection: close"))
    same((answer.status, answer.body), (404, b""), "the answer")


@framing("no chunks for HTTP/1.0", "RFC 9112 §6.1", 3)
def no_chunks_for_http_1_0(it: Asking) -> None:
    """A server must not send chunks to a client of HTTP/1.0."""
    sent = request("/stream", "Connection: keep-alive", version="1.0")
    answer = it.ask(sent)
    expect("transfer-encoding" not in dict(answer.fields), "chunks for HTTP/1.0", sent, answer.head)
    same(answer.body, b"onetwo", "the content", sent)


@framing("a stream has an end", "RFC 9112 §6.3", 3)
def a_stream_has_an_end(it: Asking) -> None:
    """Content without a length ends by chunks, or with the connection."""
    sent = request("/stream")
    same(it.ask(sent).body, b"onetwo", "the content", sent)


@framing("a stream in chunks", "RFC 9112 §7.1", 3, choice=True)
def a_stream_in_chunks(it: Asking) -> None:
    """Chunks tell the end of a stream from a broken line, and keep the connection."""
    same(it.ask(request("/stream")).framing, "chunked", "how the end of the stream is told")


@framing("long content", "RFC 9112 §6.3", 3)
def long_content(it: Asking) -> None:
    """Two megabytes arrive whole and in order."""
    body = it.ask(request("/big?size=2000000")).body
    wanted = b"".join(b"%07d\n" % number for number in range(250_000))
    expect(body == wanted, f"of {len(wanted)} bytes came {len(body)}, or others")


@framing("Date", "RFC 9110 §6.6.1", 3)
def date(it: Asking) -> None:
    """A server with a clock must send a Date with each answer of 2xx, 3xx and 4xx."""
    for target in ("/ok", "/nowhere"):
        answer = it.ask(request(target))
        expect(answer.value("date"), "no Date", request(target), answer.head)


@framing("the Date moves", "RFC 9110 §6.6.1", 3)
def the_date_moves(it: Asking) -> None:
    """Date is the time at which this answer was made, not the first one."""
    first = it.ask(request("/ok")).value("date")
    for _ in range(12):
        if it.ask(request("/ok")).value("date") != first or first is None:
            return
        time.sleep(0.1)
    raise Miss("the Date stands still for a second and more", sent=request("/ok"), got=first)


@framing("one Date", "RFC 9110 §5.3", 3)
def one_date(it: Asking) -> None:
    """An application's own Date is not doubled: a sender must not repeat such a field."""
    answer = it.ask(request("/date"))
    same(len(answer.values("date")), 1, "the number of Date fields", request("/date"))


@framing("100 when it is wanted", "RFC 9110 §10.1.1", 3)
def continue_when_wanted(it: Asking) -> None:
    """A client that waits for 100 must hear that, or the final status, and not be left waiting."""
    sent = request("/echo", "Expect: 100-continue", "Content-Length: 5", method="POST")
    wire = it.connect().send(sent)
    answer = wire.response()
    if answer.status == 100:
        answer = wire.send(b"hello").response()
        same((answer.status, answer.body), (200, b"hello"), "the answer behind 100", sent)
    else:
        expect(answer.status >= 400, "the final status came, and nobody had the body", sent,
               answer.head, 9)  # fmt: skip


@framing("no 100 for HTTP/1.0", "RFC 9110 §10.1.1", 3)
def no_continue_for_http_1_0(it: Asking) -> None:
    """A server must ignore the expectation of a client of HTTP/1.0, which knows no 100."""
    sent = request("/echo", "Expect: 100-continue", method="POST", body=b"hello", version="1.0")
    answer = it.ask(sent)
    same((answer.status, answer.body), (200, b"hello"), "the only answer", sent)
