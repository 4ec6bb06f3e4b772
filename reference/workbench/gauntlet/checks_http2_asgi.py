"""HTTP/2: what the application is given, and how its answer goes out (ASGI HTTP 2.5)."""

from __future__ import annotations

from functools import partial
from typing import Any

from .asking import Asking, expect, same
from .http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    Connection,
    Pairs,
    connected,
    frame,
    h2,
    head,
    reset,
)
from .model import NotAsked

asgi = partial(h2, interface="asgi")
SCOPE = "ASGI HTTP 2.5, HTTP Connection Scope"
POST = partial(head, method=b"POST")


def scope(it: Asking, fields: Pairs | str = "/facts") -> dict[str, Any]:
    """Return the scope of a request over HTTP/2."""
    found: dict[str, Any] = connected(it).told(fields)["scope"]
    return found


@asgi("http_version is 2", SCOPE)
def http_version(it: Asking) -> None:
    """http_version tells HTTP/2 by the str 2."""
    same(scope(it)["http_version"], "2", "scope['http_version']")


@asgi("types over HTTP/2", SCOPE)
def types(it: Asking) -> None:
    """The scope has the same types as over HTTP/1.1."""
    facts = connected(it).told("/facts?a=b")
    wanted = {"type": "str", "asgi": "dict", "http_version": "str", "method": "str",
              "path": "str", "query_string": "bytes"}  # fmt: skip
    same({key: facts["types"].get(key) for key in wanted}, wanted, "the types of the values")
    same(facts["pairs"], ["bytes"], "the types in scope['headers']")


@asgi("the target over HTTP/2", SCOPE)
def target(it: Asking) -> None:
    """The path is percent-decoded and ends where the query begins; the query is as it came."""
    found = scope(it, "/%66acts?b=%20&c")
    same((found["path"], found["query_string"]), ("/facts", "b=%20&c"), "path and query")
    same((found["method"], found.get("scheme", "http")), ("GET", "http"), "method and scheme")


@asgi("pseudo-header fields are not headers", SCOPE)
def no_pseudo_headers(it: Asking) -> None:
    """Pseudo-header fields must be removed; :authority becomes host, the first of the headers."""
    headers = scope(it, head("/facts", (b"x-a", b"1")))["headers"]
    expect(not any(name.startswith(":") for name, _ in headers), "one is there", got=headers)
    same([value for name, value in headers if name == "host"], ["test"], "the values of host")
    same(headers[0], ["host", "test"], "the first of the headers")


@asgi("one cookie", "RFC 9113 §8.2.3")
def one_cookie(it: Asking) -> None:
    """Cookies that come in several fields must be one value before the application sees them."""
    headers = scope(it, head("/facts", (b"cookie", b"a=1"), (b"cookie", b"b=2")))["headers"]
    same([value for name, value in headers if name == "cookie"], ["a=1; b=2"], "cookie")


@asgi("repeated fields over HTTP/2", SCOPE)
def repeated_fields(it: Asking) -> None:
    """Other fields that are repeated stay apart, in order."""
    headers = scope(it, head("/facts", (b"x-a", b"1"), (b"x-b", b""), (b"x-a", b"2")))["headers"]
    same([value for name, value in headers if name == "x-a"], ["1", "2"], "the values of x-a")
    expect(["x-b", ""] in headers, "an empty value is lost", got=headers)


@asgi("a scope for each stream", SCOPE)
def a_scope_for_each(it: Asking) -> None:
    """A scope lasts for one request: the next stream does not see what was written into it."""
    connection = connected(it)
    for _ in range(2):
        expect("probe.mark" not in connection.told("/facts")["scope"], "it was there before")


@asgi("content over HTTP/2", "ASGI HTTP 2.5, Request")
def content(it: Asking) -> None:
    """Content comes in messages of bytes, with a Content-Length or without."""
    for fields in ((), ((b"content-length", b"5"),)):
        messages = connected(it).told(POST("/a/messages", *fields), b"hello")
        body = "".join(each["message"].get("body", "") for each in messages)
        same(body, "hello", "the parts together")
        expect(not messages[-1]["message"].get("more_body", False), "the last one says more_body")


