"""Chapter 9, the application's mistakes: told at its own ``send``, ended rightly on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import Broken, case
from .asgi_probes import (
    TEXT,
    App,
    Message,
    Receive,
    Scope,
    Send,
    View,
    answer,
    body,
    instant,
    start,
    up,
)
from .probes import expect, same
from .wire import request

ERRORS = "ASGI 3.0, Error Handling"
LENGTH = "RFC 9110 §8.6"
TRAILERS: Message = {"type": "http.response.trailers", "headers": []}

# What may never be sent, whatever went before.
WRONG: tuple[Any, ...] = (
    None, "http.response.body", [], {}, {"type": None}, {"type": b"http.response.body"},
    {"type": "http.response.nonsense"}, {"type": "http.request"}, {"type": "http.disconnect"},
    {"type": "websocket.accept"}, {"type": "lifespan.startup.complete"},
)  # fmt: skip


async def refused(send: Send, message: Any) -> None:
    """Send what must be refused; raise Broken when it is not, or not by an Exception."""
    try:
        await send(message)
    except Exception as error:
        if isinstance(error, OSError):
            raise Broken(f"{message!r} raised {error!r}, as if the client had left") from None
        return
    raise Broken(f"send() took {message!r}")


def refuses(
    server: Any,
    wrong: Sequence[Any],
    *,
    before: Sequence[Message] = (),
    after: Sequence[Message] = (start(), body(b"ok", more=False)),
    text: bytes = b"ok",
) -> None:
    """Demand that wrong messages raise in the application, and change nothing on the wire."""

    async def patient(scope: Scope, receive: Receive, send: Send) -> None:
        for message in before:
            await send(message)
        for message in wrong:
            await refused(send, message)
        for message in after:
            await send(message)

    app = App(patient)
    with up(server, app) as connect:
        got = connect().send(request()).response(whole=False)
        app.ended.wait()
    for error in app.errors:
        raise error if isinstance(error, Broken) else Broken(f"the application got {error!r}")
    same((got.status, got.body, got.complete), (200, text, True), "the response after all that")


def ends(server: Any, messages: Sequence[Any], status: int | None) -> None:
    """Demand how the wire ends when an application lets the error of its last message go on.

    With ``status`` an answer has to come; None: a response that has begun, and breaks off.
    """

    async def careless(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    app = App(careless)
    with up(server, app) as connect:
        got = connect().send(request()).response(whole=False)
        app.ended.wait()
        if status is not None:
            same((got.status, got.complete), (status, True), f"the answer to {messages[-1]!r}")
        else:
            expect(not got.complete, f"complete, although it failed: {messages!r}", got=got.body)
        expect(b"HTTP/1." not in got.body, "a second status line in the body", got=got.body)
        same(len(app.errors), 1, f"{messages[-1]!r} was not refused")


@case("asgi", "unknown messages", ERRORS, 9)
def unknown_messages(server: Any) -> None:
    """What is no message of a response raises at the application's own send, at any time."""
    refuses(server, WRONG)
    refuses(server, WRONG, before=[start()], after=[body(b"ok", more=False)])
    refuses(server, WRONG, before=[start(), body(b"o")], after=[body(b"k", more=False)])


@case("asgi", "out of order", ERRORS, 9)
def out_of_order(server: Any) -> None:
    """A body before the start, a second start, trailers that nobody announced: each raises."""
    refuses(server, [body(b"x"), body(b"x", more=False), {**TRAILERS}])
    refuses(server, [start(), start(500), {**TRAILERS}],
            before=[start()], after=[body(b"ok", more=False)])  # fmt: skip
    refuses(server, [start(), {**TRAILERS}],
            before=[start(), body(b"o")], after=[body(b"k", more=False)])  # fmt: skip


@case("asgi", "after the end", "ASGI HTTP 2.5, Response Body", 9)
def after_the_end(server: Any) -> None:
    """What is sent after the last body is never written: the next response is clean."""
    late = [body(b"too late"), body(b"too late", more=False), start(500), {**TRAILERS}]
    done = instant(server, "the application to have tried")
    took: list[Any] = []

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, scope["path"].encode())
        for message in late if scope["path"] == "/first" else []:
            try:
                await send(message)
            except Exception:
                continue
            took.append(message)
        done.happens()

    with up(server, app) as connect:
        wire = connect().send(request("/first"))
        same(wire.response().body, b"/first", "the first response")
        done.wait()
        same(wire.send(request("/second")).response().body, b"/second", "the second response")
    same(took, [], "a message after the end was taken without a word")


@case("asgi", "wrong statuses", ERRORS, 9)
def wrong_statuses(server: Any) -> None:
    """A status that is no int, or no final status, raises."""
    wrong = ["200", "200 OK", b"200", None, 200.5, True, 0, 99, 100, 101, 199, 600, 1000, -200]
    missing = {"type": "http.response.start", "headers": []}
    refuses(server, [*map(start, wrong), missing])
    ends(server, [start("200")], 500)
    ends(server, [start(101)], 500)


@case("asgi", "wrong headers", ERRORS, 9)
def wrong_headers(server: Any) -> None:
    """Headers that are not pairs of byte strings raise: str is not guessed into bytes."""
    wrong: list[Any] = [
        5, "ab", [("x-a", "b")], [("x-a", b"b")], [(b"x-a", "b")], [(b"x-a", 5)], [(b"x-a", None)],
        [(b"x-a",)], [(b"x-a", b"b", b"c")], [b"x-a: b"], [5], {b"x-a": b"b"}, [None],
        [[b"x-a", "b"]],
    ]  # fmt: skip
    refuses(server, [{**start(), "headers": headers} for headers in wrong])
    ends(server, [{**start(), "headers": [("x-a", "b")]}], 500)


