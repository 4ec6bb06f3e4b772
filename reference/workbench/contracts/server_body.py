"""Chapter 4, what goes out: the iterable, its blocks, its length and its end."""

from __future__ import annotations

from typing import Any

from . import case
from .probes import TEXT, Closing, expect, moment, ok, raw, refused, same
from .wire import ask, request, up

BUFFERING = "PEP 3333, Buffering and Streaming"
LENGTH = "PEP 3333, Handling the Content-Length Header"
DETAILS = "PEP 3333, Specification Details"


@case("server", "each block at once", BUFFERING, 4)
def each_block_at_once(server: Any) -> None:
    """A block is on the wire before the server asks for the next one."""
    blocks = [b"first", b"second", b"third"]
    arrived = {block: moment(server, f"the client to see {block!r}") for block in blocks}

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])
        for block in blocks:
            yield block
            arrived[block].wait()

    with up(server, app) as connect:
        wire = connect().send(request("/", "Connection: close"))
        for block in blocks:
            wire.until(block, f"the block {block!r}, which the application has given")
            arrived[block].happens()
        wire.closed("the response is over")


@case("server", "empty blocks", BUFFERING, 4)
def empty_blocks(server: Any) -> None:
    """An empty block is nothing; above all it is not the last chunk."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])
        yield from (b"", b"one", b"", b"", b"two", b"")

    for version in ("1.1", "1.0"):
        answer = ask(server, app, request(version=version))
        same(answer.body, b"onetwo", f"blocks, some empty, to HTTP/{version}")


@case("server", "no blocks", BUFFERING, 4)
def no_blocks(server: Any) -> None:
    """An iterable without a block is an empty, complete response."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("201 Created", [TEXT])
        return iter(())

    with up(server, app) as connect:
        wire = connect()
        for _ in range(2):
            answer = wire.send(request()).response()
            same((answer.status, answer.body), (201, b""), "a response without blocks")


@case("server", "length of one block", LENGTH, 4)
def length_of_one_block(server: Any) -> None:
    """For one block the server knows the Content-Length, and adds it; none for none."""
    for blocks in ([b"hello"], (b"hello",), []):

        @raw
        def app(environ: Any, start_response: Any, blocks: Any = blocks) -> Any:
            start_response("200 OK", [TEXT])
            return blocks

        answer = ask(server, app, request())
        length = len(b"".join(blocks))
        same(answer.value("content-length"), str(length), f"Content-Length for {blocks!r}")
        same(answer.body, b"".join(blocks), "the content")


@case("server", "the application's length", LENGTH, 4)
def the_applications_length(server: Any) -> None:
    """A Content-Length of the application is sent once, and framing goes by it."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT, ("content-length", "10")])
        yield b"hello"
        yield b"world"

    answer = ask(server, app, request())
    same((answer.framing, answer.body), ("length", b"helloworld"), "the response")


@case("server", "too long a body", LENGTH, 4)
def too_long_a_body(server: Any) -> None:
    """Not a byte beyond Content-Length is sent: a client would read it as the next response."""

    def stream(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT, ("Content-Length", "5")])
        yield b"hel"
        yield b"lo, and more"
        yield b"and more"

    @raw
    def whole(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT, ("Content-Length", "5")])
        return [b"hello, and more"]

    for app in (stream, whole):
        with up(server, app) as connect:
            wire = connect().send(request())
            answer = wire.response(whole=False)
            if answer.status == 200:
                same(answer.body, b"hello", "the content within its length")
            wire.send(request("/", "Connection: close"))
            rest = wire.closed("the second response, if any, is the last")
            expect(not rest or rest.startswith(b"HTTP/1.1 "), "bytes behind the body", got=rest)


@case("server", "write() too long", LENGTH, 4)
def write_too_long(server: Any) -> None:
    """write() raises when it is asked to go beyond Content-Length."""
    seen: list[bool] = []

    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", [TEXT, ("Content-Length", "5")])
        try:
            write(b"hello, and more")
        except Exception:
            seen.append(True)
            raise
        return []

    with up(server, app) as connect:
        wire = connect().send(request("/", "Connection: close"))
        came = wire.closed("it was asked to")
    same(seen, [True], "write() beyond Content-Length must raise")
    expect(b"and more" not in came, "bytes beyond Content-Length were sent", got=came)


@case("server", "too short a body", LENGTH, 4)
def too_short_a_body(server: Any) -> None:
    """When less comes than promised, the connection ends, so that the client can tell."""

    def stream(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT, ("Content-Length", "100")])
        yield b"hello"

    @raw
    def whole(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT, ("Content-Length", "100")])
        return [b"hello"]

    for app in (stream, whole):
        with up(server, app) as connect:
            wire = connect().send(request())
            answer = wire.response(whole=False)
            wire.closed("the promised content will never come")
        expect(answer.status == 500 or not answer.complete, "half a body passes for a whole one")


@case("server", "HEAD of an iterable", "RFC 9110 §9.3.2", 4)
def head_of_an_iterable(server: Any) -> None:
    """For HEAD the application's blocks are dropped, its length stays, and close() is called."""
    closed = moment(server, "close()")
    made: list[Closing] = []

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT, ("Content-Length", "10")])
        made.append(Closing([b"hello", b"world"], closed))
        return made[-1]

    with up(server, app) as connect:
        wire = connect().send(request(method="HEAD"))
        answer = wire.response(head_only=True)
        same(answer.value("content-length"), "10", "the length that GET would have")
        closed.wait()
        same(wire.send(request()).response().body, b"helloworld", "the response after HEAD")


