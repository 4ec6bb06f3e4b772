"""The exercises of chapter 4: the environ, a runner that closes, a middleware that streams."""

from __future__ import annotations

import io
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from handmade import http1
from handmade.events import NEED_DATA, Data, End, Event, Outgoing, Request, Response
from handmade.wsgi_request import Server, base_environ, request_environ
from workbench.contracts import Broken, find
from workbench.contracts.probes import TEXT, Closing, environ_of, moment, same, variable
from workbench.contracts.wire import request, up
from workbench.exercises.model import Exercise, Point, handing
from workbench.places import is_the_learners
from workbench.running import running

# --- Two servers around a learner's function --------------------------------------------------

Environ = dict[str, Any]


class LearnersServer:
    """Serve an application over the wire, with a part of the gateway by the learner.

    ``errors`` are what the learner's function has raised by its own fault.
    """

    patience = 1.0

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.errors: list[Exception] = []

    @contextmanager
    def serve(self, app: Any) -> Iterator[tuple[str, int]]:
        """Serve ``app`` on a free port of this machine."""
        with running(handler=lambda sock: self.talk(_Client(sock), app)) as server:
            yield server.address

    def talk(self, client: _Client, app: Any) -> None:
        """Answer one client."""
        raise NotImplementedError


class _Client:
    """One client's socket with an engine: events in both directions, one request."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.engine = http1.Connection()
        self.received = b""
        self.head: list[Outgoing] = []
        self.started = False

    def event(self) -> Event:
        """Wait for the next event."""
        while (event := self.engine.next_event()) is NEED_DATA:
            data = self.sock.recv(65536)
            self.received += data
            self.engine.receive(data)
        return event

    def request(self) -> tuple[Request, io.BytesIO]:
        """Wait for a request and its body."""
        event, body = self.event(), io.BytesIO()
        if not isinstance(event, Request):
            raise ConnectionError("the client has asked nothing")
        while isinstance(piece := self.event(), Data):
            body.write(piece.data)
        body.seek(0)
        return event, body

    def send(self, *events: Outgoing) -> None:
        """Send the head, where it is still here, and then these events."""
        if not self.head and not self.started:
            raise ValueError("start_response was never called")
        data = b"".join(map(self.engine.send, (*self.head, *events)))
        self.head, self.started = [], True
        self.sock.sendall(data)

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        """Note the head."""
        if exc_info is not None:
            try:
                if self.started:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.head or self.started:
            raise ValueError("start_response was called again without exc_info")
        fields = tuple((name.encode(), value.encode("latin-1")) for name, value in headers)
        code, _, reason = status.partition(" ")
        self.head = [Response(int(code), (*fields, (b"connection", b"close")), reason.encode())]
        return self.write

    def write(self, block: Any) -> None:
        """Send a block."""
        if not isinstance(block, bytes):
            raise TypeError(f"write() takes bytes, not {type(block).__name__}")
        self.send(Data(block)) if block else self.send()

    def fail(self) -> None:
        """Do what a failure calls for."""
        if self.started:
            # Closing with a linger of no time is a reset: nobody takes this for a proper end.
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        self.head = [Response(500, ((b"connection", b"close"),))]
        self.send(End())


def ask_over_the_wire(name: str, make: type[LearnersServer]) -> Callable[[Any], None]:
    """Return a check: a case of the contract ``server``, with a server around the function."""
    promise = find("server", name)

    def run(function: Any) -> None:
        server = make(function)
        with blamed(server):
            promise.run(server)

    return run


def is_their_own(error: Exception) -> bool:
    """Tell an error of the learner's code from one of the application or of the network."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and is_the_learners(trace.tb_frame.f_code.co_filename)


BLOCK = b"x" * 65536
BLOCKS = 500  # more than the network takes unread; and an end, for whoever joins all of them


