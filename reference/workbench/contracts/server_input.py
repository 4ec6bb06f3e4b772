"""Chapter 4, the request's content: ``wsgi.input`` (PEP 3333, Input and Error Streams)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import Broken, case
from .probes import Probe, expect, moment, ok, raw, same, view_of
from .wire import request, up

STREAMS = "PEP 3333, Input and Error Streams"
LINES = b"one\ntwo\n\nno end"


def reads(
    server: Any, view: Callable[[Any], list[bytes]], wanted: list[bytes], *, raw: bool = False
) -> None:
    """Demand what ``view`` reads from the input of LINES, with a length and in chunks."""
    with_length = request(method="POST", body=LINES)
    in_chunks = request(method="POST", chunks=(LINES[:2], LINES[2:9], LINES[9:]))
    for sent in (with_length, in_chunks):
        got: list[bytes] = []

        def note(environ: Any, got: list[bytes] = got) -> bytes:
            got.extend(view(environ["wsgi.input"]))
            return b"read"

        view_of(server, sent, note, raw=raw)
        same(got, wanted, "wsgi.input did not give what was sent", sent)


@case("server", "read(n)", STREAMS, 4)
def read_some(server: Any) -> None:
    """read(n) gives n bytes while there are so many, and then the rest, and then nothing."""
    reads(
        server,
        lambda stream: [stream.read(4), stream.read(9), stream.read(100), stream.read(1)],
        [b"one\n", b"two\n\nno e", b"nd", b""],
    )


@case("server", "read()", STREAMS, 4)
def read_all(server: Any) -> None:
    """read() without a number, and read(-1), give all that is left."""
    reads(server, lambda stream: [stream.read(1), stream.read(), stream.read()],
          [LINES[:1], LINES[1:], b""], raw=True)  # fmt: skip
    reads(server, lambda stream: [stream.read(-1), stream.read(-1)], [LINES, b""])


@case("server", "read(0)", STREAMS, 4)
def read_nothing(server: Any) -> None:
    """read(0) gives nothing, and loses nothing."""
    reads(server, lambda stream: [stream.read(0), stream.read(3)], [b"", b"one"])


@case("server", "readline()", STREAMS, 4)
def read_line(server: Any) -> None:
    """readline() gives one line with its end, and the last one without."""
    reads(
        server,
        lambda stream: [stream.readline() for _ in range(5)],
        [b"one\n", b"two\n", b"\n", b"no end", b""],
    )


@case("server", "readline(n)", STREAMS, 4)
def read_line_of_size(server: Any) -> None:
    """readline(n) gives at most n bytes of a line, and then goes on in it."""
    reads(
        server,
        lambda stream: [stream.readline(2), stream.readline(2), stream.readline(100)],
        [b"on", b"e\n", b"two\n"],
    )


@case("server", "readlines()", STREAMS, 4)
def read_lines(server: Any) -> None:
    """readlines() gives the lines that are left; with a hint it may stop after so many bytes."""
    reads(server, lambda stream: stream.readlines(), [b"one\n", b"two\n", b"\n", b"no end"])

    def with_hint(stream: Any) -> list[bytes]:
        lines: list[bytes] = []
        while some := stream.readlines(5):
            lines += some
        return lines

    reads(server, with_hint, [b"one\n", b"two\n", b"\n", b"no end"])


@case("server", "iteration", STREAMS, 4)
def iteration(server: Any) -> None:
    """Iterating over wsgi.input gives its lines."""
    reads(server, lambda stream: list(stream), [b"one\n", b"two\n", b"\n", b"no end"])


@case("server", "no body", STREAMS, 4)
def no_body(server: Any) -> None:
    """Without content, reading gives nothing at once; it does not wait for the client."""
    same(view_of(server, request(), lambda environ: environ["wsgi.input"].read(10) or b"nothing"),
         b"nothing", "wsgi.input of a GET")  # fmt: skip


@case("server", "end of the body", STREAMS, 4)
def end_of_the_body(server: Any) -> None:
    """The input ends at Content-Length, although the connection goes on."""
    sent = request(method="POST", body=b"hello")
    same(
        view_of(server, sent, lambda environ: environ["wsgi.input"].read(1000)),
        b"hello",
        "wsgi.input does not end with the body",
        sent,
    )


@case("server", "the next request's bytes", STREAMS, 4)
def the_next_requests_bytes(server: Any) -> None:
    """The bytes of a pipelined request are never in the input of the one before it."""
    probe = Probe(lambda environ: environ["wsgi.input"].read(-1))
    sent = request("/a", method="POST", body=b"hello") + request("/b")
    with up(server, probe) as connect:
        wire = connect().send(sent)
        bodies = [wire.response().body, wire.response().body]
    same(bodies, [b"hello", b""], "the inputs of two requests", sent)


@case("server", "no leftovers", STREAMS, 4)
def no_leftovers(server: Any) -> None:
    """What one client uploads, another one never reads."""
    probe = Probe(lambda environ: environ["wsgi.input"].read(-1))
    with up(server, probe) as connect:
        connect().send(request(method="POST", body=b"my secret")).response()
        connect().send(request(method="POST", body=b"")).response()
        connect().send(request(method="POST", chunks=())).response()
    same(probe.results, [b"my secret", b"", b""], "the inputs of three clients")


@case("server", "all bytes", STREAMS, 4)
def all_bytes(server: Any) -> None:
    """The input is bytes, and every byte arrives as it was sent."""
    body = bytes(range(256)) * 16 + b"\r\n\r\n"
    for sent in (request(method="POST", body=body), request(method="POST", chunks=(body,))):
        got = view_of(server, sent, lambda environ: environ["wsgi.input"].read(-1))
        expect(got == body, f"of {len(body)} bytes came {len(got)}, or others", sent=sent)


@case("server", "long upload", STREAMS, 4)
def long_upload(server: Any) -> None:
    """Three megabytes arrive whole, read in blocks, with a length and in chunks."""
    body = b"".join(b"%07d\n" % number for number in range(3 * 2**17))
    blocks = tuple(body[start : start + 50_000] for start in range(0, len(body), 50_000))

    def view(environ: Any) -> bytes:
        got = []
        while block := environ["wsgi.input"].read(65536):
            got.append(block)
        expect(b"".join(got) == body, f"of {len(body)} bytes came {len(b''.join(got))}")
        return b"all"

    view_of(server, request(method="POST", body=body), view)
    view_of(server, request(method="POST", chunks=blocks), view)


@case("server", "chunks are decoded", "RFC 9112 §7.1", 4)
def chunks_are_decoded(server: Any) -> None:
    """The application sees the content of a chunked body: no sizes, no trailers."""
    sent = request(method="POST", chunks=(b"hel", b"lo"))
    sent = sent.replace(b"\r\n0\r\n\r\n", b"\r\n0\r\nX-Trailer: yes\r\n\r\n")
    got = view_of(server, sent, lambda environ: environ["wsgi.input"].read(-1))
    same(got, b"hello", "the framing of the chunks is in wsgi.input", sent)


@case("server", "short body", "RFC 9112 §8", 4)
def short_body(server: Any) -> None:
    """When the client leaves in the middle of its body, nobody takes the half for the whole."""
    with_length = request("/", "Content-Length: 10", method="POST") + b"hello"
    long = request("/", "Content-Length: 900000", method="POST") + b"hello" * 20_000
    in_chunks = request(method="POST", chunks=(b"hello", b"world"))[:-12]
    for sent in (with_length, long, in_chunks):
        probe = Probe(lambda environ: environ["wsgi.input"].read(-1))
        with up(server, probe) as connect:
            wire = connect().send(sent).half_close()
            came = wire.closed("the rest of the body will never come")
        if probe.results:
            raise Broken(
                f"the application took the first {len(probe.results[0])} bytes for the whole body",
                sent=sent[:200],
            )
        expect(
            not came or came.startswith(b"HTTP/1.1 400 "),
            "a request that broke off is answered with 400, or not at all",
            sent=sent[:200],
            got=came,
        )


@case("server", "upload as it comes", STREAMS, 4, needs={"streamed upload"})
def upload_as_it_comes(server: Any) -> None:
    """The application reads the beginning of a chunked upload before its end was sent."""
    began = moment(server, "the application to read the first chunk")

    @raw
    def app(environ: Any, start_response: Any) -> list[bytes]:
        first = environ["wsgi.input"].readline()
        began.happens()
        return ok(start_response, first + environ["wsgi.input"].read())

    sent = request("/", "Transfer-Encoding: chunked", method="POST")
    with up(server, app) as connect:
        wire = connect().send(sent + b"6\r\nfirst\n\r\n")
        began.wait()
        answer = wire.send(b"4\r\nlast\r\n0\r\n\r\n").response()
    same(answer.body, b"first\nlast", "the content of the upload")