# ---------------------------------------------------------------- close()


@case("server", "close() after the end", DETAILS, 4)
def close_after_the_end(server: Any) -> None:
    """close() of the iterable is called once, when all blocks were given."""
    closed = moment(server, "close() of the iterable to be called")
    iterable = Closing([b"one", b"two"], closed)

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])
        return iterable

    same(ask(server, app, request()).body, b"onetwo", "the content")
    closed.wait()
    same(iterable.closes, 1, "close() was called more than once")


@case("server", "close() after an error", DETAILS, 4)
def close_after_an_error(server: Any) -> None:
    """close() is called once, too, when a block fails, or is no block, or nothing was started."""

    def fails() -> Any:
        yield b"one"
        raise ValueError("no more")

    bad: list[Any] = [fails, lambda: [b"one", "two"], lambda: ["one"]]
    for blocks in bad:
        for started in (True, False):
            closed = moment(server, "close() of the iterable to be called after an error")
            iterable = Closing(blocks(), closed)

            @raw
            def app(
                environ: Any,
                start_response: Any,
                started: bool = started,
                iterable: Closing = iterable,
            ) -> Any:
                if started:
                    start_response("200 OK", [TEXT])
                return iterable

            with up(server, app) as connect:
                connect().send(request()).response(whole=False)
                closed.wait()
            same(iterable.closes, 1, "close() was called more than once")


@case("server", "close() when the client left", DETAILS, 4)
def close_when_the_client_left(server: Any) -> None:
    """close() is called once, too, when the client goes away in the middle of a stream."""
    closed = moment(server, "close() of the iterable after the client has left")

    # 32 MB: more than the network takes unread, and no more than a server that joins them can hold.
    block = b"x" * 65536
    iterable = Closing((block for _ in range(500)), closed)

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])
        return iterable

    with up(server, app) as connect:
        wire = connect().send(request())
        wire.until(b"x" * 100, "the beginning of the stream")
        wire.reset()
        closed.wait()
    same(iterable.closes, 1, "close() was called more than once")


@case("server", "close() that fails", DETAILS, 4)
def close_that_fails(server: Any) -> None:
    """An error in close() comes too late for the client, and hurts nobody else."""

    class Fails(Closing):
        def close(self) -> None:
            super().close()
            raise ValueError("cannot close")

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT, ("Content-Length", "3")])
        return Fails([b"one"], moment(server, "close()"))

    with up(server, app) as connect:
        same(connect().send(request()).response().body, b"one", "the response")
        same(connect().send(request()).response().body, b"one", "the next client's response")


# ---------------------------------------------------------------- what is no iterable of bytes


@case("server", "str is not bytes", "PEP 3333, Unicode Issues", 4)
def str_is_not_bytes(server: Any) -> None:
    """A str among the blocks, or instead of them, is refused: nobody guesses an encoding."""
    for made in ("text", ["text"], ("text",), [b"bytes", "text"], iter(["text"])):

        def app(environ: Any, start_response: Any, made: Any = made) -> Any:
            start_response("200 OK", [TEXT])
            return made

        refused(server, app, f"the application returned {made!r}")


@case("server", "bytes are no blocks", DETAILS, 4)
def bytes_are_no_blocks(server: Any) -> None:
    """``return b"..."`` instead of ``[b"..."]`` gives numbers, and is refused."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])
        return b"hello"

    refused(server, app, "the application returned bytes, not an iterable of bytes")


@case("server", "None is no iterable", DETAILS, 4)
def none_is_no_iterable(server: Any) -> None:
    """A view that forgets to return is answered for with 500."""
    for made in (None, 5):

        def app(environ: Any, start_response: Any, made: Any = made) -> Any:
            start_response("200 OK", [TEXT])
            return made

        refused(server, app, f"the application returned {made!r}")


@case("server", "two ways at once", BUFFERING, 4, needs={"streamed upload"})
def two_ways_at_once(server: Any) -> None:
    """A response may begin while the request still comes: an echo, line by line."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])
        yield from iter(environ["wsgi.input"].readline, b"")

    with up(server, app) as connect:
        sent = request("/", "Transfer-Encoding: chunked", method="POST")
        wire = connect().send(sent)
        for line in (b"one\n", b"two\n"):
            wire.send(b"4\r\n%b\r\n" % line)
            wire.until(line, f"the echo of {line!r}")
        wire.send(b"0\r\n\r\n")
        wire.until(b"0\r\n\r\n", "the end of the echo")


@case("server", "many requests", BUFFERING, 4)
def many_requests(server: Any) -> None:
    """Three hundred requests, on one connection and on many, are all answered."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        return ok(start_response, environ["PATH_INFO"].encode())

    with up(server, app) as connect:
        wire = connect()
        for number in range(250):
            answer = wire.send(request(f"/{number}")).response()
            same(answer.body, b"/%d" % number, "the answer to another request")
        wire.close()
        for number in range(50):
            wire = connect()
            answer = wire.send(request(f"/{number}", "Connection: close")).response()
            same(answer.body, b"/%d" % number, "the answer to another request")
            wire.close()
