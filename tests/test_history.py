"""The forms that an application could have since 1993, and the adapters between them.

Each adapter is run between a real client and a real application of the other form; PEP 3333's and
asgiref's own code are the independent oracles.
"""

from __future__ import annotations

import asyncio
import functools
import http.client
import io
import os
import sys
import threading
import wsgiref.handlers
from wsgiref.validate import validator

import asgiref.compatibility
import pytest
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint

from handmade import loop
from handmade.cgi_process import CgiProgram
from handmade.gateway import ApplicationError
from handmade.history_asgi2 import (
    double_from_single,
    guarantee_single,
    is_double,
    single_from_double,
)
from handmade.history_cgi import meta_variables, read_head, run_as_cgi
from handmade.history_channels import (
    LARGEST,
    ChannelFull,
    ChannelLayer,
    MessageTooLarge,
    Worker,
    plain,
)
from handmade.history_server import ThroughLayer
from handmade.wsgi_in_asgi import WsgiInAsgi
from workbench.board import asgi as board_asgi
from workbench.board import wsgi as board_wsgi
from workbench.costs import costs, spent_by_children
from workbench.eras import EVENTS, eras
from workbench.forms import environ as request_environ
from workbench.forms import five_forms
from workbench.running import running

POST = (
    b"POST /posts?by=ada HTTP/1.1\r\nHost: board.example\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
)
CHUNKED = POST.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked").replace(
    b"\r\n\r\nhello", b"\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
)
TEXT = [("Content-Type", "text/plain")]


def python(script: str, seconds: float = 10.0) -> CgiProgram:
    """Return a CGI program in Python; -I and -S make it start sooner."""
    return CgiProgram([sys.executable, "-I", "-S", "-c", script], seconds)


# --- The five forms of one application --------------------------------------------------------

SAY = """
import os, sys
body = sys.stdin.read(int(os.environ["CONTENT_LENGTH"]))
print("Status: 201 Created\\nContent-Type: text/plain\\n")
print(os.environ["QUERY_STRING"], "says", body)
"""


def say_wsgi(environ, start_response):
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("201 Created", [("Content-Type", "text/plain")])
    return [environ["QUERY_STRING"].encode(), b" says ", body, b"\n"]


def say_channels(message, layer):
    text = message["query_string"] + b" says " + message["body"] + b"\n"
    headers = [[b"content-type", b"text/plain"]]
    response = {"status": 201, "headers": headers, "content": text}
    layer.send(message["reply_channel"], response)


class SayDouble:
    def __init__(self, scope):
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        self.scope = scope

    async def __call__(self, receive, send):
        await say_single(self.scope, receive, send)


async def say_single(scope, receive, send):
    assert scope["type"] == "http"
    text = scope["query_string"] + b" says " + (await receive())["body"] + b"\n"
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": text})


class Came:
    """The bytes of an answer, as http.client takes a socket."""

    def __init__(self, came):
        self.makefile = lambda mode: io.BytesIO(came)


def answer(app, request=POST, **options):
    """Return status and text of an answer; raise IncompleteRead where its end is missing."""
    with running(app, **options) as server:
        response = http.client.HTTPResponse(Came(server.talk(request, until=b"", timeout=20)))
    response.begin()
    return response.status, response.read().decode().replace("\r\n", "\n")


CUT = (http.client.IncompleteRead, ConnectionResetError)
WANTED = (201, "by=ada says hello\n")


@pytest.fixture
def channels():
    layer = ChannelLayer()
    with Worker(layer, {"http.request": say_channels}):
        yield ThroughLayer(layer, seconds=5)


def test_cgi_behind_a_wsgi_server():
    assert answer(python(SAY)) == WANTED


def test_cgi_behind_an_asgi_server():
    assert answer(WsgiInAsgi(python(SAY))) == WANTED


@pytest.mark.parametrize("app", [say_wsgi, say_single, single_from_double(SayDouble)])
def test_the_forms_that_are_called(app):
    assert answer(app) == WANTED


def test_the_form_that_is_sent_messages(channels):
    assert answer(channels) == WANTED


@pytest.mark.parametrize("app", [double_from_single(say_single), SayDouble])
def test_there_and_back_again(app):
    assert answer(single_from_double(app)) == WANTED


