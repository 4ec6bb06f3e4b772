"""The application that a server runs while the gauntlet judges it: ``probe:wsgi``, ``probe:app``.

One file, nothing but the standard library, so that any server runs it whose working folder or
PYTHONPATH holds it.  Both forms answer the same paths alike where WSGI and ASGI allow that:

=========================  =======================================================================
/ok /echo /status /big     short answers, the body back, any status, many bytes
/facts                     what the application was given, as JSON: environ or scope, and types
/steps /stream /endless    a block, and another when the gate is opened; blocks; blocks for ever
/wait /together            an answer when the gate is opened; when so many requests are inside
/fail /length /fields      errors; a Content-Length that lies; fields of a response
/late                      the body back, which is read only when the gate is opened
/pid /crash                which process answers, soon or later; its end, without a word
/notes                     what the application noted under a token: asked for by somebody else
/w/... /a/...              what only WSGI, or only ASGI, can be asked
/s/...                     what a WebSocket can be asked; ``/echo`` is one too
=========================  =======================================================================

What is noted stands in files of ``GAUNTLET_FOLDER``, so several processes may serve, and the gates
are files there too: ``TOKEN.open``.
"""

import asyncio
import contextvars
import http
import io
import json
import os
import re
import signal
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

FOLDER = os.environ.get("GAUNTLET_FOLDER", "")
PATIENCE = 1.5  # seconds that a gate is waited for
STEP = 0.01  # seconds between two looks at a gate
TEXT = "text/plain"
Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Blocks = Iterable[Any]
Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Any], Awaitable[None]]
Fields = list[tuple[str, str]]
NO_FIELDS: Fields = []
BLOCK = b"x" * 65536


# --- notes and gates --------------------------------------------------------------------------


def place(token: str, ending: str = "") -> str:
    """Return the path of a token's file."""
    global FOLDER
    if not FOLDER:
        FOLDER = tempfile.mkdtemp(prefix="gauntlet-")
    if not re.fullmatch(r"[\w-]{1,80}", token):
        raise ValueError("no token: " + repr(token))
    return os.path.join(FOLDER, token + ending)


def note(token: str, **facts: Any) -> None:
    """Note facts under a token; one line, written at once."""
    if token:
        with open(place(token, ".notes"), "a", encoding="ascii") as file:
            file.write(json.dumps(facts) + "\n")


def notes(token: str) -> list[dict[str, Any]]:
    """Return what was noted under a token, in order."""
    try:
        with open(place(token, ".notes"), encoding="ascii") as file:
            return [json.loads(line) for line in file.read().split("\n")[:-1]]
    except FileNotFoundError:
        return []


def is_open(token: str) -> bool:
    """Tell whether a gate is open."""
    return bool(token) and os.path.exists(place(token, ".open"))


def arrived(token: str) -> int:
    """Return how many have arrived under a token."""
    return sum(each.get("here", 0) for each in notes(token))


def waits(ready: Callable[[], bool], seconds: float = PATIENCE) -> Iterator[float]:
    """Give steps to wait, until something is ready or the patience is over."""
    end = time.monotonic() + seconds
    while not ready() and time.monotonic() < end:
        yield STEP