def closed_when_the_client_left(server: Any) -> None:
    """close() is called once when the client goes away in the middle of a stream."""
    closed = moment(server, "close() of the iterable after the client has left")
    iterable = Closing((BLOCK for _ in range(BLOCKS)), closed)

    def app(environ: Environ, start_response: Any) -> Closing:
        start_response("200 OK", [TEXT])
        return iterable

    with up(server, app) as connect:
        wire = connect().send(request())
        wire.until(b"x" * 100, "the beginning of the stream")
        wire.reset()
        closed.wait()
    closed_once(iterable.closes, "when the client left")


def closed_once(closes: int, when: str) -> None:
    """Demand that close() was called once."""
    if closes != 1:
        raise Broken(f"close() was called {closes} times {when}; once is wanted")


def all_of(*runs: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a check that makes several."""

    def run(subject: Any) -> None:
        for each in runs:
            each(subject)

    return run


@contextmanager
def blamed(server: LearnersServer) -> Iterator[None]:
    """Raise the learner's own error, where there is one, instead of what came of it."""
    try:
        yield
    except Broken as broken:
        if server.errors:
            raise server.errors[0] from broken
        raise


# --- environ-of -------------------------------------------------------------------------------


class EnvironServer(LearnersServer):
    """A server whose environ the learner makes: ``environ_of(request)``."""

    def talk(self, client: _Client, app: Any) -> None:
        """Answer one request."""
        event, body = client.request()
        try:
            with handing(client.received):
                own = self.function(event)
                environ = {**base_environ(Server()), **own, "wsgi.input": body}
        except Exception as error:
            self.errors.append(error)
            raise
        for block in app(environ, client.start_response):
            client.write(block)
        client.send(End())


def environ_case(name: str) -> Callable[[Any], None]:
    """Return a case of the contract about the environ."""
    return ask_over_the_wire(name, EnvironServer)


def environ_has(key: str, wanted: str, sent: bytes) -> Callable[[Any], None]:
    """Return a check of one variable, for one request."""

    def run(environ_of: Any) -> None:
        server = EnvironServer(environ_of)
        with blamed(server):
            variable(server, key, wanted, sent)

    return run


def no_body_no_variables(environ_of_: Any) -> None:
    """A request without a body has neither of the two variables, not even empty ones."""
    server = EnvironServer(environ_of_)
    with blamed(server):
        environ = environ_of(server, request())
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if key in environ:
            problem = f"{key} is {environ[key]!r}, and the field did not come: leave it out"
            raise Broken(problem, sent=request(), clause="")


ENVIRON_OF = Exercise(
    name="environ-of",
    chapter=4,
    title="From a request to environ",
    effort=1,
    subject="environ_of",
    points=(
        Point(
            "the method, as it came",
            all_of(
                environ_case("REQUEST_METHOD"),
                environ_has("REQUEST_METHOD", "get", request(method="get")),
            ),
            "passing on bytes. Every variable of CGI is a str. Or writing it in capitals: methods "
            "have a case, and get is another one than GET.",
            "PEP 3333, environ Variables",
        ),
        Point(
            "a blank in the path",
            environ_has("PATH_INFO", "/a b+c", request("/a%20b+c")),
            "handing out the path as it came. In CGI it is percent-decoded. Or taking a + for a "
            "blank, which it is in forms and their queries alone.",
            "PEP 3333, environ Variables",
        ),
        Point(
            "an é in the path",
            environ_case("PATH_INFO is decoded"),
            "decoding the bytes as UTF-8, as unquote() does. You cannot know that they are: let "
            "each byte be the character of the same number.",
            "PEP 3333, Unicode Issues",
        ),
        Point(
            "a question mark in the path",
            environ_case("an encoded slash"),
            "decoding first and cutting at the question mark afterwards. %3F is a part of the "
            "path.",
            "PEP 3333, environ Variables",
        ),
        Point(
            "the query, untouched",
            environ_case("QUERY_STRING"),
            "decoding the query too. It is the application that takes it apart, and & and = must "
            "still be told from %26 and %3D.",
            "PEP 3333, environ Variables",
        ),
        Point(
            "the version that was asked in",
            environ_case("SERVER_PROTOCOL"),
            "the version that you speak. In spite of its name it is the request's, with HTTP/ "
            "before the number.",
            "PEP 3333, environ Variables",
        ),
        Point(
            "a field",
            environ_case("HTTP_ variables"),
            "a name that keeps its hyphens, or has no HTTP_ before it.",
            "PEP 3333, environ Variables",
        ),
        Point(
            "a byte beyond ASCII in a field",
            environ_case("Latin-1 values"),
            "decoding values as UTF-8 or ASCII: one byte of a stranger, and the server raises.",
            "PEP 3333, Unicode Issues",
        ),
        Point(
            "type and length of the body",
            all_of(
                environ_case("CONTENT_TYPE and CONTENT_LENGTH"),
                no_body_no_variables,
                environ_has(
                    "HTTP_CONTENT_ENCODING", "gzip", request("/", "Content-Encoding: gzip")
                ),
            ),
            "HTTP_ before all names. There is no HTTP_CONTENT_TYPE and no HTTP_CONTENT_LENGTH. Or "
            "leaving it out before every name that begins with Content-: these two are the only "
            "ones. Or setting them for a request that has no body.",
            "PEP 3333, environ Variables",
        ),
        Point(
            "a field that comes twice",
            environ_case("repeated fields"),
            "assigning to the dict, so that the last one wins. Join them by a comma and a blank.",
            "RFC 9110 §5.3",
        ),
        Point(
            "two cookies",
            environ_case("repeated Cookie"),
            "joining cookies by a comma, which may stand inside of one. They are joined by a "
            "semicolon and a blank.",
            "RFC 6265 §5.4",
        ),
        Point(
            "a forged field",
            environ_case("underscores"),
            "letting names with an underscore in. X_Real_IP would pass for the X-Real-IP of a "
            "proxy that has checked only the latter.",
            "RFC 3875 §4.1.18",
        ),
        Point(
            "a setting for your own HTTP client",
            all_of(
                environ_case("Proxy"),
                environ_has(
                    "HTTP_PROXY_AUTHORIZATION", "x", request("/", "Proxy-Authorization: x")
                ),
            ),
            "passing on a field named Proxy. In CGI the environ is the process's environment, and "
            "there HTTP_PROXY tells libraries where to send your own requests (httpoxy). In a WSGI "
            "server it is harmless until somebody copies environ; we leave it out to be safe. This "
            "one name alone: a field whose name begins so is another one.",
            "CVE-2016-1000110",
        ),
    ),
    hints=(
        "Everything comes as bytes and leaves as str, and there is one codec that takes any byte "
        "and never changes its number.",
        "Cut the target at the first question mark before you decode anything, and use "
        "urllib.parse.unquote_to_bytes for the path. For the fields, first decide the key: none "
        "for a name with an underscore and for proxy, the bare name for two of them, HTTP_ for "
        "the rest.",
        """
        The loop over the fields, with `key` decided:

            value = value.decode("latin-1")
            if key in environ:
                blank = "; " if key == "HTTP_COOKIE" else ", "
                value = environ[key] + blank + value
            environ[key] = value
        """,
    ),
    afterwards="""
        An environ is a description, so every doubt in it becomes somebody's security hole: a name
        that two fields share, a value that is lost, an encoding that was guessed.

        Gunicorn does the same in http/wsgi.py, create(): its unquote_to_wsgi_str is
        unquote_to_bytes and latin-1, content type and length go without HTTP_, repeated fields are
        joined by a comma. Names with an underscore are dropped before, in http/message.py; the
        setting --header-map can say "refuse" instead, or "dangerous". Its commas have no blank
        behind them, and it joins cookies by a comma too.
        """,
)

# --- close-always -----------------------------------------------------------------------------


class RunnerServer(LearnersServer):
    """A server that lets the learner run the application."""

    def talk(self, client: _Client, app: Any) -> None:
        """Answer one request by ``respond(app, environ, start_response, write)``."""
        event, body = client.request()
        environ = request_environ(event, base_environ(Server()), "")
        environ["wsgi.input"] = body
        try:
            self.function(app, environ, client.start_response, client.write)
            client.send(End())
        except Exception as error:
            self.errors += [error] if is_their_own(error) else []
            client.fail()


def runner_case(name: str) -> Callable[[Any], None]:
    """Return a case of the contract, for an application that the learner runs."""
    return ask_over_the_wire(name, RunnerServer)


def client_leaves_the_runner(respond: Any) -> None:
    """The client of a stream goes away."""
    server = RunnerServer(respond)
    with blamed(server):
        closed_when_the_client_left(server)


def run_by_hand(respond: Any, blocks: Any) -> list[bytes]:
    """Run an application that returns ``blocks``, without a network."""
    wrote: list[bytes] = []

    def app(environ: Environ, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])
        return blocks

    respond(app, {}, lambda *head: wrote.append, wrote.append)
    return wrote