def test_a_wsgi_application_as_a_cgi_program_behind_a_wsgi_server(tmp_path):
    script = f"""
import os, sys
sys.path[:] = {[*sys.path, os.path.dirname(os.path.abspath(__file__))]!r}
from handmade.history_cgi import run_as_cgi
from test_history import say_wsgi
run_as_cgi(say_wsgi, os.environ, sys.stdin.buffer, sys.stdout.buffer, sys.stderr)
"""
    assert answer(python(script)) == WANTED


# --- CGI: the request -------------------------------------------------------------------------

ENV = """
import os
print("Content-Type: text/plain\\n")
for name in sorted(os.environ):
    print(name, "=", os.environ[name])
"""


def variables_of(request, **options):
    _, body = answer(python(ENV), request, **options)
    pairs = [line.partition(" = ")[::2] for line in body.splitlines() if " = " in line]
    return dict(pairs)


def test_the_variables_of_a_request():
    """RFC 3875 §4.1: the meta-variables."""
    variables = variables_of(POST.replace(b"/posts?", b"/caf%C3%A9%2Fx?"), script_name="/board")
    wanted = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "/board",
        "QUERY_STRING": "by=ada",
        "CONTENT_LENGTH": "5",
        "CONTENT_TYPE": "text/plain",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "handmade",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "board.example",
    }
    assert wanted.items() <= variables.items()
    assert variables["PATH_INFO"].encode("utf-8", "surrogateescape") == b"/caf\xc3\xa9/x"
    assert not [name for name in variables if "wsgi" in name]


def test_nothing_of_our_own_environment_gets_in(monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "swordfish")
    assert "DATABASE_PASSWORD" not in variables_of(POST)


@pytest.mark.parametrize("field", [b"Proxy: http://evil.example", b"Authorization: Basic YTpi"])
def test_what_must_not_get_in(field):
    """RFC 3875 §4.1.18: what carries authentication; and httpoxy."""
    request = POST.replace(b"Content-Type", field + b"\r\nContent-Type")
    assert not {"HTTP_PROXY", "HTTP_AUTHORIZATION"} & set(variables_of(request))


def test_a_chunked_body_has_a_length_for_the_program():
    """RFC 3875 §4.2: CONTENT_LENGTH is that of the body without its transfer coding."""
    assert answer(python(SAY), CHUNKED) == WANTED
    variables = variables_of(CHUNKED)
    assert variables["CONTENT_LENGTH"] == "5"
    assert "HTTP_TRANSFER_ENCODING" not in variables


def test_a_request_without_a_body_has_no_length():
    variables = variables_of(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    assert "CONTENT_LENGTH" not in variables


def test_a_program_that_reads_nothing_and_one_that_writes_first():
    body = b"x" * 1_000_000
    request = POST.replace(b"5\r\nConn", b"1000000\r\nConn").replace(b"hello", body)
    assert answer(python("print('Content-Type: text/plain\\n\\nnot interested')"), request)[
        1
    ].strip() == ("not interested")
    writes_first = (
        "import sys\nsys.stdout.write('Content-Type: text/plain\\n\\n' + 'y' * 500000)\n"
        "sys.stdout.write(str(len(sys.stdin.read())))"
    )
    assert answer(python(writes_first), request)[1].endswith("y1000000")


def test_https_is_told_in_the_usual_way():
    environ = {"wsgi.url_scheme": "https", "REQUEST_METHOD": "GET"}
    assert meta_variables(environ, 0)["HTTPS"] == "on"


# --- CGI: the response ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "status", "headers"),
    [
        (b"Content-Type: text/plain\n\n", "200 OK", TEXT),
        (b"Content-Type: text/plain\r\n\r\n", "200 OK", TEXT),
        (b"content-type:text/plain\n\n", "200 OK", [("content-type", "text/plain")]),
        (b"Status: 404 Not Found\nContent-Type: text/plain\n\n", "404 Not Found", TEXT),
        (b"Content-Type: text/plain\nstatus: 404\n\n", "404 Not Found", TEXT),
        (b"Status: 299 Odd: but so\nContent-Type: text/plain\n\n", "299 Odd: but so", TEXT),
        (b"Location: http://a/\n\n", "302 Found", [("Location", "http://a/")]),
        (b"Status: 303 See Other\nLocation: /x\n\n", "303 See Other", [("Location", "/x")]),
        (b"Status: 204 No Content\nX: \xff\n\n", "204 No Content", [("X", "\xff")]),
    ],
)
def test_a_head(output, status, headers):
    """RFC 3875 §6.2, §6.3: documents and redirects; §7.2: both line ends."""
    stream = io.BytesIO(output + b"\nthe body: all of it")
    assert read_head(stream.readline) == (status, headers)
    assert stream.read() == b"\nthe body: all of it"


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"\n",
        b"hello\n\n",
        b"Content-Type: text/plain\n",
        b"Content-Type: text/plain",
        b"X-Mine: 1\n\n",
        b"Content-Type : text/plain\n\n",
        b"Content-Type: a\nContent-Type: b\n\n",
        b"Location: /elsewhere\n\n",
        b"X: " + b"x" * 70000 + b"\nContent-Type: text/plain\n\n",
        b"Traceback (most recent call last):\n\n",
    ],
)
def test_no_head(output):
    """RFC 3875 §6.3: one CGI field at least, each once at most; §6.2.2 is left out."""
    with pytest.raises(ApplicationError):
        read_head(io.BytesIO(output).readline)