@asgi("content in many frames", "ASGI HTTP 2.5, Request")
def content_in_many_frames(it: Asking) -> None:
    """Frames that come apart, padded and empty ones among them, make one content."""
    connection = connected(it)
    stream = connection.ask(POST("/echo"), end=False)
    connection.put(
        frame(DATA, 0, stream, b"hel"),
        frame(DATA, 8, stream, b"\x03lo \0\0\0"),
        frame(DATA, 0, stream),
        frame(DATA, 8, stream, b"\x00world"),
        frame(DATA, END_STREAM, stream),
    )
    same(connection.answer(stream).body, b"hello world", "the content", connection.sent)


@asgi("content as it comes over HTTP/2", "ASGI HTTP 2.5, Request", choice=True)
def content_as_it_comes(it: Asking) -> None:
    """The first part is received before the last was sent."""
    token = it.token()
    connection = connected(it)
    stream = connection.ask(POST(f"/upload?token={token}"), b"first", end=False)
    same(it.noted(token, "part", "the first part to be received"), "first", "the first part")
    connection.put(frame(DATA, END_STREAM, stream, b" last"))
    same(connection.answer(stream).body, b"first last", "the content")


@asgi("HEAD over HTTP/2", "RFC 9110 §9.3.2")
def head_request(it: Asking) -> None:
    """The answer to HEAD has no content, and ends with its head; the fields are those of GET."""
    connection = connected(it)
    reply = connection.get(head("/ok", method=b"HEAD"))
    same((reply.status, reply.body), (200, b""), "status and content", connection.sent)
    expect(reply.values(b"content-length") in ([b"2"], []), "another length", None, reply.fields)
    same(connection.get("/ok").body, b"ok", "the GET behind it")


@asgi("204 and 304 over HTTP/2", "RFC 9110 §15.3.5")
def no_content(it: Asking) -> None:
    """An answer of 204 or 304 has no content, whatever the application sends."""
    connection = connected(it)
    for code in (204, 304):
        reply = connection.get(f"/status?code={code}&body=content")
        same((reply.status, reply.body), (code, b""), "status and content", connection.sent)


@asgi("an answer without a length", "RFC 9113 §8.1")
def without_a_length(it: Asking) -> None:
    """The end of the stream is the end of the content: neither a length nor chunks are needed."""
    reply = connected(it).get("/stream?blocks=one,,two")
    same(reply.body, b"onetwo", "the content")


@asgi("each part at once over HTTP/2", "ASGI HTTP 2.5, Response Body")
def each_part_at_once(it: Asking) -> None:
    """A server must flush a part of the body before send returns."""
    token = it.token()
    connection = connected(it)
    reply = connection.replies[connection.ask(f"/steps?token={token}")]
    connection.until(lambda: reply.body, "the first part")
    same(reply.body, b"first", "the first part, while the second waits")
    it.open(token)
    same(connection.answer(1).body, b"firstlast", "the whole")
    expect(it.noted(token, "opened", "the application to go on"), "the first part came too late")


@asgi("told of a reset stream", "ASGI HTTP 2.5, Disconnect")
def told_of_a_reset(it: Asking) -> None:
    """An application that receives is told http.disconnect when its stream was reset."""
    token = it.token()
    connection = connected(it)
    stream = connection.ask(POST(f"/a/listen?token={token}"), b"hello")
    it.noted(token, "here", "the application to have read the content")
    connection.put(reset(stream))
    same(it.noted(token, "told", "http.disconnect"), "http.disconnect", "what receive gave")
    same(connection.get().status, 200, "the next request on the connection")


@asgi("receive waits over HTTP/2", "ASGI HTTP 2.5, Request")
def receive_waits(it: Asking) -> None:
    """Behind the content nothing comes while the stream is open: its end is no disconnect."""
    token = it.token()
    connection = connected(it)
    connection.ask(POST(f"/a/listen?token={token}"), b"hello")
    it.noted(token, "here", "the application to have read the content")
    for _ in range(3):
        connection.get()
    told = [each["told"] for each in it.notes(token) if "told" in each]
    same(told, [], "what receive gave, although the client waits")


@asgi("half a content is not the whole", "RFC 9113 §8.1.1")
def half_a_content(it: Asking) -> None:
    """Content whose stream is reset is not given to the application as the whole."""
    token = it.token()
    connection = connected(it)
    stream = connection.ask(POST(f"/echo?token={token}"), b"half", end=False)
    connection.put(reset(stream))
    connection.settled()
    connection.get()
    whole = [each for each in it.notes(token) if "body" in each]
    same(whole, [], "what the application took for the whole content", connection.sent)


