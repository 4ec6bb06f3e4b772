"""Chapters 1 to 3 over the wire: a request is found, whatever its bytes look like, and answered."""

from __future__ import annotations

from typing import Any

from . import Broken, case
from .probes import TEXT, Probe, expect, moment, ok, raw, same
from .wire import Wire, ask, request, up


def refuses(server: Any, sent: bytes, *statuses: int) -> None:
    """Demand an error status, a closed connection, and an application that was not called."""
    probe = Probe()
    with up(server, probe) as connect:
        wire = connect().send(sent)
        answer = wire.response()
        wire.closed("after a request that it could not read")
    if answer.status not in statuses or probe.calls:
        raise Broken(
            f"wanted {' or '.join(map(str, statuses))} and no call of the application, which was "
            f"called {len(probe.calls)} times",
            sent=sent,
            got=answer.head,
        )


# ---------------------------------------------------------------- 1: a socket that talks


@case("server", "one answer", "RFC 9112 §2.1", 1)
def one_answer(server: Any) -> None:
    """A GET is answered with the application's status, fields and content."""
    answer = ask(server, Probe(), request("/"))
    same(answer.status, 200, "the status is not the application's")
    same(answer.reason, b"OK", "the reason phrase is not the application's")
    same(answer.value("content-type"), "text/plain", "a field of the application is missing")
    same(answer.body, b"ok", "the content is not the application's")


@case("server", "split reads", "RFC 9112 §2.2", 1)
def split_reads(server: Any) -> None:
    """A request that arrives a byte at a time is the same request."""
    sent = request("/in/pieces", "X-Field: yes", method="POST", body=b"hello")
    probe = Probe(
        lambda environ: environ["wsgi.input"].read(5) + b" " + environ["HTTP_X_FIELD"].encode()
    )
    with up(server, probe) as connect:
        wire = connect()
        for position in range(len(sent)):
            wire.send(sent[position : position + 1])
        answer = wire.response()
    same(answer.body, b"hello yes", "one recv() is not one request", sent)
    same(probe.paths, ["/in/pieces"], "one recv() is not one request", sent)


@case("server", "half-close", "RFC 9112 §9.6", 1)
def half_close(server: Any) -> None:
    """A client that has asked and will send no more still gets its answer."""
    with up(server, Probe()) as connect:
        wire = connect().send(request()).half_close()
        same(wire.response().status, 200, "the answer did not come after a half-close")
        same(wire.closed("the client will ask nothing more"), b"", "more than one answer came")


@case("server", "clients that leave", "RFC 9112 §9.5", 1)
def clients_that_leave(server: Any) -> None:
    """A client that leaves at any point costs the others nothing."""
    sent = request("/", method="POST", body=b"hello")
    with up(server, Probe()) as connect:
        for length in (0, 1, 20, len(sent) - 2, len(sent)):
            connect().send(sent[:length]).close()
            connect().send(sent[:length]).reset()
        answer = connect().send(request("/")).response()
    same(answer.status, 200, "after some clients left in the middle, the next one is not served")


@case("server", "long answer", "RFC 9112 §6.3", 1)
def long_answer(server: Any) -> None:
    """Five megabytes arrive whole and in order."""
    body = b"".join(b"%07d\n" % number for number in range(5 * 2**17))

    def app(environ: Any, start_response: Any) -> list[bytes]:
        return ok(start_response, body)

    answer = ask(server, app, request())
    expect(answer.body == body, f"of {len(body)} bytes came {len(answer.body)}, or others")


# ---------------------------------------------------------------- 2: parsing a request


@case("server", "not HTTP", "RFC 9112 §3", 2)
def not_http(server: Any) -> None:
    """What is no request is answered with 400, and the connection is closed."""
    refuses(server, b"\x16\x03\x01\x02\x00 hello\r\n\r\n", 400)


@case("server", "no Host", "RFC 9112 §3.2", 2)
def no_host(server: Any) -> None:
    """An HTTP/1.1 request without Host is answered with 400."""
    refuses(server, b"GET / HTTP/1.1\r\n\r\n", 400)