@pytest.mark.parametrize(
    "script",
    [
        "print('hello')",
        "raise ValueError('on purpose')",
        "print('Status: 200 OK\\nContent-Type: a\\nConnection: close\\n\\n')",
        "print('Status: 101 Switching Protocols\\nContent-Type: a\\n\\n')",
        "pass",
    ],
)
def test_a_program_that_fails_is_500(script):
    assert answer(python(script))[0] == 500


def test_a_program_that_is_not_there_is_500():
    assert answer(CgiProgram(["/no/such/program"]))[0] == 500


def test_what_a_program_says_about_its_failure_is_in_the_log():
    with running(python("raise ValueError('on purpose')")) as server:
        server.talk(POST, until=b"")
        assert "ValueError: on purpose" in server.log_text()


def test_a_program_that_dies_on_the_way_leaves_a_broken_response():
    script = "print('Content-Type: text/plain\\n\\nhalf', flush=True)\nraise SystemExit(3)"
    with pytest.raises(CUT, match=r"half|5 bytes read"):
        answer(python(script))


HANGS = "import sys, time\nprint('Content-Type: text/plain\\n', flush=True)\ntime.sleep(60)"


def test_a_program_that_does_not_end_is_killed():
    assert answer(python(HANGS, seconds=0.5))[0] == 500