def a_list_has_no_close(respond: Any) -> None:
    """A list is served like any iterable, and has nothing to close."""
    wrote = run_by_hand(respond, [b"one", b"two"])
    same(wrote, [b"one", b"two"], "these are not the blocks of the list")


class Stubborn:
    """An iterable that cannot be begun."""

    closes = 0

    def __iter__(self) -> Iterator[bytes]:
        raise RuntimeError("the database is down")

    def close(self) -> None:
        """Count."""
        self.closes += 1


def it_cannot_be_begun(respond: Any) -> None:
    """An error of ``iter()`` reaches the server, and close() is called."""
    stubborn = Stubborn()
    try:
        run_by_hand(respond, stubborn)
    except RuntimeError:
        closed_once(stubborn.closes, "when iter() itself failed")
    else:
        raise Broken("iter() of the application's iterable failed, and nobody was told")


def told(error: BaseException, when: str, run: Callable[[], object]) -> None:
    """Demand that ``run`` raises this very error."""
    try:
        run()
    except BaseException as raised:
        if raised is error:
            return
        problem = f"{when}, {error!r} was raised, and the server is told {raised!r}"
        raise Broken(problem) from raised
    raise Broken(f"{when}, {error!r} was raised, and the server was not told")


def it_fails_when_called(respond: Any) -> None:
    """An error of the call itself reaches the server, as it is."""
    error = LookupError("there is no such page")

    def app(environ: Environ, start_response: Any) -> Any:
        raise error

    when = "when the application was called"
    told(error, when, lambda: respond(app, {}, lambda *head: None, lambda block: None))