@case("asgi", "wrong bodies", ERRORS, 9)
def wrong_bodies(server: Any) -> None:
    """A body that is not bytes raises: nobody guesses an encoding."""
    wrong = [body(content) for content in ("text", None, 5, [b"x"], {"a": b"b"})]
    refuses(server, wrong, before=[start()], after=[body(b"ok", more=False)])
    refuses(server, wrong, before=[start(), body(b"o")], after=[body(b"k", more=False)])
    ends(server, [start(), body("text")], 500)
    ends(server, [start(), body(b"x"), body("text")], None)


@case("asgi", "response splitting", "RFC 9110 §5.5", 9)
def response_splitting(server: Any) -> None:
    """A line end in a header, or a blank in its name, raises: it would be a header of its own."""
    wrong = [
        (b"x-a", b"b\r\nx-evil: yes"), (b"x-a", b"b\nx-evil: yes"), (b"x-a", b"b\rx-evil: yes"),
        (b"x-a", b"b\0"), (b"x-a: b\r\nx-evil", b"yes"), (b"x a", b"b"), (b"x-a:", b"b"),
        (b"", b"b"), (b"x-\xe9", b"b"),
    ]  # fmt: skip
    refuses(server, [start(200, header) for header in wrong])
    for header in wrong:
        ends(server, [start(200, header), body(b"x", more=False)], 500)


@case("asgi", "splitting by a trailer", "RFC 9110 §5.5", 9, needs={"trailers"})
def splitting_by_a_trailer(server: Any) -> None:
    """A line end in a trailer raises, and so does what frames a message."""
    wrong = [(b"x-a", b"b\r\nx-evil: yes"), (b"x a", b"b"), ("x-a", "b"),
             (b"content-length", b"0"), (b"transfer-encoding", b"chunked")]  # fmt: skip
    before = [{**start(), "trailers": True}, body(b"ok", more=False)]
    refuses(server, [{**TRAILERS, "headers": [header]} for header in wrong],
            before=before, after=[{**TRAILERS, "headers": [(b"x-a", b"b")]}])  # fmt: skip
    ends(server, [*before, {**TRAILERS, "headers": [wrong[0]]}], None)


@case("asgi", "splitting by a hint", "RFC 9110 §5.5", 9, needs={"early hints"})
def splitting_by_a_hint(server: Any) -> None:
    """A link with a line end in it raises, and so does one that is no bytes, or comes too late."""
    hint = {"type": "http.response.early_hint"}
    wrong: list[Any] = [[b"</a>\r\nx-evil: yes"], ["</a>"], [None], 5]
    refuses(server, [{**hint, "links": links} for links in wrong])
    refuses(server, [{**hint, "links": [b"</a>"]}],
            before=[start(), body(b"o")], after=[body(b"k", more=False)])  # fmt: skip


# ---------------------------------------------------------------- Content-Length


@case("asgi", "wrong lengths", LENGTH, 9)
def wrong_lengths(server: Any) -> None:
    """A Content-Length that is no number, or two that differ, raise."""
    for values in ([b"many"], [b"-5"], [b"+5"], [b"5.0"], [b""], [b"5", b"6"]):
        refuses(server, [start(200, *[(b"content-length", value) for value in values])])


@case("asgi", "too long", LENGTH, 9)
def too_long(server: Any) -> None:
    """A body beyond Content-Length raises, and not a byte beyond it is sent."""
    five = start(200, (b"content-length", b"5"))
    refuses(server, [body(b"hello, and more")], before=[five], after=[body(b"hello", more=False)],
            text=b"hello")  # fmt: skip
    wrong = [body(b"lo, and more"), body(b"lo, and more", more=False)]
    refuses(server, wrong, before=[five, body(b"hel")], after=[body(b"lo", False)], text=b"hello")
    ends(server, [five, body(b"hello, and more", more=False)], 500)
    ends(server, [five, body(b"hel"), body(b"lo, and more", more=False)], None)


@case("asgi", "too short", LENGTH, 9)
def too_short(server: Any) -> None:
    """A last body that leaves Content-Length unfilled raises, and the response breaks off."""
    ten = start(200, (b"content-length", b"10"))
    refuses(server, [body(b"hello", more=False)], before=[ten],
            after=[body(b"helloworld", more=False)], text=b"helloworld")  # fmt: skip
    ends(server, [ten, body(b"hello", more=False)], 500)
    ends(server, [ten, body(b"hello"), body(b"", more=False)], None)


# ---------------------------------------------------------------- returning too early


def early(*messages: Message) -> View:
    """Return a view that sends these and returns."""

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return view


@case("asgi", "never answered", ERRORS, 9)
def never_answered(server: Any) -> None:
    """An application that returns without a body is answered for with 500."""
    for messages in ((), (start(200, (b"x-first", b"yes")),)):
        with up(server, App(early(*messages))) as connect:
            got = connect().send(request()).response()
        same((got.status, got.values("x-first")), (500, []), f"it returned after {messages!r}")


@case("asgi", "half answered", ERRORS, 9)
def half_answered(server: Any) -> None:
    """An application that returns inside its response leaves one that the client sees broken."""
    ten = (b"content-length", b"10")
    for first in (start(), start(200, ten), {"type": "http.response.start", "status": 200}):
        with up(server, App(early(first, body(b"hello")))) as connect:
            got = connect().send(request()).response(whole=False)
        expect(not got.complete, "half a response passes for a whole one", got=got.body)
    with up(server, App(early(start(200, TEXT), body(b"hello")))) as connect:
        wire = connect().send(request(version="1.0"))
        wire.closed("its application has returned")
    expect(wire.was_reset, "only a reset tells a client of HTTP/1.0 that something is missing")