def test_close_ends_the_program():
    environ = {"wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(), "wsgi.url_scheme": "http"}
    program = python("print('Content-Type: text/plain\\n\\n' + 'x' * 100, flush=True)\n" + HANGS)
    started, start = [], program.start
    program.start = lambda *rest: started.append(start(*rest)) or started[0]
    blocks = program(environ, lambda status, headers: None)
    assert next(blocks).strip().startswith(b"x")
    blocks.close()
    assert started[0].returncode is not None
    assert started[0].stdout.closed


# --- A WSGI application as a CGI program ------------------------------------------------------

VARIABLES = {
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/posts",
    "QUERY_STRING": "by=ada",
    "CONTENT_LENGTH": "5",
    "CONTENT_TYPE": "text/plain",
    "SERVER_NAME": "board.example",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
}


def as_cgi(app, variables=VARIABLES, body=b"hello, and what is not ours"):
    out = io.BytesIO()
    run_as_cgi(app, variables, io.BytesIO(body), out, io.StringIO())
    return out.getvalue()


def test_it_keeps_the_rules_of_wsgi():
    def app(environ, start_response):
        body = environ["wsgi.input"].read(5)
        assert environ["wsgi.run_once"]
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
        return [body]

    assert as_cgi(validator(app)).endswith(b"\r\n\r\nhello")


def test_wsgiref_writes_the_same():
    """The oracle: the CGI handler of the standard library, but for its Content-Length."""
    out = io.BytesIO()
    handler = wsgiref.handlers.SimpleHandler(
        io.BytesIO(b"hello"), out, io.StringIO(), dict(VARIABLES)
    )
    handler.origin_server = False
    handler.run(say_wsgi)
    theirs = out.getvalue()
    ours = as_cgi(say_wsgi)
    assert read_head(io.BytesIO(theirs).readline) == read_head(io.BytesIO(ours).readline)
    assert theirs.partition(b"\r\n\r\n")[2] == ours.partition(b"\r\n\r\n")[2]


def test_write_exc_info_and_close():
    closed = []

    class Blocks(list):
        def close(self):
            closed.append(True)

    def app(environ, start_response):
        start_response("200 OK", TEXT)
        write = start_response("500 Oops", TEXT, (ValueError, ValueError("x"), None))
        write(b"one")
        return Blocks([b"", b"two"])

    assert as_cgi(app) == b"Status: 500 Oops\r\nContent-Type: text/plain\r\n\r\nonetwo"
    assert closed == [True]


def test_its_mistakes_are_raised():
    with pytest.raises(ApplicationError, match="never called"):
        as_cgi(lambda environ, start_response: [])

    def twice(environ, start_response):
        start_response("200 OK", TEXT)
        start_response("200 OK", TEXT)

    with pytest.raises(ApplicationError, match="again"):
        as_cgi(twice)

    def late(environ, start_response):
        start_response("200 OK", TEXT)
        yield b"one"
        start_response("500 Oops", TEXT, (ValueError, ValueError("late"), None))

    with pytest.raises(ValueError, match="late"):
        as_cgi(late)


@pytest.mark.parametrize("body", [b"", b"hello"])
def test_an_empty_answer_has_a_head(body):
    def app(environ, start_response):
        start_response("204 No Content", TEXT)
        return []

    assert as_cgi(app, body=body) == b"Status: 204 No Content\r\nContent-Type: text/plain\r\n\r\n"


def test_the_board_runs_as_cgi():
    variables = {**VARIABLES, "REQUEST_METHOD": "GET", "CONTENT_LENGTH": "", "PATH_INFO": "/"}
    assert as_cgi(board_wsgi.make_app(), variables).startswith(b"Status: 200 OK\r\n")


# --- The channel layer ------------------------------------------------------------------------


def test_a_channel_is_a_queue():
    layer = ChannelLayer()
    layer.send("a", {"n": 1})
    layer.send("b", {"n": 2})
    layer.send("a", {"n": 3})
    assert layer.receive(["a"]) == ("a", {"n": 1})
    assert layer.receive(["b", "a"]) == ("b", {"n": 2})
    assert layer.receive(["b", "a"]) == ("a", {"n": 3})
    assert layer.receive(["b", "a"]) == (None, None)
    assert layer.receive(["b", "a"], block=True) == (None, None)
    assert layer._queues == {}


def test_a_message_is_a_copy_of_what_can_travel():
    message = {"headers": [(b"a", b"1")], "deep": {"list": [1.5, None, True]}}
    layer = ChannelLayer()
    layer.send("a", message)
    message["headers"].clear()
    assert layer.receive(["a"])[1] == {
        "headers": [[b"a", b"1"]],
        "deep": {"list": [1.5, None, True]},
    }


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a": {b"b": 1}}, [set()], bytearray()])
def test_what_cannot_travel_is_refused(value):
    with pytest.raises(TypeError):
        plain({"value": value})


def test_capacity_is_of_each_channel():
    layer = ChannelLayer(capacity=2)
    layer.send("a", {})
    layer.send("a", {})
    with pytest.raises(ChannelFull):
        layer.send("a", {})
    layer.send("b", {})
    layer.receive(["a"])
    layer.send("a", {})


def test_a_message_of_more_than_a_megabyte_is_refused():
    with pytest.raises(MessageTooLarge):
        ChannelLayer().send("a", {"body": b"x" * (LARGEST + 1)})


def test_what_waits_too_long_is_dropped():
    now = [0.0]
    layer = ChannelLayer(expiry=60, clock=lambda: now[0])
    layer.send("a", {"n": 1})
    now[0] = 30
    layer.send("a", {"n": 2})
    now[0] = 60
    assert layer.receive(["a"]) == ("a", {"n": 2})
    layer.send("a", {})
    now[0] = 120
    layer.send("b", {})
    assert list(layer._queues) == ["b"]


def test_names_are_new():
    layer = ChannelLayer()
    names = {layer.new_channel("http.response!") for _ in range(100)}
    assert len(names) == 100
    assert all(name.startswith("http.response!") for name in names)
    with pytest.raises(ValueError, match="must end in"):
        layer.new_channel("http.response")


def test_a_group_gets_what_it_is_sent_and_the_full_miss_it():
    layer = ChannelLayer(capacity=1)
    for name in ("x", "y", "z"):
        layer.group_add("readers", name)
    layer.group_discard("readers", "z")
    layer.send("x", {"full": True})
    layer.send_group("readers", {"text": "hi"})
    assert layer.receive(["x"])[1] == {"full": True}
    assert layer.receive(["y"])[1] == {"text": "hi"}
    assert layer.receive(["x", "y", "z"]) == (None, None)


def test_each_message_goes_to_one_reader():
    layer, seen, lock = ChannelLayer(capacity=1000), [], threading.Lock()

    def consume(message, layer):
        with lock:
            seen.append(message["n"])

    with Worker(layer, {"a": consume}), Worker(layer, {"a": consume}):
        for n in range(500):
            layer.send("a", {"n": n})
        while layer._queues:
            threading.Event().wait(0.001)
    assert sorted(seen) == list(range(500))


def test_a_reader_in_a_loop_is_woken_from_a_thread():
    async def main():
        layer = ChannelLayer()
        running_loop = asyncio.get_running_loop()
        reading = asyncio.ensure_future(layer.receive_asyncio(["a", "b"], running_loop))
        await asyncio.sleep(0)
        threading.Thread(target=layer.send, args=("b", {"n": 1})).start()
        assert await asyncio.wait_for(reading, 5) == ("b", {"n": 1})
        assert layer._watchers == {}
        cancelled = asyncio.ensure_future(layer.receive_asyncio(["a"], running_loop))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        assert layer._watchers == {}
        layer.send("a", {"n": 2})
        assert layer.receive(["a"])[1] == {"n": 2}

    asyncio.run(main())


# --- ASGI 1 behind ASGI 3 ---------------------------------------------------------------------


def test_nobody_answers():
    status, body = answer(ThroughLayer(ChannelLayer(), seconds=0.2))
    assert (status, body) == (503, "no worker has answered\n")


def test_all_are_busy():
    layer = ChannelLayer(capacity=1)
    layer.send("http.request", {})
    status, body = answer(ThroughLayer(layer))
    assert (status, body) == (503, "all workers are busy\n")


def test_a_body_that_fits_into_no_message():
    size = LARGEST + 1
    request = POST.replace(b"5\r\nConn", b"%d\r\nConn" % size).replace(b"hello", b"x" * size)
    assert answer(ThroughLayer(ChannelLayer()), request)[0] == 413


def with_worker(consumer, **options):
    layer = ChannelLayer()
    with Worker(layer, {"http.request": consumer}):
        return answer(ThroughLayer(layer, seconds=options.pop("seconds", 5)), **options)


def test_a_response_in_pieces():
    def consumer(message, layer):
        reply = message["reply_channel"]
        assert reply.startswith("http.response!")
        layer.send(reply, {"status": 200, "headers": [], "content": b"a", "more_content": True})
        layer.send(reply, {"content": b"b", "more_content": True})
        layer.send(reply, {"content": b"c"})

    assert with_worker(consumer) == (200, "abc")


def test_a_request_message_is_what_the_draft_lists():
    seen = []

    def consumer(message, layer):
        seen.append(message)
        say_channels(message, layer)

    with_worker(consumer)
    message = seen[0]
    assert message["path"] == "/posts"
    assert message["query_string"] == b"by=ada"
    assert message["body"] == b"hello"
    assert [b"host", b"board.example"] in message["headers"]
    assert isinstance(message["client"], list)
    assert "type" not in message


def test_a_consumer_that_fails_leaves_the_client_waiting_until_503():
    def consumer(message, layer):
        raise ValueError("far away")

    assert with_worker(consumer, seconds=0.3)[0] == 503


def test_a_first_message_without_a_status_is_500():
    def consumer(message, layer):
        layer.send(message["reply_channel"], {"content": b"x"})

    assert with_worker(consumer)[0] == 500


def test_a_response_that_stops_on_the_way_is_cut():
    def consumer(message, layer):
        layer.send(message["reply_channel"], {"status": 200, "content": b"x", "more_content": True})

    with pytest.raises(CUT):
        with_worker(consumer, seconds=0.3)


def test_the_bridge_runs_on_the_loop_by_hand():
    layer = ChannelLayer()
    app = ThroughLayer(layer, seconds=5, get_loop=loop.get_running_loop)
    with Worker(layer, {"http.request": say_channels}):
        assert answer(app, shell="loop") == WANTED


# --- ASGI 2 and 3 -----------------------------------------------------------------------------


class Endless:
    def __init__(self, scope, receive, send):
        pass

    def __await__(self):
        yield


def plain_function_for(app):
    return lambda scope, receive, send: app(scope, receive, send)


async def with_stars(*arguments):
    pass


def double_with_stars(*arguments):
    return with_stars


def closure(scope):
    async def instance(receive, send):
        await say_single(scope, receive, send)

    return instance


@pytest.mark.parametrize(
    ("app", "double"),
    [
        (say_single, False),
        (board_asgi.make_app(), False),
        (board_asgi.make_app().__call__, False),
        (Starlette(), False),
        (functools.partial(say_single), False),
        (plain_function_for(say_single), False),
        (HTTPEndpoint, False),
        (Endless, False),
        (with_stars, False),
        (SayDouble, True),
        (closure, True),
        (double_with_stars, True),
        (functools.partial(SayDouble), True),
        (double_from_single(say_single), True),
    ],
)
def test_a_double_callable_is_told_by_how_it_is_called(app, double):
    assert is_double(app) is double


@pytest.mark.parametrize("app", [say_single, Starlette(), SayDouble, closure])
def test_asgiref_says_the_same_of_the_usual_forms(app):
    assert asgiref.compatibility.is_double_callable(app) is is_double(app)


@pytest.mark.parametrize("app", [plain_function_for(say_single), HTTPEndpoint])
def test_where_asgiref_guesses_by_the_kind_it_guesses_otherwise(app):
    assert asgiref.compatibility.is_double_callable(app) is not is_double(app)


@pytest.mark.parametrize("app", [say_single, SayDouble, closure, plain_function_for(say_single)])
def test_whichever_came_in_it_is_served(app):
    assert answer(guarantee_single(app)) == WANTED


def test_asgiref_runs_what_we_made_and_we_run_what_asgiref_made():
    ours = double_from_single(say_single)
    assert answer(asgiref.compatibility.guarantee_single_callable(ours)) == WANTED


def test_each_connection_has_an_instance_of_its_own():
    made = []

    class Counting(SayDouble):
        def __init__(self, scope):
            super().__init__(scope)
            made.append(self)

    with running(single_from_double(Counting)) as server:
        for _ in range(3):
            server.talk(POST, until=b"")
    assert len(set(map(id, made))) == 3


def test_what_either_call_raises_comes_out():
    class Fails(SayDouble):
        async def __call__(self, receive, send):
            raise ValueError("second")

    async def main():
        with pytest.raises(NotImplementedError, match="lifespan"):
            await single_from_double(Fails)({"type": "lifespan"}, None, None)
        with pytest.raises(ValueError, match="second"):
            await single_from_double(Fails)({"type": "http"}, None, None)
        with pytest.raises(AssertionError):
            await double_from_single(say_single)({"type": "websocket"})(None, None)

    asyncio.run(main())


# --- What the chapter looks with --------------------------------------------------------------


def test_the_five_forms_are_recorded_alike_every_time():
    forms = {"wsgi": say_wsgi, "consumer": say_channels, "double": SayDouble, "single": say_single}
    first, second = (five_forms(cgi=python(SAY), **forms) for _ in range(2))
    assert repr(first) == repr(second)
    assert repr(first).count("http.request") == 2 + 2
    assert first._repr_png_().startswith(b"\x89PNG")


def test_what_a_form_raises_in_its_recording_comes_out():
    async def fails(scope, receive, send):
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        five_forms(
            cgi=python(SAY), wsgi=say_wsgi, consumer=say_channels, double=SayDouble, single=fails
        )


def test_the_dates_are_in_order():
    assert [event.year for event in EVENTS] == sorted(event.year for event in EVENTS)
    assert eras()._repr_png_().startswith(b"\x89PNG")


def test_costs_are_compared_by_cpu_time_not_by_waiting():
    async def wait():
        await asyncio.sleep(0.02)

    calls = {"waits": (wait, 2), "works": (lambda: sum(range(200_000)), 2)}
    found = asyncio.run(costs(calls, rounds=3))
    assert found.ratio("works", "waits") > 1
    assert "× 1.0" in repr(found.picture("Costs"))


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell what a child has spent")
def test_costs_of_a_child_are_counted_finer_than_in_ticks():
    child = CgiProgram(["sh", "-c", r"printf 'Content-Type: text/plain\n\n'"])

    def call():
        before = spent_by_children()
        list(child(request_environ(), lambda status, headers: None))
        return spent_by_children() - before

    assert all(call() > 0 for _ in range(3))