class Ending:
    """An iterable of one block; what follows that, and its close(), may raise."""

    def __init__(
        self, behind: BaseException | None = None, at_close: Exception | None = None
    ) -> None:
        self.behind = behind
        self.at_close = at_close
        self.closes = 0

    def __iter__(self) -> Iterator[bytes]:
        yield b"block"
        if self.behind is not None:
            raise self.behind

    def close(self) -> None:
        """Count, and fail where that is wanted."""
        self.closes += 1
        if self.at_close is not None:
            raise self.at_close


def its_close_fails(respond: Any) -> None:
    """An error of close() reaches the server, also one that looks like 'there is no close()'."""
    error = AttributeError("'NoneType' object has no attribute 'rollback'")
    ending = Ending(at_close=error)
    told(error, "in the application's close()", lambda: run_by_hand(respond, ending))


class Stop(BaseException):
    """What no ``except Exception`` catches, as SystemExit and KeyboardInterrupt."""


def it_is_stopped(respond: Any) -> None:
    """What is no Exception closes, too, and goes on."""
    error = Stop("the process is told to end")
    ending = Ending(behind=error)
    told(error, "between two blocks", lambda: run_by_hand(respond, ending))
    closed_once(ending.closes, "when something was raised that is no Exception")


CLOSE_ALWAYS = Exercise(
    name="close-always",
    chapter=4,
    title="Run an application, and close what it returns",
    effort=2,
    subject="respond",
    points=(
        Point(
            "a list, which has no close()",
            a_list_has_no_close,
            "calling close() without asking whether there is one. Lists and tuples have none.",
            "PEP 3333, Specification Details",
        ),
        Point(
            "each block before the next",
            runner_case("each block at once"),
            "joining or listing the blocks first. Write one, then ask for the next.",
            "PEP 3333, Buffering and Streaming",
        ),
        Point(
            "an empty block is nothing",
            runner_case("the head waits"),
            "writing empty blocks. The first write sends the head, and then nobody can change "
            "their mind.",
            "PEP 3333, The start_response() Callable",
        ),
        Point(
            "closed when all is sent",
            runner_case("close() after the end"),
            "no close() at all, or one in each of two places: it is called once.",
            "PEP 3333, Specification Details",
        ),
        Point(
            "closed after an error",
            runner_case("close() after an error"),
            "close() behind the loop, where an error never comes by.",
            "PEP 3333, Specification Details",
        ),
        Point(
            "closed when the client has left",
            client_leaves_the_runner,
            "catching what the application raises and not what write() raises. A finally asks "
            "nobody.",
            "PEP 3333, Specification Details",
        ),
        Point(
            "closed whatever is raised",
            it_is_stopped,
            "except Exception: SystemExit, KeyboardInterrupt and GeneratorExit are none. A finally "
            "asks nobody.",
            "PEP 3333, Specification Details",
        ),
        Point(
            "the server hears of the error",
            runner_case("error after the first byte"),
            "catching the error and going on. The server would end the response properly, and "
            "the client would take half a page for a whole one.",
            "PEP 3333, Error Handling",
        ),
        Point(
            "an iterable that cannot be begun",
            it_cannot_be_begun,
            "asking for the iterator before the try begins, or catching its error. iter() is the "
            "application's code, too, and its errors are for the server.",
            "PEP 3333, Specification Details",
        ),
        Point(
            "an application that fails when it is called",
            it_fails_when_called,
            "calling it inside of the try: when it fails nothing was returned, and the finally "
            "asks a name that does not exist. Call it before.",
            "PEP 3333, Error Handling",
        ),
        Point(
            "a close() that fails",
            its_close_fails,
            "catching AttributeError around close() to save the question whether there is one: an "
            "AttributeError of the application's close() is lost with it. hasattr asks.",
            "PEP 3333, Error Handling",
        ),
    ),
    hints=(
        "Which statement of Python runs its block whether the one before has ended, returned or "
        "raised?",
        "From the moment at which the application has returned something, everything belongs into "
        "the try: iter(), next() and write(). Errors need no except here, for the server is the "
        "one who handles them.",
        """
        The frame:

            blocks = app(environ, start_response)
            try:
                (for each block that is not empty: write it)
            finally:
                if hasattr(blocks, "close"):
                    blocks.close()
        """,
    ),
    afterwards="""
        Six lines, and an application may rely on them for all that it borrows: connections, locks,
        files. Django's responses send the signal request_finished from close(), and that is where
        it gives its database connections back.

        Gunicorn's sync worker has the same try and finally in handle_request. In its finally the
        access log comes first and then close(). One difference: its write() sends the head with
        the first block even when that is empty, so with Gunicorn an application can change its
        mind a little less long.
        """,
)