def sleep_until(ready: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Wait in a thread; tell whether it became ready."""
    for step in waits(ready, seconds):
        time.sleep(step)
    return ready()


async def nap_until(ready: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Wait in a loop; tell whether it became ready."""
    for step in waits(ready, seconds):
        await nap(step)
    return ready()


def running_loop() -> Any:
    """Return the loop that runs: asyncio's, or the one that the course makes by hand."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return sys.modules["handmade.loop"].get_running_loop()


async def nap(seconds: float) -> None:
    """Wait in any loop that has ``call_later``."""
    loop = running_loop()
    future = loop.create_future()
    loop.call_later(seconds, lambda: None if future.done() else future.set_result(None))
    await future


# --- what both forms answer alike -------------------------------------------------------------


class Asked:
    """A request, as both forms see it."""

    def __init__(self, path: str, query: str) -> None:
        self.path = path
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.token = self.query.get("token", "")

    def get(self, key: str, default: str = "") -> str:
        """Return a part of the query."""
        return self.query.get(key, default)

    def number(self, key: str, default: int) -> int:
        """Return a number of the query."""
        return int(self.query.get(key, default))


def same_in_both(asked: Asked) -> tuple[int, Fields, bytes] | None:
    """Return status, fields and body of a simple answer; None where the path is not simple."""
    if asked.path == "/ok":
        note(asked.token, called=asked.get("as", "/ok"))
        return 200, [], asked.get("say", "ok").encode()
    if asked.path == "/crash":
        # As the kernel ends who takes too much memory: an exit status would mean this and that.
        os.kill(os.getpid(), signal.SIGKILL)
    if asked.path == "/notes":
        return 200, [("Content-Type", "application/json")], json.dumps(notes(asked.token)).encode()
    if asked.path == "/big":
        size = asked.number("size", 1000)
        return 200, [], b"".join(b"%07d\n" % number for number in range(size // 8))
    if asked.path == "/fields":
        many = [(f"X-{number}", str(number)) for number in range(30)]
        return 200, [*many, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Empty", "")], b"ok"
    if asked.path == "/date":
        return 200, [("Date", "Sun, 06 Nov 1994 08:49:37 GMT")], b"ok"
    if asked.path == "/split":
        return 200, [("X-A", "b\r\nX-Evil: yes")], b"ok"
    return None


def company(asked: Asked) -> str:
    """Tell whether so many requests are together, or one has been tired of waiting; or nothing."""
    if any("alone" in each for each in notes(asked.token)):
        return "alone"
    return "together" if arrived(asked.token) >= asked.number("n", 2) else ""


def alone(asked: Asked) -> str:
    """Give up: nobody waits for company any more."""
    note(asked.token, alone=1)
    return "alone"


def fields_of(fields: Fields, body: bytes) -> Fields:
    """Return all fields of a simple answer."""
    names = {name for name, _ in fields}
    usual = [] if "Content-Type" in names else [("Content-Type", TEXT)]
    return [*usual, ("Content-Length", str(len(body))), *fields]


def plain(value: Any) -> Any:
    """Return a value that JSON can hold: bytes as Latin-1, objects by their repr."""
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("latin-1")
    if isinstance(value, dict):
        return {plain(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(each) for each in value]
    if value is None or isinstance(value, str | int | float):
        return value
    return repr(value)


def kind(value: object) -> str:
    """Return the name of a value's type."""
    return type(value).__name__


def kinds(mapping: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of the types of a mapping's values."""
    return {str(key): kind(value) for key, value in mapping.items()}


def outcome(call: Callable[..., object], *arguments: Any) -> str:
    """Return what a call raised, by name, or "" when it returned."""
    try:
        call(*arguments)
    except Exception as error:
        return kind(error)
    return ""


# --- WSGI -------------------------------------------------------------------------------------


def wsgi(environ: Environ, start_response: StartResponse) -> Blocks:
    """Be a WSGI application (PEP 3333)."""
    asked = Asked(environ["PATH_INFO"], environ.get("QUERY_STRING", ""))
    simple = same_in_both(asked)
    if simple is None:
        return WSGI_VIEWS.get(asked.path, wsgi_unknown)(asked, environ, start_response)
    status, fields, body = simple
    return wsgi_answer(start_response, body, status, fields)


def line(status: int) -> str:
    """Return a status line's end: ``200 OK``."""
    try:
        return f"{status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Odd"


def wsgi_answer(
    start_response: StartResponse,
    body: bytes = b"ok",
    status: int = 200,
    fields: Fields = NO_FIELDS,
) -> Blocks:
    """Answer with a short body."""
    start_response(line(status), fields_of(list(fields), body))
    return [body]


def wsgi_json(start_response: StartResponse, value: Any) -> Blocks:
    """Answer with JSON."""
    fields = [("Content-Type", "application/json")]
    return wsgi_answer(start_response, json.dumps(plain(value)).encode(), 200, fields)


def wsgi_unknown(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Answer 404, with no body and no length."""
    start_response("404 Not Found", [("Content-Type", TEXT)])
    return []


def inherited(key: str, value: object) -> bool:
    """Tell whether a variable is the process's own: some servers pass all of them on."""
    return not key.startswith("HTTP_") and os.environ.get(key) == value


def w_facts(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Tell the environ."""
    told = {key: plain(value) for key, value in environ.items() if not inherited(key, value)}
    facts = {"interface": "wsgi", "environ": told, "types": kinds(environ), "own": kind(environ)}
    environ["probe.mark"] = "left by a request"
    return wsgi_json(start_response, facts)


def wsgi_body(environ: Environ) -> bytes:
    """Read the body as the careful do: by its length, or to the end where it comes in chunks."""
    stream, found = environ["wsgi.input"], b""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    if "HTTP_TRANSFER_ENCODING" in environ:
        left = 1 << 62
    while left and (block := stream.read(min(left, 65536))):
        found += block
        left -= len(block)
    return found


def w_echo(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Give the body back, or note what came instead."""
    try:
        body = wsgi_body(environ)
    except Exception as error:
        note(asked.token, error=kind(error))
        raise
    note(asked.token, body=plain(body[:200]), size=len(body))
    return wsgi_answer(start_response, body)


def w_status(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Answer with any status, and a body whether it may have one or not."""
    start_response(line(asked.number("code", 200)), [("Content-Type", TEXT)])
    return [asked.get("body").encode()]


def w_stream(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Give blocks, without a length."""
    start_response("200 OK", [("Content-Type", TEXT)])
    yield from (block.encode() for block in asked.get("blocks", "one,two").split(","))


def w_steps(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Give a block, and another when the gate is open."""
    start_response("200 OK", [("Content-Type", TEXT)])
    yield b"first"
    note(asked.token, opened=sleep_until(lambda: is_open(asked.token)))
    yield b"last"


def w_endless(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Give blocks, and note how many could be sent."""
    start_response("200 OK", [("Content-Type", TEXT)])
    sent, most = 0, asked.number("most", 64 << 20)
    try:
        while sent < most:
            yield BLOCK
            sent += len(BLOCK)
            if not sent % (1 << 20):
                note(asked.token, sent=sent)
        note(asked.token, done=sent)
    finally:
        note(asked.token, left=sent)


def w_wait(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Answer when the gate is open."""
    note(asked.token, here=1, pid=os.getpid())
    opened = sleep_until(lambda: is_open(asked.token), asked.number("seconds", 1) * PATIENCE)
    return wsgi_answer(start_response, b"opened" if opened else b"tired of waiting")


def w_pid(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Tell the process, after some time."""
    time.sleep(asked.number("ms", 0) / 1000)
    return wsgi_answer(start_response, b"%d" % os.getpid())


def w_late(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Read nothing of the body until the gate is open; give it back."""
    note(asked.token, here=1)
    note(asked.token, opened=sleep_until(lambda: is_open(asked.token)))
    return w_echo(asked, environ, start_response)


def w_together(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Answer when so many requests are inside."""
    note(asked.token, here=1)
    sleep_until(lambda: company(asked) != "")
    return wsgi_answer(start_response, (company(asked) or alone(asked)).encode())


def w_fail(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Raise, before or after the response has begun."""
    when = asked.get("when", "before")
    if when == "before":
        raise ValueError("the password is swordfish")
    start_response("200 OK", [("Content-Type", TEXT), ("X-First", "yes")])
    if when == "started":
        raise ValueError("the password is swordfish")
    return w_fail_later()


def w_fail_later() -> Blocks:
    """Raise when the first block has been given."""
    yield b"first"
    raise ValueError("the password is swordfish")


def w_length(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Promise a length, and give another."""
    start_response("200 OK", [("Content-Type", TEXT), ("Content-Length", asked.get("says", "5"))])
    yield from (block.encode() for block in asked.get("blocks", "hello").split(","))


def w_input(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Read from wsgi.input as the query says: ``read:4,readline,lines``."""
    stream = environ["wsgi.input"]
    got: list[Any] = []
    for word in asked.get("do").split(","):
        name, _, size = word.partition(":")
        if name == "iterate":
            got.append(list(stream))
        else:
            got.append(getattr(stream, name)(*([int(size)] if size else [])))
    return wsgi_json(start_response, got)


def w_upload(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Read one line, note it, then read the rest."""
    first = environ["wsgi.input"].readline()
    note(asked.token, part=plain(first))
    return wsgi_answer(start_response, first + environ["wsgi.input"].read(100))


def w_twice(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Call start_response twice, without exc_info."""
    start_response("200 OK", [("Content-Type", TEXT)])
    raised = outcome(start_response, "201 Created", [("Content-Type", TEXT)])
    return [b"raised" if raised else b"took it"]


def w_exc_info(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Call start_response again with exc_info, before or after the first byte."""
    late = asked.get("when") == "after"
    start_response("200 OK", [("Content-Type", TEXT), ("X-First", "yes")])
    if late:
        yield b"first"
    try:
        raise LookupError("changed my mind")
    except LookupError:
        try:
            start_response("503 Sorry", [("Content-Type", TEXT)], sys.exc_info())
        except Exception as error:
            note(asked.token, raised=kind(error))
            raise
    note(asked.token, raised="")
    yield b"sorry"


def w_write(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Use the write callable."""
    write = start_response("200 OK", [("Content-Type", TEXT)])
    note(asked.token, callable=callable(write))
    write(b"one ")
    if asked.get("then") == "wait":
        note(asked.token, opened=sleep_until(lambda: is_open(asked.token)))
    write(b"two ")
    return [b"three"]


def w_never(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Never call start_response."""
    return [b"content"]


def w_nothing(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Return no block at all, and no length."""
    start_response("201 Created", [("Content-Type", TEXT)])
    return iter(())


class Closing:
    """An iterable whose close() is noted."""

    def __init__(self, token: str, blocks: Iterable[bytes]) -> None:
        self.token, self.blocks = token, iter(blocks)

    def __iter__(self) -> "Closing":
        return self

    def __next__(self) -> bytes:
        return next(self.blocks)

    def close(self) -> None:
        """Note the call."""
        note(self.token, close=1)


def w_close(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Return an iterable with close(), which ends, fails, or never ends."""
    start_response("200 OK", [("Content-Type", TEXT)])
    how = asked.get("how", "end")
    if how == "left":
        return Closing(asked.token, (BLOCK for _ in range(600)))
    return Closing(asked.token, w_fail_later() if how == "error" else [b"one", b"two"])


def w_lazy(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Begin the response in the first step of a generator."""
    start_response("202 Accepted", [("Content-Type", TEXT)])
    yield b"later"


def w_block(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Return one block without a length."""
    start_response("200 OK", [("Content-Type", TEXT)])
    return [b"hello"]


def w_wrong(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Break the contract in a named way."""
    name, usual = asked.get("what"), [("Content-Type", TEXT)]
    heads: dict[str, tuple[Any, Any]] = {
        "status-int": (200, usual),
        "status-bytes": (b"200 OK", usual),
        "headers-dict": ("200 OK", {"Content-Type": TEXT}),
        "headers-bytes": ("200 OK", [(b"Content-Type", b"text/plain")]),
        "hop-by-hop": ("200 OK", [*usual, ("Connection", "keep-alive")]),
    }
    start_response(*heads.get(name, ("200 OK", usual)))
    blocks: dict[str, Blocks] = {"str": ["text"]}
    return blocks.get(name, [b"took it"])


def w_errors(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Use wsgi.errors in all its ways."""
    errors = environ["wsgi.errors"]
    errors.write("probe: a line for wsgi.errors\n")
    errors.writelines(["probe: two ", "more\n"])
    errors.flush()
    return wsgi_answer(start_response)


class Watched:
    """A file of 200,000 bytes on the disk that notes when somebody calls its read()."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close()
        self.file.write(b"0123456789" * 20_000)
        self.file.seek(0)

    def read(self, size: int = -1) -> bytes:
        """Read, and note it once."""
        if self.token:
            note(self.token, read=size)
            self.token = ""
        return self.file.read(size)

    def fileno(self) -> int:
        """Return what sendfile() wants."""
        return self.file.fileno()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def w_disk(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Return a file on the disk by wsgi.file_wrapper; a server may send it by its descriptor."""
    wrapper = environ.get("wsgi.file_wrapper")
    note(asked.token, wrapper="" if wrapper is None else repr(wrapper))
    length = [("Content-Length", "200000")] if asked.get("length") else []
    start_response("200 OK", [("Content-Type", TEXT), *length])
    file = Watched(asked.token)
    return wrapper(file, 8192) if wrapper else iter([file.read()])


def w_file(asked: Asked, environ: Environ, start_response: StartResponse) -> Blocks:
    """Return a file by wsgi.file_wrapper, where there is one."""
    wrapper = environ.get("wsgi.file_wrapper")
    start_response("200 OK", [("Content-Type", TEXT), ("X-Wrapper", "yes" if wrapper else "no")])
    file = io.BytesIO(b"0123456789" * 1000)
    file.seek(5)
    return wrapper(file, 512) if wrapper else iter([file.read()])


WSGI_VIEWS: dict[str, Callable[..., Blocks]] = {
    "/facts": w_facts, "/echo": w_echo, "/status": w_status, "/stream": w_stream,
    "/steps": w_steps, "/endless": w_endless, "/wait": w_wait, "/together": w_together,
    "/fail": w_fail, "/length": w_length, "/upload": w_upload, "/late": w_late, "/pid": w_pid,
    "/w/input": w_input,
    "/w/twice": w_twice, "/w/exc-info": w_exc_info, "/w/write": w_write, "/w/never": w_never,
    "/w/nothing": w_nothing, "/w/close": w_close, "/w/lazy": w_lazy, "/w/block": w_block,
    "/w/wrong": w_wrong, "/w/errors": w_errors, "/w/file": w_file,
    "/w/disk": w_disk,
}  # fmt: skip


# --- ASGI -------------------------------------------------------------------------------------

LIFE: dict[str, Any] = {"token": f"life-{os.getpid()}-{time.monotonic_ns()}"}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Be an ASGI 3 application."""
    if scope["type"] == "lifespan":
        return await live(scope, receive, send)
    asked = Asked(scope["path"], scope["query_string"].decode("latin-1"))
    if scope["type"] == "websocket":
        return await SOCKETS.get(asked.path, s_reject)(asked, scope, receive, send)
    if scope["type"] != "http":
        raise NotImplementedError("the probe knows nothing of " + str(scope["type"]))
    simple = same_in_both(asked)
    if simple is None:
        return await ASGI_VIEWS.get(asked.path, a_unknown)(asked, scope, receive, send)
    status, fields, body = simple
    await asgi_answer(send, body, status, fields)


def start(status: Any = 200, fields: Fields = NO_FIELDS, **more: Any) -> Message:
    """Return the message that begins a response."""
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields]
    return {"type": "http.response.start", "status": status, "headers": pairs, **more}


def part(body: Any = b"", more_body: bool = True) -> Message:
    """Return a message with a part of the body."""
    return {"type": "http.response.body", "body": body, "more_body": more_body}


def text_start(status: int = 200, *fields: tuple[str, str]) -> Message:
    """Return the message that begins a response in plain text, without a length."""
    return start(status, [("Content-Type", TEXT), *fields])


async def asgi_answer(
    send: Send, body: bytes = b"ok", status: int = 200, fields: Fields = NO_FIELDS
) -> None:
    """Answer with a short body."""
    await send(start(status, fields_of(list(fields), body)))
    await send(part(body, more_body=False))


async def asgi_json(send: Send, value: Any) -> None:
    """Answer with JSON."""
    fields = [("Content-Type", "application/json")]
    await asgi_answer(send, json.dumps(plain(value)).encode(), 200, fields)


async def body_of(receive: Receive, asked: Asked) -> bytes:
    """Read the body; raise when the client leaves before its end."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            note(asked.token, told=message["type"])
            raise ConnectionError("the body broke off")
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body


async def outcome_of(send: Send, message: Any) -> str:
    """Send a message; return what was raised, by name, "" for nothing, "OSError" for any of its."""
    try:
        await send(message)
    except OSError:
        return "OSError"
    except Exception as error:
        return kind(error)
    return ""


async def a_unknown(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 404, with no body and no length."""
    await send(text_start(404))
    await send(part(more_body=False))


async def a_facts(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Tell the scope."""
    pairs = {kind(each) for pair in scope["headers"] for each in pair}
    facts = {
        "interface": "asgi",
        "scope": {key: value for key, value in scope.items() if key not in ("state", "app")},
        "types": kinds(scope),
        "pairs": sorted(pairs),
        "asgi_types": kinds(scope["asgi"]),
        "ends": {
            key: [kind(each) for each in scope.get(key) or ()] for key in ("client", "server")
        },
    }
    scope["probe.mark"] = "left by a request"
    await asgi_json(send, facts)


async def a_echo(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Give the body back."""
    body = await body_of(receive, asked)
    note(asked.token, body=plain(body[:200]), size=len(body))
    await asgi_answer(send, body)


async def a_status(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with any status, and a body whether it may have one or not."""
    await send(text_start(asked.number("code", 200)))
    await send(part(asked.get("body").encode(), more_body=False))


async def a_stream(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Send blocks, without a length."""
    await send(text_start())
    for block in asked.get("blocks", "one,two").split(","):
        await send(part(block.encode()))
    await send(part(more_body=False))


async def a_steps(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a block, and another when the gate is open."""
    await send(text_start())
    await send(part(b"first"))
    note(asked.token, opened=await nap_until(lambda: is_open(asked.token)))
    await send(part(b"last", more_body=False))


async def a_endless(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Send blocks, and note how many could be sent."""
    sent, most = 0, asked.number("most", 64 << 20)
    await send(text_start())
    try:
        while sent < most:
            await send(part(BLOCK[1:] + b"x"))  # fresh bytes: who keeps them, pays for them
            sent += len(BLOCK)
            if not sent % (1 << 20):
                note(asked.token, sent=sent)
        note(asked.token, done=sent)
        await send(part(more_body=False))
    except BaseException as error:
        note(asked.token, error="OSError" if isinstance(error, OSError) else kind(error))
        raise
    finally:
        note(asked.token, left=sent)


async def a_wait(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer when the gate is open."""
    note(asked.token, here=1, pid=os.getpid())
    opened = await nap_until(lambda: is_open(asked.token), asked.number("seconds", 1) * PATIENCE)
    await asgi_answer(send, b"opened" if opened else b"tired of waiting")


async def a_pid(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Tell the process, after some time."""
    await nap(asked.number("ms", 0) / 1000)
    await asgi_answer(send, b"%d" % os.getpid())


async def a_late(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Receive nothing of the body until the gate is open; give it back."""
    note(asked.token, here=1)
    note(asked.token, opened=await nap_until(lambda: is_open(asked.token)))
    await a_echo(asked, scope, receive, send)


async def a_together(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer when so many requests are inside."""
    note(asked.token, here=1)
    await nap_until(lambda: company(asked) != "")
    await asgi_answer(send, (company(asked) or alone(asked)).encode())


async def a_fail(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Raise, before or after the response has begun."""
    when = asked.get("when", "before")
    if when != "before":
        await send(text_start(200, ("X-First", "yes")))
    if when == "after":
        await send(part(b"first"))
    if when == "end":
        await send(part(b"whole", more_body=False))
    raise ValueError("the password is swordfish")


async def a_length(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Promise a length, and give another."""
    await send(text_start(200, ("Content-Length", asked.get("says", "5"))))
    blocks = asked.get("blocks", "hello").split(",")
    for number, block in enumerate(blocks, 1):
        await send(part(block.encode(), more_body=number < len(blocks)))


async def a_upload(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Receive once, note it, then receive the rest."""
    message = await receive()
    note(asked.token, part=plain(message.get("body", b"")), more=message.get("more_body", False))
    rest = await body_of(receive, asked) if message.get("more_body", False) else b""
    await asgi_answer(send, message.get("body", b"") + rest)


async def a_messages(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Tell the messages of the body, with their types."""
    got = [await receive()]
    while got[-1].get("more_body", False):
        got.append(await receive())
    await asgi_json(send, [{"message": each, "types": kinds(each)} for each in got])


async def a_listen(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, wait for what comes behind it, note it, and try to answer."""
    body = await body_of(receive, asked)
    note(asked.token, here=1, body=plain(body))
    message = await receive()
    note(asked.token, told=message["type"], opened=is_open(asked.token))
    note(asked.token, sent=await outcome_of(send, text_start()))
    for number in range(20):
        raised = await outcome_of(send, part(BLOCK, more_body=number < 19))
        if raised or number == 19:
            note(asked.token, tried=raised)
            break


async def a_after(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, answer, and then receive or send more."""
    await body_of(receive, asked)
    await asgi_answer(send, b"whole")
    if asked.get("then") == "receive":
        note(asked.token, told=(await receive())["type"])
    else:
        note(asked.token, late=await outcome_of(send, part(b"too late")))


async def a_gate(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Send the start, and the body when the gate is open; or an empty part before it."""
    await send(text_start())
    if asked.get("part") == "empty":
        await send(part())
    note(asked.token, here=1)
    await nap_until(lambda: is_open(asked.token))
    await send(part(b"later", more_body=False))


async def a_return(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Return too early: before the start, before the body, in the body."""
    when = asked.get("when", "before")
    if when != "before":
        await send(text_start())
    if when == "body":
        await send(part(b"first"))


WRONG: dict[str, Any] = {
    "str": "http.response.body",
    "no type": {},
    "unknown type": {"type": "http.response.nonsense"},
    "not ours": {"type": "websocket.accept"},
    "body before start": part(b"x"),
    "status str": start("200"),
    "no status": {"type": "http.response.start"},
    "header str": {**start(), "headers": [("x-a", "b")]},
}


async def a_wrong(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Send what may not be sent; tell what was raised, in an answer that is right."""
    raised = {}
    if asked.get("what") in WRONG:
        raised[asked.get("what")] = await outcome_of(send, WRONG[asked.get("what")])
    else:
        await send(text_start())
        message = {"body str": part("x"), "second start": text_start(500)}[asked.get("what")]
        raised[asked.get("what")] = await outcome_of(send, message)
        return await send(part(json.dumps(raised).encode(), more_body=False))
    await asgi_json(send, raised)


async def a_shape(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Send messages of unusual shapes that are right."""
    shape = asked.get("as")
    pairs: Any = [[b"x-a", b"1"], [b"x-b", b"2"]]
    if shape == "tuples":
        pairs = tuple(map(tuple, pairs))
    if shape == "iterator":
        pairs = iter(pairs)
    message = {"type": "http.response.start", "status": 200, "headers": pairs, "x-unknown": 1}
    if shape == "bare":
        del message["headers"]
    if shape == "named":
        message["status"] = http.HTTPStatus.ACCEPTED
    await send(message)
    await send({"type": "http.response.body", "body": b"ok", "unknown": True})


async def a_coding(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a Transfer-Encoding, which is not the application's to send."""
    await send(text_start(200, ("Transfer-Encoding", "chunked")))
    await send(part(b"one"))
    await send(part(b"two", more_body=False))


async def a_state(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Tell the state, and leave something of our own in it."""
    state = scope.get("state")
    seen = None if state is None else sorted(state)
    if state is not None:
        state["mine"] = 1
    await asgi_json(send, {"keys": seen, "type": kind(state)})


async def a_life(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Tell what was told of the lifespan in this process."""
    await asgi_json(send, {**LIFE, "notes": notes(LIFE["token"])})


async def a_trailers(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a trailer behind the content, whether that is offered or not."""
    await send(start(200, [("Content-Type", TEXT), ("Trailer", "X-After")], trailers=True))
    await send(part(b"content", more_body=False))
    message = {"headers": [(b"x-after", b"yes")], "more_trailers": False}
    raised = await outcome_of(send, {"type": "http.response.trailers", **message})
    note(asked.token, raised=raised)


async def a_hint(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an early hint before the answer, whether that is offered or not."""
    links = [b"</a.css>; rel=preload; as=style"]
    hint = {"type": "http.response.early_hint", "links": links}
    note(asked.token, raised=await outcome_of(send, hint))
    await asgi_answer(send)


async def a_path(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a file by its path, whether that is offered or not."""
    path, content = place(asked.token, ".file"), b"what is in the file"
    with open(path, "wb") as file:
        file.write(content)
    await send(text_start(200, ("Content-Length", str(len(content)))))
    raised = await outcome_of(send, {"type": "http.response.pathsend", "path": path})
    note(asked.token, raised=raised)
    if raised:
        await send(part(b"-" * len(content), more_body=False))


async def a_ticks(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a small part every 10 ms until the gate is open, and note what ends that."""
    try:
        await send(text_start())
        for _ in range(500):
            await send(part(b"tick\n"))
            await nap(STEP)
            if is_open(asked.token):
                break
        note(asked.token, done=1)
    except BaseException as error:
        note(asked.token, error="OSError" if isinstance(error, OSError) else kind(error))
        raise


async def a_deaf(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Receive nothing until the gate is open; note whether that is left in peace."""
    note(asked.token, here=1)
    patience = asked.number("seconds", 1) * PATIENCE
    try:
        note(asked.token, opened=await nap_until(lambda: is_open(asked.token), patience))
        await asgi_answer(send)
    except BaseException as error:
        note(asked.token, cut=kind(error))
        raise


LEFT: contextvars.ContextVar[str] = contextvars.ContextVar("left", default="")


async def a_context(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Tell what another request has left in a context variable, and leave something in it."""
    seen = LEFT.get()
    LEFT.set(asked.get("say"))
    await asgi_answer(send, seen.encode() or b"nothing")


ASGI_VIEWS: dict[str, Callable[..., Awaitable[None]]] = {
    "/facts": a_facts, "/echo": a_echo, "/status": a_status, "/stream": a_stream,
    "/steps": a_steps, "/endless": a_endless, "/wait": a_wait, "/together": a_together,
    "/fail": a_fail, "/length": a_length, "/upload": a_upload, "/late": a_late, "/pid": a_pid,
    "/a/messages": a_messages,
    "/a/listen": a_listen, "/a/after": a_after, "/a/gate": a_gate, "/a/return": a_return,
    "/a/wrong": a_wrong, "/a/shape": a_shape, "/a/coding": a_coding, "/a/state": a_state,
    "/a/life": a_life, "/a/trailers": a_trailers,
    "/a/context": a_context, "/a/hint": a_hint, "/a/path": a_path,
    "/a/deaf": a_deaf, "/a/ticks": a_ticks,
}  # fmt: skip


# --- WebSockets -------------------------------------------------------------------------------


async def accept(receive: Receive, send: Send, **more: Any) -> None:
    """Take the connect, and accept."""
    await receive()
    await send({"type": "websocket.accept", **more})


async def say(send: Send, value: Any) -> None:
    """Send a value as a text of JSON."""
    await send({"type": "websocket.send", "text": json.dumps(plain(value))})


async def until_left(asked: Asked, receive: Receive) -> None:
    """Listen until the client is gone, and note how."""
    while True:
        message = await receive()
        if message["type"] != "websocket.receive":
            return note_end(asked, message)


def note_end(asked: Asked, message: Message) -> None:
    """Note how a WebSocket has ended."""
    found = {key: plain(message.get(key)) for key in ("code", "reason")}
    note(asked.token, told=message["type"], **found)


async def s_echo(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Give each message back, and note what each was."""
    await accept(receive, send)
    while True:
        message = await receive()
        if message["type"] != "websocket.receive":
            return note_end(asked, message)
        text = message.get("text")
        value = message["bytes"] if text is None else text
        note(asked.token, got=plain(value[:200]), size=len(value), types=kinds(message))
        key = "bytes" if text is None else "text"
        await send({"type": "websocket.send", key: value})


async def s_size(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Tell how long each message is."""
    await accept(receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        await say(send, len(message.get("bytes") or message.get("text") or b""))
    note_end(asked, message)


async def s_facts(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Tell the scope, and the first message."""
    first = await receive()
    await send({"type": "websocket.accept"})
    facts = {
        "scope": {key: value for key, value in scope.items() if key not in ("state", "app")},
        "types": kinds(scope),
        "pairs": sorted({kind(each) for pair in scope["headers"] for each in pair}),
        "protocols": [kind(each) for each in scope.get("subprotocols") or ()],
        "first": first,
        "state": sorted(scope["state"]) if isinstance(scope.get("state"), dict) else None,
    }
    await say(send, facts)
    await until_left(asked, receive)


async def s_late(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Accept when the gate is open."""
    note(asked.token, here=(await receive())["type"])
    note(asked.token, opened=await nap_until(lambda: is_open(asked.token)))
    await send({"type": "websocket.accept"})
    await until_left(asked, receive)


async def s_accept(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Accept with a subprotocol, and with fields."""
    fields = [(b"x-a", b"1"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await accept(receive, send, subprotocol=asked.get("subprotocol") or None, headers=fields)
    await until_left(asked, receive)


async def s_close(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Accept and close, with the code and the reason of the query; listen for what comes."""
    await accept(receive, send)
    how = {key: asked.get(key) for key in ("reason",) if key in asked.query}
    code = {"code": asked.number("code", 0)} if "code" in asked.query else {}
    await send({"type": "websocket.close", **code, **how})
    await until_left(asked, receive)


async def s_reject(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Close before there is a WebSocket."""
    await receive()
    await send({"type": "websocket.close"})


async def s_deny(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the handshake with a response, where the server lets us."""
    await receive()
    kind_of = "websocket.http.response"
    if kind_of not in (scope.get("extensions") or {}):
        return await send({"type": "websocket.close"})
    fields = [(b"content-type", b"text/plain"), (b"x-a", b"1"), (b"content-length", b"8")]
    await send({"type": kind_of + ".start", "status": 401, "headers": fields})
    await send({"type": kind_of + ".body", "body": b"no ", "more_body": True})
    await send({"type": kind_of + ".body", "body": b"entry"})


async def s_end(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Return, or raise, before the answer or behind it."""
    await receive()
    if asked.get("when") == "after":
        await send({"type": "websocket.accept"})
    if asked.get("how") == "raise":
        raise ValueError("the password is swordfish")


async def s_busy(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Be busy, and receive nothing, until the gate is open."""
    await accept(receive, send)
    note(asked.token, here=1)
    await nap_until(lambda: is_open(asked.token))
    await send({"type": "websocket.send", "text": "done"})
    await until_left(asked, receive)


async def s_send(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a message of a size, of one kind or the other, and None for the other one."""
    await accept(receive, send)
    size, other = asked.number("size", 5), asked.get("other")
    for _ in range(asked.number("count", 1)):
        message: Message = {"type": "websocket.send"}
        if asked.get("kind") == "bytes":
            message["bytes"] = bytes(range(256)) * (size // 256) + bytes(range(size % 256))
            message |= {"text": None} if other else {}
        else:
            message["text"] = "x" * size
            message |= {"bytes": None} if other else {}
        await send(message)
    await until_left(asked, receive)


ACCEPT_AGAIN = {"type": "websocket.accept"}
WRONG_IN_SOCKETS: dict[str, Any] = {
    "no type": {"text": "x"},
    "unknown type": {"type": "websocket.nonsense"},
    "not ours": {"type": "http.response.body", "body": b"x"},
    "second accept": ACCEPT_AGAIN,
    "nothing": {"type": "websocket.send"},
    "bytes as text": {"type": "websocket.send", "text": b"x"},
    "text as bytes": {"type": "websocket.send", "bytes": "x"},
}


async def s_wrong(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Send what may not be sent, and tell what was raised in a message that may."""
    await receive()
    raised = ""
    if asked.get("what") == "send before accept":
        raised = await outcome_of(send, {"type": "websocket.send", "text": "too early"})
    await send({"type": "websocket.accept"})
    if asked.get("what") in WRONG_IN_SOCKETS:
        raised = await outcome_of(send, WRONG_IN_SOCKETS[asked.get("what")])
    await say(send, {"raised": raised})
    await until_left(asked, receive)


async def s_gone(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Listen until the client is gone; then send to nobody, and listen again."""
    await accept(receive, send)
    note(asked.token, here=1)
    await until_left(asked, receive)
    note(asked.token, late=await outcome_of(send, {"type": "websocket.send", "text": "x"}))


async def s_endless(asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Send messages, and note how many could be sent."""
    sent, most = 0, asked.number("most", 64 << 20)
    await accept(receive, send)
    try:
        while sent < most:
            await send({"type": "websocket.send", "bytes": BLOCK})
            sent += len(BLOCK)
            if not sent % (1 << 20):
                note(asked.token, sent=sent)
        note(asked.token, done=sent)
    except BaseException as error:
        note(asked.token, error="OSError" if isinstance(error, OSError) else kind(error))
        raise
    finally:
        note(asked.token, left=sent)


SOCKETS: dict[str, Callable[..., Awaitable[None]]] = {
    "/echo": s_echo, "/s/facts": s_facts, "/s/late": s_late, "/s/accept": s_accept,
    "/s/close": s_close, "/s/reject": s_reject, "/s/deny": s_deny, "/s/end": s_end,
    "/s/busy": s_busy, "/s/send": s_send, "/s/wrong": s_wrong, "/s/gone": s_gone,
    "/s/endless": s_endless, "/s/size": s_size,
}  # fmt: skip


# --- lifespan ---------------------------------------------------------------------------------


async def live(scope: Scope, receive: Receive, send: Send, slow: bool = False) -> None:
    """Start up and shut down, and note both."""
    token = os.environ.get("GAUNTLET_LIFE") or LIFE["token"]
    LIFE["token"] = token
    LIFE["scope"] = {key: plain(value) for key, value in scope.items() if key != "state"}
    if isinstance(scope.get("state"), dict):
        scope["state"]["shared"] = "set at start-up"
    while True:
        message = await receive()
        note(token, life=message["type"])
        if message["type"] == "lifespan.startup":
            if slow:
                await nap_until(lambda: is_open(token))
                note(token, life="started")
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """Be slow to start up."""
    if scope["type"] == "lifespan":
        return await live(scope, receive, send, slow=True)
    note(LIFE["token"], life=scope["path"])
    await app(scope, receive, send)


async def tells(scope: Scope, receive: Receive, send: Send) -> None:
    """Tell the scope, whatever is asked for."""
    if scope["type"] == "lifespan":
        return await live(scope, receive, send)
    await a_facts(Asked(scope["path"], ""), scope, receive, send)


async def fails(scope: Scope, receive: Receive, send: Send) -> None:
    """Fail to start up."""
    if scope["type"] == "lifespan":
        await receive()
        return await send({"type": "lifespan.startup.failed", "message": "no database here"})
    await app(scope, receive, send)


async def returns(scope: Scope, receive: Receive, send: Send) -> None:
    """Return on the lifespan scope, at once."""
    if scope["type"] != "lifespan":
        await app(scope, receive, send)


async def raises(scope: Scope, receive: Receive, send: Send) -> None:
    """Raise on the lifespan scope, as applications do that know http alone."""
    assert scope["type"] == "http"
    await app(scope, receive, send)


async def raises_late(scope: Scope, receive: Receive, send: Send) -> None:
    """Receive the start-up, and then raise."""
    if scope["type"] == "lifespan":
        await receive()
        raise RuntimeError("this application knows no lifespan")
    await app(scope, receive, send)