@case("server", "two Hosts", "RFC 9112 §3.2", 2)
def two_hosts(server: Any) -> None:
    """A request with two Host fields is answered with 400."""
    refuses(server, request("/", "Host: other"), 400)


@case("server", "blank before the colon", "RFC 9112 §5.1", 2)
def blank_before_the_colon(server: Any) -> None:
    """A blank between a field's name and its colon is answered with 400."""
    refuses(server, request("/", "Content-Length : 5"), 400)


@case("server", "no blank after the colon", "RFC 9112 §5", 2)
def no_blank_after_the_colon(server: Any) -> None:
    """``X:yes`` is a field: the blank after the colon is optional, and never part of the value."""
    probe = Probe()
    sent = request("/", "X-Close:yes", "X-Wide: \t yes\t ")
    ask(server, probe, sent)
    same(probe.calls[0].get("HTTP_X_CLOSE"), "yes", "a field without a blank was lost", sent)
    same(probe.calls[0].get("HTTP_X_WIDE"), "yes", "blanks around a value are not in it", sent)


@case("server", "unknown version", "RFC 9110 §15.6.6", 2)
def unknown_version(server: Any) -> None:
    """A request in HTTP/9.9 is not served as if it were ours."""
    refuses(server, b"GET / HTTP/9.9\r\nHost: test\r\n\r\n", 505, 400)


@case("server", "endless request line", "RFC 9112 §3", 2)
def endless_request_line(server: Any) -> None:
    """A request line longer than the server keeps is answered with 414, before it ends."""
    refuses(server, b"GET /" + b"a" * 200_000, 414, 400)


@case("server", "endless head", "RFC 6585 §5", 2)
def endless_head(server: Any) -> None:
    """A head longer than the server keeps is answered with 431, before it ends."""
    refuses(server, request()[:-2] + b"X: " + b"a" * 200_000, 431, 400)


@case("server", "too many fields", "RFC 6585 §5", 2)
def too_many_fields(server: Any) -> None:
    """More fields than the server keeps are answered with 431."""
    refuses(server, request("/", *[f"X-{number}: y" for number in range(2000)]), 431, 400)


@case("server", "empty line first", "RFC 9112 §2.2", 2)
def empty_line_first(server: Any) -> None:
    """An empty line before a request is ignored: some clients end a body with one."""
    same(ask(server, Probe(), b"\r\n" + request()).status, 200, "the request was not read")


# ---------------------------------------------------------------- 3: bodies and framing


@case("server", "negative length", "RFC 9110 §8.6", 3)
def negative_length(server: Any) -> None:
    """Content-Length: -5 is answered with 400; it is no way to trim the body."""
    refuses(server, request("/", "Content-Length: -5", method="POST") + b"hello", 400)


@case("server", "length in words", "RFC 9110 §8.6", 3)
def length_in_words(server: Any) -> None:
    """A Content-Length that is no number is the client's error, 400, and not ours, 500."""
    for length in ("five", "+5", "5_0", "0x5", "5 5", ""):
        refuses(server, request("/", f"Content-Length: {length}", method="POST") + b"hello", 400)


@case("server", "two lengths", "RFC 9112 §6.3", 3)
def two_lengths(server: Any) -> None:
    """Two different lengths are answered with 400: nobody knows which one a proxy believed."""
    lengths = ("Content-Length: 5", "Content-Length: 6")
    refuses(server, request("/", *lengths, method="POST") + b"hello!", 400)


@case("server", "length and chunks", "RFC 9112 §6.1", 3)
def length_and_chunks(server: Any) -> None:
    """Content-Length beside Transfer-Encoding ends the connection: so requests are smuggled."""
    sent = request("/", "Content-Length: 4", method="POST", chunks=(b"hello",))
    probe = Probe()
    with up(server, probe) as connect:
        wire = connect().send(sent + request("/smuggled"))
        wire.response()
        wire.closed("after a request with two framings")
    expect("/smuggled" not in probe.paths, "the bytes behind the body ran as a request", sent=sent)