# --- streaming-middleware ---------------------------------------------------------------------


class MiddlewareServer:
    """The reference, with the learner's middleware around the application."""

    patience = 1.0

    def __init__(self, counting: Callable[..., Any]) -> None:
        self.counting = counting
        self.sizes: list[int] = []

    @contextmanager
    def serve(self, app: Any) -> Iterator[tuple[str, int]]:
        """Serve ``app`` in its wrapping."""
        with running(self.counting(app, self.sizes.append)) as server:
            yield server.address


def middleware_case(name: str) -> Callable[[Any], None]:
    """Return a case of the contract that must hold behind the middleware too."""
    promise = find("server", name)
    return lambda counting: promise.run(MiddlewareServer(counting))


def what_is_counted(counting: Any) -> None:
    """The bytes of all blocks are told once, at the end."""
    server = MiddlewareServer(counting)

    def app(environ: Environ, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])
        return iter([b"hello, ", b"", b"world"])

    with up(server, app) as connect:
        arrives(connect().send(request()).response().body)
    reported(server.sizes, [12], "12 bytes went by as blocks")


def arrives(body: bytes) -> None:
    """Demand what the applications of two points say."""
    same(body, b"hello, world", "the client did not get the application's bytes")


def reported(sizes: list[int], wanted: list[int], went_by: str) -> None:
    """Demand these calls of report()."""
    calls = ", ".join(f"report({size!r})" for size in sizes) or "none"
    same(sizes, wanted, f"{went_by}; the calls of report were: {calls}")


