"""When an application breaks its contract, the log says how, once, and the client is told."""

from __future__ import annotations

import logging
import sys

import pytest
from contracts.shells import ENGINES, serving

from workbench.contracts.wire import Wire, request

TEXT = [("Content-Type", "text/plain")]


def exchange(app, engine, sent=b"", caplog=None):
    """Serve one request; give the answer, complete or not.  The log is complete afterwards."""
    with (
        caplog.at_level(logging.DEBUG, "handmade"),
        serving(app, "threads", engine) as address,
        Wire(address, 10.0) as wire,
    ):
        return wire.send(sent or request()).response(whole=False)


def errors(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


def starts(status="200 OK", headers=TEXT, body=(b"x",)):
    def app(environ, start_response):
        start_response(status, headers)
        return body

    return app


def never(environ, start_response):
    return [b"x"]


def never_in_a_stream(environ, start_response):
    yield b"x"


def twice(environ, start_response):
    start_response("200 OK", TEXT)
    start_response("200 OK", TEXT)
    return [b"x"]


def writes_text(environ, start_response):
    start_response("200 OK", TEXT)("text")
    return []


BROKEN = {
    "never started": (never, "the application never called start_response"),
    "never started, stream": (never_in_a_stream, "the application never called start_response"),
    "started twice": (twice, "start_response was called again without exc_info"),
    "status is a number": (starts(200), "the status must be a str like '200 OK', not 200"),
    "status is bytes": (starts(b"200 OK"), "the status must be a str like '200 OK', not b'200 OK'"),
    "status without reason": (starts("200"), "the status must look like '200 OK', not '200'"),
    "status with a line end": (
        starts("200 OK\r\nX: y"),
        r"the status must look like '200 OK', not '200 OK\r\nX: y'",
    ),
    "headers are a tuple": (starts(headers=()), "the headers must be a list, not tuple"),
    "header is a list": (
        starts(headers=[["A", "b"]]),
        "each header must be a tuple of two str",
    ),
    "header is a number": (
        starts(headers=[("A", 5)]),
        "each header must be a tuple of two str, not ('A', 5)",
    ),
    "header with a line end": (
        starts(headers=[("A", "b\r\nC: d")]),
        "the field b'A' has a control character in its value",
    ),
    "header name with a blank": (
        starts(headers=[("A B", "c")]),
        "b'A B' is not a field name",
    ),
    "header beyond Latin-1": (
        starts(headers=[("A", "\u20ac")]),
        "the header ('A', '\u20ac') is not ISO-8859-1 text",
    ),
    "header about the connection": (
        starts(headers=[("Connection", "close")]),
        "Connection is the server's to set",
    ),
    "length is no number": (
        starts(headers=[("Content-Length", "many")]),
        "Content-Length b'many' is not a number",
    ),
    "returned None": (starts(body=None), "the application returned NoneType, not an iterable"),
    "returned str": (starts(body="text"), "the application gave str, not bytes; encode it first"),
    "returned bytes": (
        starts(body=b"text"),
        "the application gave int, not bytes; return [body], not body",
    ),
    "block is str": (
        starts(body=["text"]),
        "the application gave str, not bytes; encode it first",
    ),
    "wrote str": (writes_text, "the application gave str, not bytes; encode it first"),
    "body too short": (
        starts(headers=[*TEXT, ("Content-Length", "5")]),
        "the body is 4 bytes short of its length",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_contract_is_told_in_one_line_and_answered_with_500(name, engine, caplog):
    app, words = BROKEN[name]
    answer = exchange(app, engine, caplog=caplog)
    assert (answer.status, answer.complete) == (500, True)
    [record] = errors(caplog)
    assert record.getMessage().startswith(f"GET / failed: {words}")
    assert record.exc_info is None, "our own traceback says nothing about the application"


def test_an_exception_is_logged_once_with_its_traceback(engine, caplog):
    def app(environ, start_response):
        raise ValueError("the password is swordfish")

    answer = exchange(app, engine, caplog=caplog)
    assert answer.status == 500
    assert b"swordfish" not in answer.body
    [record] = errors(caplog)
    assert record.getMessage() == "GET / failed: the password is swordfish"
    assert record.exc_info[0] is ValueError
    assert "in app" in logging.Formatter().format(record)


def test_sys_exit_in_a_view_is_an_error_of_the_view(engine, caplog):
    def app(environ, start_response):
        sys.exit("enough")

    assert exchange(app, engine, caplog=caplog).status == 500
    [record] = errors(caplog)
    assert record.exc_info[0] is SystemExit


def test_an_error_after_the_first_byte_is_logged_and_the_response_cut(engine, caplog):
    def app(environ, start_response):
        start_response("200 OK", TEXT)
        yield b"first"
        raise ValueError("no more")

    answer = exchange(app, engine, request("/later"), caplog=caplog)
    assert (answer.status, answer.complete) == (200, False)
    [record] = errors(caplog)
    assert record.getMessage() == "GET /later failed: no more"


def test_a_stream_that_is_too_short_is_logged_and_cut(engine, caplog):
    app = starts(headers=[*TEXT, ("Content-Length", "5")], body=iter([b"x"]))
    answer = exchange(app, engine, caplog=caplog)
    assert (answer.body, answer.complete) == (b"x", False)
    [record] = errors(caplog)
    assert record.getMessage().startswith("GET / failed: ")
    assert record.exc_info is None


@pytest.mark.parametrize("kind", [list, iter])
def test_a_body_that_is_too_long_is_logged_and_trimmed(engine, caplog, kind):
    app = starts(headers=[*TEXT, ("Content-Length", "3")], body=kind([b"too long"]))
    answer = exchange(app, engine, caplog=caplog)
    assert (answer.body, answer.complete) == (b"too", True)
    [record] = errors(caplog)
    assert record.getMessage() == "GET /: the body is longer than its Content-Length"


def test_an_error_in_close_is_logged_with_its_traceback(engine, caplog):
    class Blocks(list):
        def __iter__(self):
            return iter([b"all"])

        def close(self):
            raise ValueError("cannot close")

    answer = exchange(starts(body=Blocks()), engine, caplog=caplog)
    assert (answer.body, answer.complete) == (b"all", True)
    [record] = errors(caplog)
    assert record.getMessage() == "close() of the response failed: cannot close"
    assert record.exc_info[0] is ValueError


def test_an_error_and_one_in_close_are_both_logged(engine, caplog):
    class Blocks:
        def __iter__(self):
            raise ValueError("no blocks")

        def close(self):
            raise ValueError("cannot close")

    assert exchange(starts(body=Blocks()), engine, caplog=caplog).status == 500
    messages = [record.getMessage() for record in errors(caplog)]
    assert messages == [
        "close() of the response failed: cannot close",
        "GET / failed: no blocks",
    ]


@pytest.mark.parametrize(
    "sent",
    [
        request("/", "Transfer-Encoding: chunked", method="POST") + b"hello\r\n",
        request("/", "Content-Length: -5", method="POST"),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["chunks", "length", "Host"],
)
def test_an_error_of_the_client_is_no_error_of_ours(engine, caplog, sent):
    def app(environ, start_response):
        start_response("200 OK", TEXT)
        return [environ["wsgi.input"].read()]

    assert exchange(app, engine, sent, caplog=caplog).status == 400
    assert errors(caplog) == []


def test_a_client_that_left_is_no_error_of_ours(engine, caplog):
    def app(environ, start_response):
        start_response("200 OK", TEXT)
        while True:
            yield b"x" * 65536

    with (
        caplog.at_level(logging.DEBUG, "handmade"),
        serving(app, "threads", engine) as address,
        Wire(address, 10.0) as wire,
    ):
        wire.send(request("/endless")).until(b"x", "the stream")
        wire.reset()
    assert errors(caplog) == []
    [message] = [record.getMessage() for record in caplog.records]
    assert message == "the client left GET /endless"


@pytest.mark.parametrize("status", ["200 OK", "204 No Content"])
def test_nothing_is_logged_when_all_is_well(engine, caplog, status):
    app = starts(status, body=[] if status.startswith("204") else [b"x"])
    assert exchange(app, engine, caplog=caplog).complete
    assert caplog.records == []