@asgi("sending to a reset stream", "ASGI HTTP 2.5, Disconnected Client", choice=True)
def sending_to_a_reset_stream(it: Asking) -> None:
    """send() should raise an OSError when the stream was reset, so that an answer can end."""
    token = it.token()
    connection = connected(it)
    stream = connection.ask(f"/endless?most=100000000&token={token}")
    connection.until(lambda: connection.replies[stream].body, "the beginning of the answer")
    connection.put(reset(stream))
    it.noted(token, "left", "the answer to end, whose stream was reset")
    raised = [each["error"] for each in it.notes(token) if "error" in each]
    same(raised, ["OSError"], "what send() raised")


@asgi("500 over HTTP/2", "ASGI 3.0, Error Handling", choice=True)
def an_error(it: Asking) -> None:
    """An application that raises before it answers is answered for with 500, on its stream."""
    connection = connected(it)
    same(connection.get("/fail?when=before").status, 500, "the status")
    same(connection.get().status, 200, "the next request on the connection")


@asgi("an answer that fails over HTTP/2", "ASGI 3.0, Error Handling")
def an_answer_that_fails(it: Asking) -> None:
    """An answer that fails must be ended, its stream or its connection, and not as if whole."""
    connection = connected(it)
    stream = connection.ask("/fail?when=after")
    reply = connection.replies[stream]
    while not (reply.over or connection.ended or connection.goaway):
        connection.read("the end of an answer that has failed")
    expect(not reply.complete, "half an answer looks whole", connection.sent, reply.body)


@asgi("100 over HTTP/2", "RFC 9110 §10.1.1", choice=True)
def invitation(it: Asking) -> None:
    """A client that expects 100-continue is invited, at the latest when the application reads."""
    connection = connected(it)
    stream = connection.ask(POST("/echo", (b"expect", b"100-continue")), end=False)
    reply: Any = connection.replies[stream]
    connection.until(lambda: reply.interim or reply.over, "100 Continue")
    same(reply.interim, [100], "the interim responses")
    connection.put(frame(DATA, END_STREAM, stream, b"hello"))
    same(connection.answer(stream).body, b"hello", "the content")


@asgi("an answer before the end of a request", "RFC 9113 §8.1", choice=True)
def an_early_answer(it: Asking) -> None:
    """A client whose answer is complete is told to stop its request, by NO_ERROR."""
    connection = connected(it)
    stream = connection.ask(POST("/ok"), b"much", end=False)
    reply = connection.answer(stream)
    same((reply.status, reply.body), (200, b"ok"), "the answer")
    if reply.reset is None:
        connection.until(lambda: reply.reset is not None, "RST_STREAM behind the answer")
    same(reply.reset, 0, "the code: NO_ERROR")


@asgi("a WebSocket on a stream", "RFC 8441 §5", choice=True)
def a_websocket_on_a_stream(it: Asking) -> None:
    """A stream becomes a WebSocket, where the server says that it can, and echoes."""
    from .websocket import HELLO

    connection: Connection = connected(it)
    connection.settled()
    if not connection.settings.get(8):
        raise NotAsked("the server does not offer SETTINGS_ENABLE_CONNECT_PROTOCOL")
    fields = [*head("/echo", method=b"CONNECT"), (b":protocol", b"websocket"),
              (b"sec-websocket-version", b"13")]  # fmt: skip
    stream = connection.ask(fields, end=False)
    reply = connection.replies[stream]
    connection.until(lambda: reply.status, "the answer to the extended CONNECT")
    same(reply.status, 200, "the status", connection.sent)
    connection.put(frame(DATA, 0, stream, HELLO))
    connection.until(lambda: len(reply.body) >= 7, "the echo")
    same(reply.body, b"\x81\x05Hello", "the echo", connection.sent)


@asgi("one table for all streams", "RFC 9113 §4.3")
def one_table(it: Asking) -> None:
    """A head that was refused was still decoded: the table behind it is right."""
    connection = connected(it)
    bad = connection.number()
    block = connection.block([*head("/ok"), (b"Bad", b"name"), (b"x-kept", b"in the table")])
    connection.put(frame(HEADERS, END_HEADERS | END_STREAM, bad, block))
    connection.is_reset(bad, "PROTOCOL_ERROR", why="a name in capitals", status=True)
    if connection.goaway or connection.ended:
        raise NotAsked("the server ends the connection with the stream, as it may")
    headers = connection.told(head("/facts", (b"x-kept", b"in the table")))["scope"]["headers"]
    expect(["x-kept", "in the table"] in headers, "another field came out of the table",
           got=headers)  # fmt: skip