def close(wrapped: Any) -> None:
    """Close what the middleware has returned, as a server does."""
    if not hasattr(wrapped, "close"):
        raise Broken("what the middleware returns has no close(), so the server calls none")
    wrapped.close()


def saying(environ: Environ, start_response: Any) -> Iterator[bytes]:
    """Be an application that gives the blocks that stand in environ."""
    start_response("200 OK", [TEXT])
    for block in environ["blocks"]:
        environ["given"].append(block)
        yield block


def one_for_one(counting: Any) -> None:
    """For each block from below one leaves, before the next is asked for; an empty one, too."""
    blocks, given = [b"", b"hello", b"", b"world"], list[bytes]()
    environ = {"blocks": blocks, "given": given}
    iterator = iter(counting(saying, lambda size: None)(environ, lambda *head: None))
    for number, block in enumerate(blocks, 1):
        got = next(iterator, "the end")
        name = f"block {number} of {blocks}"
        same(got, block, f"the server asked for {name}, and got {got!r}")
        problem = f"for {name} the application was asked for {len(given)}"
        same(len(given), number, problem)


def two_at_a_time(counting: Any) -> None:
    """Two responses that run at the same time are counted apart."""
    sizes: list[int] = []
    app = counting(saying, sizes.append)
    running_ = []
    for blocks in ([b"one", b"two"], [b"three", b"four", b"five"]):
        environ = {"blocks": blocks, "given": []}
        wrapped = app(environ, lambda *head: None)
        running_.append((wrapped, iter(wrapped)))
    (first, of_first), (second, of_second) = running_
    for iterator in (of_first, of_second, of_second, of_first, of_second):
        next(iterator)
    close(first)
    close(second)
    reported(sizes, [6, 13], "two responses went by in turns, of 6 and of 13 bytes")


def what_write_sends(counting: Any) -> None:
    """What goes by write() is counted too."""
    server = MiddlewareServer(counting)

    def app(environ: Environ, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])(b"hello, ")
        return [b"world"]

    with up(server, app) as connect:
        arrives(connect().send(request()).response().body)
    reported(server.sizes, [12], "7 bytes went by write(), 5 as a block")


class Rows:
    """An iterable that counts the calls of its close()."""

    closes = 0

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"row"])

    def close(self) -> None:
        """Count."""
        self.closes += 1


def closed_unread(counting: Any) -> None:
    """A server may close an iterable of which it has asked nothing."""
    rows = Rows()
    sizes: list[int] = []

    def app(environ: Environ, start_response: Any) -> Rows:
        start_response("200 OK", [TEXT])
        return rows

    wrapped = counting(app, sizes.append)({}, lambda *head: None)
    close(wrapped)
    closed_once(rows.closes, "for a response that nobody read")
    reported(sizes, [0], "nobody read the response")


class Failing(Rows):
    """An iterable whose close() fails."""

    def close(self) -> None:
        """Fail."""
        raise RuntimeError("the database is down")


def close_fails(counting: Any) -> None:
    """When the application's close() fails, the count is reported all the same."""
    sizes: list[int] = []

    def app(environ: Environ, start_response: Any) -> Rows:
        start_response("200 OK", [TEXT])
        return Failing()

    wrapped = counting(app, sizes.append)({}, lambda *head: None)
    same(list(wrapped), [b"row"], "these are not the application's blocks")
    try:
        close(wrapped)
    except RuntimeError:
        reported(sizes, [3], "3 bytes went by, and then the application's close() failed")
    else:
        raise Broken("the application's close() failed, and the server was not told")