@case("server", "broken chunk", "RFC 9112 §7.1", 3)
def broken_chunk(server: Any) -> None:
    """A chunk without a size never reaches the application as content."""
    sent = request("/", "Transfer-Encoding: chunked", method="POST") + b"hello\r\n0\r\n\r\n"
    probe = Probe(lambda environ: environ["wsgi.input"].read(100))
    with up(server, probe) as connect:
        wire = connect().send(sent)
        answer = wire.response(whole=False)
        wire.closed("after a body that it could not read")
    expect(not probe.results, "the application took broken chunks for content", sent=sent)
    same(answer.status, 400, "broken chunks are the client's error", sent)


@case("server", "keep-alive", "RFC 9112 §9.3", 3)
def keep_alive(server: Any) -> None:
    """A connection serves one request after the other."""
    probe = Probe()
    with up(server, probe) as connect:
        wire = connect()
        for number in range(5):
            answer = wire.send(request(f"/{number}")).response()
            same(answer.status, 200, f"request {number + 1} on one connection failed")
    same(probe.paths, ["/0", "/1", "/2", "/3", "/4"], "the requests on one connection")


@case("server", "keep-alive after a body", "RFC 9112 §9.3", 3)
def keep_alive_after_a_body(server: Any) -> None:
    """After a body, in either framing, the next request begins where the body ends."""
    probe = Probe(lambda environ: environ["wsgi.input"].read(100))
    with up(server, probe) as connect:
        wire = connect()
        wire.send(request("/a", method="POST", body=b"hello")).response()
        wire.send(request("/b", method="POST", chunks=(b"hel", b"lo"))).response()
        wire.send(request("/c")).response()
    same(probe.paths, ["/a", "/b", "/c"], "the requests on one connection")
    same(probe.results, [b"hello", b"hello", b""], "their bodies")


@case("server", "Connection: close", "RFC 9112 §9.6", 3)
def connection_close(server: Any) -> None:
    """A client that says ``Connection: close`` gets one answer, which says so too, and the end."""
    with up(server, Probe()) as connect:
        wire = connect().send(request("/", "Connection: close"))
        answer = wire.response()
        same(wire.closed("it was asked to"), b"", "more than one answer came")
    same(answer.value("connection"), "close", "the last response does not say that it is the last")


@case("server", "HTTP/1.0 closes", "RFC 9112 §9.3", 3)
def http_1_0_closes(server: Any) -> None:
    """A connection of HTTP/1.0 is closed after the answer, unless asked otherwise."""
    with up(server, Probe()) as connect:
        wire = connect().send(request(version="1.0"))
        same(wire.response().status, 200, "HTTP/1.0 is not served")
        wire.closed("HTTP/1.0 knows nothing else")


@case("server", "HTTP/1.0 keep-alive", "RFC 9112 §9.3", 3, needs={"keep-alive in 1.0"})
def http_1_0_keep_alive(server: Any) -> None:
    """A connection of HTTP/1.0 is kept when the client asks for it, and told so."""
    with up(server, Probe()) as connect:
        wire = connect()
        for _ in range(2):
            answer = wire.send(request("/", "Connection: keep-alive", version="1.0")).response()
            same(answer.value("connection"), "keep-alive", "the client is not told")


@case("server", "pipelining", "RFC 9112 §9.3.2", 3)
def pipelining(server: Any) -> None:
    """Requests sent without waiting are answered in their order, each once."""
    probe = Probe(lambda environ: environ["PATH_INFO"].encode())
    sent = [request(f"/{number}") for number in range(4)]
    sent[2] = request("/2", method="POST", body=b"GET /fake HTTP/1.1\r\n\r\n")
    with up(server, probe) as connect:
        wire = connect().send(b"".join(sent))
        bodies = [wire.response().body for _ in sent]
    same(bodies, [b"/0", b"/1", b"/2", b"/3"], "the answers are not in the order of the requests")


