"""Chapter 4, how an answer begins: ``start_response`` and ``write``."""

from __future__ import annotations

import sys
from typing import Any

from . import Broken, case
from .probes import TEXT, expect, moment, ok, raw, refused, same
from .wire import ask, request, up

START = "PEP 3333, The start_response() Callable"
WRITE = "PEP 3333, The write() Callable"


@case("server", "status and reason", START, 4)
def status_and_reason(server: Any) -> None:
    """Status and reason phrase arrive as the application wrote them, also a code of its own."""
    for status in ("201 Created", "404 Nothing Here", "299 Fine, Thanks", "599 Odd"):

        def app(environ: Any, start_response: Any, status: str = status) -> list[bytes]:
            start_response(status, [TEXT])
            return [b"x"]

        answer = ask(server, app, request())
        same(b"%d %b" % (answer.status, answer.reason), status.encode(), "the status line")


@case("server", "Latin-1 reason", "PEP 3333, Unicode Issues", 4)
def latin_1_reason(server: Any) -> None:
    """A reason phrase and a field value are Latin-1 on the wire."""

    @raw
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 Tr\xe8s bien", [TEXT, ("X-Name", "caf\xe9")])
        return [b"x"]

    answer = ask(server, app, request())
    same(answer.reason, b"Tr\xe8s bien", "the reason phrase")
    same(answer.value("x-name"), "caf\xe9", "the field")


@case("server", "many fields", START, 4)
def many_fields(server: Any) -> None:
    """All fields arrive, in their order; repeated ones, as Set-Cookie, are not joined."""
    headers = [(f"X-{number}", str(number)) for number in range(200)]
    headers += [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [TEXT, *headers])
        return [b"x"]

    answer = ask(server, app, request())
    came = [field for field in answer.fields if field[0].startswith(("x-", "set-"))]
    same(came, [(name.lower(), value) for name, value in headers], "the fields of the response")


@case("server", "empty field value", "RFC 9110 §5.5", 4)
def empty_field_value(server: Any) -> None:
    """A field may be empty."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [TEXT, ("X-Empty", "")])
        return [b"x"]

    same(ask(server, app, request()).value("x-empty"), "", "an empty field")


@case("server", "blanks around a value", "RFC 9110 §5.5", 4)
def blanks_around_a_value(server: Any) -> None:
    """Blanks around a field's value are no fault and no part of it: Django's cookies have one."""

    @raw
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [TEXT, ("Set-Cookie", " a=1; Path=/ ")])
        return [b"x"]

    same(ask(server, app, request()).value("set-cookie"), "a=1; Path=/", "the field")


@case("server", "lazy start", START, 4)
def lazy_start(server: Any) -> None:
    """start_response may be called as late as in a generator's first step."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("202 Accepted", [TEXT])
        yield b"later"

    answer = ask(server, app, request())
    same((answer.status, answer.body), (202, b"later"), "a generator that starts its response")


@case("server", "a class as application", "PEP 3333, The Application/Framework Side", 4)
def a_class_as_application(server: Any) -> None:
    """A class is a callable whose result, an instance, may be iterable."""

    class App:
        def __init__(self, environ: Any, start_response: Any) -> None:
            self.start = start_response

        def __iter__(self) -> Any:
            self.start("200 OK", [TEXT])
            yield b"from a class"

    same(ask(server, App, request()).body, b"from a class", "an application that is a class")


@case("server", "never started", START, 4)
def never_started(server: Any) -> None:
    """An application that never calls start_response is answered for with 500."""

    def empty(environ: Any, start_response: Any) -> list[bytes]:
        return []

    def full(environ: Any, start_response: Any) -> list[bytes]:
        return [b"content"]

    def stream(environ: Any, start_response: Any) -> Any:
        yield b"content"

    for app in (empty, full, stream):
        refused(server, app, "start_response was never called")


@case("server", "started twice", START, 4)
def started_twice(server: Any) -> None:
    """A second call without exc_info is refused in the application's own frame."""
    seen: list[bool] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [TEXT])
        try:
            start_response("200 OK", [TEXT])
        except Exception:
            seen.append(True)
            raise
        return [b"x"]

    refused(server, app, "start_response was called twice")
    same(seen, [True], "the second call of start_response must raise")


@case("server", "started again after a failure", START, 4)
def started_again_after_a_failure(server: Any) -> None:
    """A second call without exc_info is refused also when the first one raised."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        try:
            start_response("200 OK", [("X-Split", "a\r\nb")])
        except Exception:
            start_response("200 OK", [TEXT])
        return [b"x"]

    refused(server, app, "start_response was called twice, the first time in vain")


@case("server", "exc_info before the start", START, 4)
def exc_info_before_the_start(server: Any) -> None:
    """Before anything was sent, exc_info lets the application say something else."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [TEXT, ("X-First", "yes"), ("Content-Length", "100")])
        try:
            raise ValueError("changed my mind")
        except ValueError:
            start_response("503 Sorry", [TEXT], sys.exc_info())
        return [b"sorry"]

    answer = ask(server, app, request())
    problem = "the answer is not what the second start_response has said, the one with exc_info"
    same((answer.status, answer.body), (503, b"sorry"), problem)
    same(answer.values("x-first"), [], "a field of the first call was sent")