STREAMING_MIDDLEWARE = Exercise(
    name="streaming-middleware",
    chapter=4,
    title="Count the bytes, and hold up none",
    effort=3,
    subject="counting",
    points=(
        Point(
            "all blocks are counted",
            what_is_counted,
            "reporting after each block, or when the application returns. The count is known when "
            "the server calls close().",
            "PEP 3333, Specification Details",
        ),
        Point(
            "a stream stays a stream",
            middleware_case("each block at once"),
            "b''.join() or sum() over the blocks: they ask for all of them before the first one "
            "leaves.",
            "PEP 3333, Middleware Handling of Block Boundaries",
        ),
        Point(
            "for each block one block",
            one_for_one,
            "leaving out empty blocks. An application that has nothing yet says so by one, and a "
            "server may do something else meanwhile. Who drops it asks for the next at once, and "
            "waits.",
            "PEP 3333, Middleware Handling of Block Boundaries",
        ),
        Point(
            "two responses at the same time",
            two_at_a_time,
            "one count for all requests. An application is called by many threads; what belongs "
            "to one response is made in its call.",
            "PEP 3333, Thread Support",
        ),
        Point(
            "what write() sends is counted",
            what_write_sends,
            "returning the server's own write(). Return one of yours that counts and calls it.",
            "PEP 3333, The write() Callable",
        ),
        Point(
            "write() sends at once",
            middleware_case("write() at once"),
            "gathering what is written, to put it before the blocks.",
            "PEP 3333, The write() Callable",
        ),
        Point(
            "an error page may still replace the page",
            middleware_case("exc_info before the start"),
            "a start_response that takes two arguments, or keeps exc_info to itself.",
            "PEP 3333, The start_response() Callable",
        ),
        Point(
            "the application's close() is called, once",
            lambda counting: closed_when_the_client_left(MiddlewareServer(counting)),
            "an iterable that hides the one below. The server knows yours alone, so your close() "
            "has to call the application's.",
            "PEP 3333, Specification Details",
        ),
        Point(
            "closed before anything was asked for",
            closed_unread,
            "a generator with a finally. A generator that was never begun has no finally to run: "
            "close() on it does nothing. A class with __iter__ and close does.",
            "PEP 3333, Specification Details",
        ),
        Point(
            "a close() that fails",
            close_fails,
            "reporting behind the application's close(), and not in a finally; or closing in "
            "the finally of a generator, which runs at the last next(), before the server closes.",
            "PEP 3333, Specification Details",
        ),
    ),
    hints=(
        "To the server you are the application, to the application you are the server. Which "
        "three things pass through you, and in which of them do bytes go by?",
        "A class with __iter__ and close(), made once for each request. __iter__ may be a "
        "generator that counts and yields. For the bytes of write(), wrap start_response and "
        "return a write of your own.",
        """
        The class:

            class Counted:
                def __init__(self, app, environ, start_response, report): ...
                def __iter__(self):
                    for block in self.blocks:
                        (count)
                        yield block
                def close(self):
                    try:
                        (the application's close, if there is one)
                    finally:
                        self.report(self.size)

        In __init__ stands a start_response that takes (status, headers, *exc_info), passes all of
        it on, and returns a write that counts.
        """,
    ),
    afterwards="""
        A middleware has every duty of a server and every duty of an application. That is why most
        published ones break one of them, and why joining the blocks is the usual way.

        Gunicorn needs no middleware for this count. Its Response.write adds up self.sent on the
        way to the socket, and the access log prints it as %(b)s. Where a server can do a thing, a
        middleware is the more fragile place for it. What is left to middleware is what servers do
        not know: a field, a path prefix, a profile of one route.
        """,
)

EXERCISES: tuple[Exercise, ...] = (ENVIRON_OF, CLOSE_ALWAYS, STREAMING_MIDDLEWARE)