@case("server", "unread body", "RFC 9112 §9.3", 3)
def unread_body(server: Any) -> None:
    """A body that the application leaves unread is never taken for the next request."""
    for body in (b"GET /fake HTTP/1.1\r\nHost: test\r\n\r\n", b"GET /fake\r\n\r\n" * 20_000):
        for framing in ({"body": body}, {"chunks": (body,)}):
            probe = Probe()
            sent = request("/first", method="POST", **framing)
            with up(server, probe) as connect:
                wire = connect().send(sent).send(request("/second"))
                first = wire.response()
                _either_answered_or_closed(wire)
            same(first.status, 200, "the first of two requests", sent[:200])
            paths = probe.paths
            expect(paths in (["/first"], ["/first", "/second"]), f"these ran: {paths}")


def _either_answered_or_closed(wire: Wire) -> None:
    """Read the next answer, if the server has not closed instead; both are right."""
    if wire.until_any():
        same(wire.response().status, 200, "the second of two requests")


@case("server", "early answer", "RFC 9112 §9.6", 3)
def early_answer(server: Any) -> None:
    """An answer given in the middle of an upload reaches the client that is still sending."""
    body = b"x" * 3_000_000
    with up(server, Probe()) as connect:
        wire = connect().send(request("/", method="POST", body=body))
        answer = wire.response()
    same(answer.status, 200, "closing at once makes the kernel destroy the answer")


@case("server", "HEAD", "RFC 9110 §9.3.2", 3)
def head(server: Any) -> None:
    """HEAD has the fields that GET would have, and not one byte of content."""
    with up(server, Probe()) as connect:
        wire = connect()
        answer = wire.send(request(method="HEAD")).response(head_only=True)
        same(answer.value("content-length"), "2", "HEAD tells the length that GET would have")
        same(wire.send(request()).response().body, b"ok", "content after HEAD spoils what follows")


@case("server", "HEAD of a stream", "RFC 9110 §9.3.2", 3)
def head_of_a_stream(server: Any) -> None:
    """HEAD of content without a length has no chunks, not even the last one."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])
        yield b"one"
        yield b"two"

    with up(server, app) as connect:
        wire = connect().send(request(method="HEAD", target="/"))
        wire.response(head_only=True)
        wire.send(request("/", "Connection: close"))
        if wire.until_any():
            same(wire.response().body, b"onetwo", "content after HEAD spoils what follows")


@case("server", "no length made up for 304", "RFC 9110 §8.6", 3)
def no_length_made_up_for_304(server: Any) -> None:
    """A 304 has no Content-Length but the application's: it would be that of the 200."""

    @raw
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("304 Not Modified", [])
        return [b"abc"]

    answer = ask(server, app, request())
    same(answer.value("Content-Length"), None, "Content-Length of a 304 that has none")


@case("server", "204 and 304", "RFC 9110 §15.3.5, §15.4.5", 3)
def no_content(server: Any) -> None:
    """204 and 304 have no content, whatever the application returns, and no chunks."""
    for status in ("204 No Content", "304 Not Modified"):

        @raw
        def app(environ: Any, start_response: Any, status: str = status) -> list[bytes]:
            start_response(status if environ["PATH_INFO"] == "/none" else "200 OK", [])
            return [b"content"]

        with up(server, app) as connect:
            wire = connect()
            answer = wire.send(request("/none")).response()
            expect(answer.value("transfer-encoding") is None, f"{status} is chunked")
            if answer.status == 204:
                expect(answer.value("content-length") is None, "204 has no Content-Length")
            wire.send(request("/"))
            same(wire.response().body, b"content", f"content after {status} spoils what follows")