@case("server", "the head waits", START, 4)
def the_head_waits(server: Any) -> None:
    """Nothing is sent before the first block that is not empty: until then it may be replaced."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])
        yield b""
        try:
            raise ValueError("changed my mind")
        except ValueError:
            start_response("503 Sorry", [TEXT], sys.exc_info())
        yield b"sorry"

    answer = ask(server, app, request())
    same((answer.status, answer.body), (503, b"sorry"), "the head went out with an empty block")


@case("server", "exc_info after the start", START, 4)
def exc_info_after_the_start(server: Any) -> None:
    """After something was sent, exc_info is raised again, and the response is cut."""
    seen: list[str] = []

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])
        yield b"first"
        try:
            raise ValueError("too late")
        except ValueError:
            try:
                start_response("503 Sorry", [TEXT], sys.exc_info())
            except ValueError as error:
                seen.append(str(error))
                raise
        yield b"sorry"

    with up(server, app) as connect:
        answer = connect().send(request()).response(whole=False)
    same(seen, ["too late"], "start_response must raise the exception of exc_info again")
    expect(not answer.complete, "a response that failed looks complete", got=answer.body)


@case("server", "bad status", START, 4)
def bad_status(server: Any) -> None:
    """A status that is not a str like ``200 OK`` is refused."""
    bad: tuple[object, ...] = (
        200, b"200 OK", None, "OK", "", "20 OK", "2000 OK", "abc OK", " 200 OK",
        "200 OK\r\nX-Evil: yes", "200 OK\n", "099 Low", "100 Continue",
    )  # fmt: skip
    for status in bad:

        def app(environ: Any, start_response: Any, status: object = status) -> list[bytes]:
            start_response(status, [TEXT])
            return [b"x"]

        answer = refused(server, app, f"start_response({status!r}, ...)")
        expect("x-evil" not in dict(answer.fields), "the response was split", got=answer.head)


@case("server", "bad headers", START, 4)
def bad_headers(server: Any) -> None:
    """Headers that are not a list of tuples of two str are refused."""
    bad: tuple[object, ...] = (
        (TEXT,), dict([TEXT]), None, [list(TEXT)], [("X-Only",)], [("X-A", "b", "c")],
        [(b"X-A", b"b")], [("X-Number", 5)], [("X-None", None)], ["ab"], [("X-Euro", "\u20ac")],
    )  # fmt: skip
    for headers in bad:

        def app(environ: Any, start_response: Any, headers: object = headers) -> list[bytes]:
            start_response("200 OK", headers)
            return [b"x"]

        refused(server, app, f"start_response('200 OK', {headers!r})")


@case("server", "response splitting", "RFC 9110 §5.5", 4)
def response_splitting(server: Any) -> None:
    """A line end in a field, or a blank in its name, is refused: it would be a field of its own."""
    bad = (
        ("X-A", "b\r\nX-Evil: yes"), ("X-A", "b\nX-Evil: yes"), ("X-A", "b\rX-Evil: yes"),
        ("X-A", "b\0"), ("X-A: b\r\nX-Evil", "yes"), ("X A", "b"), ("X-A:", "b"), ("", "b"),
    )  # fmt: skip
    for header in bad:

        def app(environ: Any, start_response: Any, header: Any = header) -> list[bytes]:
            start_response("200 OK", [TEXT, header])
            return [b"x"]

        answer = refused(server, app, f"the header {header!r}")
        expect(b"evil" not in answer.head.lower(), "the response was split", got=answer.head)


@case("server", "hop-by-hop headers", "PEP 3333, Other HTTP Features", 4)
def hop_by_hop_headers(server: Any) -> None:
    """Headers that speak about the connection are the server's, and refused."""
    for name in ("Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "TE"):

        def app(environ: Any, start_response: Any, name: str = name) -> list[bytes]:
            start_response("200 OK", [TEXT, (name, "x")])
            return [b"x"]

        refused(server, app, f"the application set {name}")


# ---------------------------------------------------------------- write()


@case("server", "write() is returned", WRITE, 4)
def write_is_returned(server: Any) -> None:
    """start_response returns write, whose blocks come before those of the iterable."""

    @raw
    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [TEXT])
        if not callable(write):
            raise Broken(f"start_response returned {write!r}, not a callable")
        write(b"one ")
        write(b"")
        write(b"two ")
        return [b"", b"three"]

    same(ask(server, app, request()).body, b"one two three", "written and returned blocks")


@case("server", "write() alone", WRITE, 4)
def write_alone(server: Any) -> None:
    """An application may write everything and return nothing more."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [TEXT])(b"all of it")
        return []

    same(ask(server, app, request()).body, b"all of it", "what was written")


@case("server", "write() at once", WRITE, 4)
def write_at_once(server: Any) -> None:
    """What is written is on the wire before write() returns."""
    arrived = moment(server, "the client to see what was written")

    @raw
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [TEXT])(b"first")
        arrived.wait()
        return [b"last"]

    with up(server, app) as connect:
        wire = connect().send(request("/", "Connection: close"))
        wire.until(b"first", "the block that the application has written")
        arrived.happens()
        expect(b"last" in wire.closed("the response is over"), "the rest is missing")


@case("server", "write() takes bytes", "PEP 3333, Unicode Issues", 4)
def write_takes_bytes(server: Any) -> None:
    """write("text") raises: the server does not guess an encoding."""
    seen: list[bool] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [TEXT])
        try:
            write("text")
        except Exception:
            seen.append(True)
            raise
        return []

    refused(server, app, "a str was written")
    same(seen, [True], "write('text') must raise")


@case("server", "nothing in common", "PEP 3333, The Server/Gateway Side", 4)
def nothing_in_common(server: Any) -> None:
    """The start of one request never shows in the next one, not on one connection either."""

    @raw
    def app(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/first":
            start_response("201 Created", [TEXT, ("X-First", "yes")])
            return [b"first"]
        return ok(start_response, b"second")

    with up(server, app) as connect:
        wire = connect()
        wire.send(request("/first")).response()
        answer = wire.send(request("/second")).response()
    same((answer.status, answer.body), (200, b"second"), "the second response")
    same(answer.values("x-first"), [], "a field of the response before")