@case("server", "empty 404", "RFC 9112 §2.1", 3)
def empty_404(server: Any) -> None:
    """A response without content ends in an empty line, and the connection goes on."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("404 Not Found", [TEXT])
        return []

    with up(server, app) as connect:
        wire = connect()
        for _ in range(2):
            answer = wire.send(request()).response()
            same((answer.status, answer.body), (404, b""), "an empty 404")


@case("server", "stream to HTTP/1.1", "RFC 9112 §6.3", 3)
def stream_to_http_1_1(server: Any) -> None:
    """Content without a length is chunked, so that its end can be told from a broken line."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])
        yield b"one"
        yield b"two"

    answer = ask(server, app, request())
    same((answer.framing, answer.body), ("chunked", b"onetwo"), "the stream")


@case("server", "stream to HTTP/1.0", "RFC 9112 §6.1", 3)
def stream_to_http_1_0(server: Any) -> None:
    """HTTP/1.0 knows no chunks: the content ends with the connection."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])
        yield b"one"
        yield b"two"

    answer = ask(server, app, request("/", "Connection: keep-alive", version="1.0"))
    same((answer.framing, answer.body), ("close", b"onetwo"), "the stream")


@case("server", "100 when it is read", "RFC 9110 §10.1.1", 3)
def continue_when_read(server: Any) -> None:
    """A client that waits for 100 hears it when the application reads, and not before."""
    reading = moment(server, "the client to have looked")

    def view(environ: Any) -> bytes:
        reading.wait()
        body: bytes = environ["wsgi.input"].read(5)
        return body

    sent = request("/", "Expect: 100-continue", "Content-Length: 5", method="POST")
    with up(server, Probe(view)) as connect:
        wire = connect().send(sent)
        expect(not wire.readable(0.05), "100 came before the application wanted the body")
        reading.happens()
        same(wire.response().status, 100, "the application reads, and the client is not told", sent)
        answer = wire.send(b"hello").response()
    same((answer.status, answer.body), (200, b"hello"), "the body after 100", sent)


@case("server", "no 100 when it is not read", "RFC 9110 §10.1.1", 3)
def no_continue_when_not_read(server: Any) -> None:
    """Without a reader the final answer comes first, and no byte is taken for the body's."""
    sent = request("/", "Expect: 100-continue", "Content-Length: 5", method="POST")
    probe = Probe()
    with up(server, probe) as connect:
        wire = connect().send(sent)
        same(wire.response().status, 200, "the application did not read", sent)
        wire.closed("the client may send the body, or not: nobody can tell what comes next")
    same(probe.paths, ["/"], "the application ran")


@case("server", "no 100 for HTTP/1.0", "RFC 9110 §10.1.1", 3)
def no_continue_for_http_1_0(server: Any) -> None:
    """A client of HTTP/1.0 never gets a 100: it would take it for the answer."""
    sent = request("/", "Expect: 100-continue", method="POST", body=b"hello", version="1.0")
    answer = ask(server, Probe(lambda environ: environ["wsgi.input"].read(5)), sent)
    same((answer.status, answer.body), (200, b"hello"), "the first and only answer", sent)


@case("server", "Date", "RFC 9110 §6.6.1", 3)
def date(server: Any) -> None:
    """Every response has one Date, also an error; an application's own is not doubled."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/own":
            start_response("200 OK", [TEXT, ("Date", "Sun, 06 Nov 1994 08:49:37 GMT")])
            return [b""]
        return ok(start_response)

    with up(server, app) as connect:
        wire = connect()
        expect(wire.send(request()).response().value("date"), "a response without a Date")
        own = wire.send(request("/own")).response().value("date")
        same(own, "Sun, 06 Nov 1994 08:49:37 GMT", "the application's own Date")
        expect(wire.send(b"?\r\n\r\n").response().value("date"), "an error without a Date")


@case("server", "Date moves", "RFC 9110 §6.6.1", 3)
def date_moves(server: Any) -> None:
    """The Date of an answer is the time of that answer, not of the first one."""
    with up(server, Probe()) as connect:
        wire = connect()
        first = wire.send(request()).response().value("date")
        for _ in range(150):
            if wire.send(request()).response().value("date") != first:
                return
            wire.readable(0.01)  # nothing comes: this only lets the clock go on
    raise Broken(f"the Date stands still: {first}")
