"""ASGI: the scope, receive and send of an http request (ASGI HTTP 2.5)."""

from __future__ import annotations

from functools import partial
from typing import Any

from .asking import Asking, Broken, Miss, expect, request, same
from .model import check

asgi = partial(check, group="asgi", interface="asgi")
SCOPE = "ASGI HTTP 2.5, HTTP Connection Scope"
REQUEST = "ASGI HTTP 2.5, Request"
START = "ASGI HTTP 2.5, Response Start"
BODY = "ASGI HTTP 2.5, Response Body"
ERRORS = "ASGI 3.0, Error Handling"


def scope(it: Asking, *fields: str, target: str = "/facts", **how: Any) -> dict[str, Any]:
    """Return the scope of a request."""
    found: dict[str, Any] = it.facts(*fields, target=target, **how)["scope"]
    return found


# ---------------------------------------------------------------- the scope


@asgi("the scope's types", SCOPE, 9)
def types(it: Asking) -> None:
    """Byte strings are bytes, unicode strings are str, exactly as the document says of each key."""
    facts = it.facts(target="/facts?a=b")
    wanted = {"type": "str", "asgi": "dict", "http_version": "str", "method": "str",
              "path": "str", "query_string": "bytes"}  # fmt: skip
    got = {key: facts["types"].get(key) for key in wanted}
    same(got, wanted, "the types of the scope's values")
    for key, kind in {"scheme": "str", "root_path": "str", "raw_path": "bytes"}.items():
        expect(facts["types"].get(key, kind) in (kind, "NoneType"), f"the type of scope[{key!r}]",
               got=facts["types"].get(key))  # fmt: skip
    same(facts["pairs"], ["bytes"], "the types in scope['headers']")


@asgi("the versions", SCOPE, 9)
def versions(it: Asking) -> None:
    """scope['asgi'] tells version 3.0, and which version of the HTTP document it follows."""
    found = scope(it)
    same((found["type"], found["asgi"]["version"]), ("http", "3.0"), "type and version")
    version = found["asgi"].get("spec_version", "2.0")
    expect(version in ("2.0", "2.1", "2.2", "2.3", "2.4", "2.5"), f"no such version: {version!r}")


@asgi("the method", SCOPE, 9)
def method(it: Asking) -> None:
    """The method is a str in upper case."""
    same(scope(it, method="PATCH")["method"], "PATCH", "scope['method']")


@asgi("the path", SCOPE, 9)
def path(it: Asking) -> None:
    """The path is percent-decoded, and ends where the query begins."""
    found = scope(it, target="/%66acts?x=%2F")
    same(found["path"], "/facts", "scope['path']")


@asgi("a path in UTF-8", SCOPE, 9)
def path_in_utf_8(it: Asking) -> None:
    """Bytes of the path that are UTF-8 are decoded into characters."""
    answer = it.ask(request("/caf%C3%A9"))
    same(answer.status, 404, "the status: the application has no such path")
    same(it.ask(request("/ok?say=caf%C3%A9")).body, b"caf\xc3\xa9", "what the query says")


@asgi("a path beyond UTF-8", SCOPE, 9, choice=True)
def path_beyond_utf_8(it: Asking) -> None:
    """Bytes that are no UTF-8 do not end in a 500, or a dead connection."""
    sent = request("/%ff%fe")
    expect(400 <= it.ask(sent).status < 500, "the path is nobody's failure", sent)


@asgi("the raw path", SCOPE, 9)
def raw_path(it: Asking) -> None:
    """Where there is a raw_path it is the path as it came, without the query."""
    raw = scope(it, target="/%66act%73?q=1").get("raw_path")
    expect(raw in (None, "/%66act%73"), "scope['raw_path']", got=raw)


@asgi("the query", SCOPE, 9)
def query(it: Asking) -> None:
    """query_string is what stands behind the question mark, not decoded."""
    same(scope(it, target="/facts?b=%20&c?d")["query_string"], "b=%20&c?d", "scope['query_string']")


@asgi("the headers", SCOPE, 9)
def headers(it: Asking) -> None:
    """Values must keep their order; repeated ones are not joined, and none is lost."""
    sent = ("X-One: 1", "X-Two:2 ", "x-one: 3", "X-Empty:")
    found = [[name.lower(), value] for name, value in scope(it, *sent)["headers"]]
    got = [pair for pair in found if pair[0].startswith("x-")]
    values = [value for name, value in got if name == "x-one"]
    same(values, ["1", "3"], "the values of x-one")
    expect(["x-two", "2"] in got and ["x-empty", ""] in got, "a header is missing", got=got)


@asgi("the version of HTTP", SCOPE, 9)
def http_version(it: Asking) -> None:
    """http_version tells 1.0 from 1.1."""
    same(scope(it)["http_version"], "1.1", "scope['http_version']")
    same(scope(it, version="1.0")["http_version"], "1.0", "scope['http_version'] of HTTP/1.0")


@asgi("both addresses", SCOPE, 9)
def addresses(it: Asking) -> None:
    """Client and server, where they are there, are host and port of this connection's ends."""
    wire = it.connect().send(request("/facts"))
    facts = it.read(wire.response())
    ends = {"client": wire.socket.getsockname(), "server": wire.socket.getpeername()}
    for key, address in ends.items():
        got = facts["scope"].get(key)
        if got is not None:
            same(got, list(address[:2]), f"scope[{key!r}]")
            same(facts["ends"][key], ["str", "int"], f"the types in scope[{key!r}]")


@asgi("scheme and root path", SCOPE, 9)
def scheme(it: Asking) -> None:
    """At the root of a plain server the scheme is http, and root_path is empty."""
    found = scope(it)
    same((found.get("scheme", "http"), found.get("root_path", "")), ("http", ""), "the two")


@asgi("a scope each", SCOPE, 9)
def a_scope_each(it: Asking) -> None:
    """A scope lasts for one request: the next one does not see what was written into it."""
    wire = it.connect()
    for _ in range(2):
        found = it.read(wire.send(request("/facts")).response())
    expect("probe.mark" not in found["scope"], "what the request before wrote into its scope")


# ---------------------------------------------------------------- receive


@asgi("no body", REQUEST, 9)
def no_body(it: Asking) -> None:
    """Without content the first message is an http.request that is empty and complete."""
    messages = it.told(request("/a/messages"))
    first = messages[0]["message"]
    same((first["type"], first.get("body", ""), first.get("more_body", False)),
         ("http.request", "", False), "the first message")  # fmt: skip


@asgi("a body in messages", REQUEST, 9)
def a_body(it: Asking) -> None:
    """A body comes in messages of bytes; the last one says more_body False."""
    for sent in (request("/a/messages", method="POST", body=b"hello"),
                 request("/a/messages", method="POST", chunks=(b"he", b"llo"))):  # fmt: skip
        messages = it.told(sent)
        body = "".join(each["message"].get("body", "") for each in messages)
        same(body, "hello", "the parts of the body together", sent)
        for each in messages:
            same(each["types"].get("body", "bytes"), "bytes", "the type of body", sent)
            same(each["types"].get("more_body", "bool"), "bool", "the type of more_body", sent)


@asgi("the body as it comes", REQUEST, 9, choice=True)
def the_body_as_it_comes(it: Asking) -> None:
    """The first part is received before the last was sent: more_body says that more will come."""
    token = it.token()
    sent = request(f"/upload?token={token}", "Content-Length: 10", method="POST") + b"first"
    wire = it.connect().send(sent)
    same(it.noted(token, "part", "the first part to be received", sent), "first", "the first part")
    same(wire.send(b" last").response().body, b"first last", "the body", sent)


@asgi("a body that breaks off", "RFC 9112 §8", 10)
def a_body_that_breaks_off(it: Asking) -> None:
    """When the client leaves inside its body the half is not given as the whole."""
    token = it.token()
    sent = request(f"/echo?token={token}", "Content-Length: 10", method="POST") + b"hello"
    wire = it.connect().send(sent).half_close()
    came = wire.closed("the rest of the body will never come")
    whole = [each for each in it.notes(token) if "body" in each]
    expect(not whole, "the application took five bytes of ten for the whole body", sent, came, 9)


@asgi("receive waits", REQUEST, 10)
def receive_waits(it: Asking) -> None:
    """Behind the body nothing comes while the client is there and the response is not complete."""
    token = it.token()
    sent = request(f"/a/listen?token={token}", method="POST", body=b"hello")
    wire = it.connect().send(sent)
    it.noted(token, "here", "the application to have read the body", sent)
    for _ in range(3):
        it.ask(request("/ok", "Connection: close"))
    told = [each["told"] for each in it.notes(token) if "told" in each]
    same(told, [], "what receive gave, although the client waits and says nothing", sent)
    wire.close()


# ---------------------------------------------------------------- send


@asgi("the head waits for a body", START, 9, choice=True)
def the_head_waits(it: Asking) -> None:
    """A server need not send the head before there is a body: who waits can still answer 500."""
    token = it.token()
    sent = request(f"/a/gate?token={token}")
    wire = it.connect().send(sent)
    it.noted(token, "here", "the application to have sent the start", sent)
    early = wire.readable(0.05)
    it.open(token)
    answer = wire.response()
    expect(not early, "the head came before there was a body", sent, answer.head, 0)
    same(answer.body, b"later", "the content", sent)


@asgi("an empty part begins", BODY, 9)
def an_empty_part_begins(it: Asking) -> None:
    """A server must flush what it is given: an empty first part sends the head."""
    token = it.token()
    sent = request(f"/a/gate?part=empty&token={token}")
    wire = it.connect().send(sent)
    it.noted(token, "here", "the application to have sent an empty part", sent)
    wire.wait_for(b"\r\n\r\n", "the head of a response that has begun")
    expect(b"later" not in wire.buf, "the head waited for content", sent, bytes(wire.buf))
    it.open(token)


@asgi("fields of a response", START, 9)
def fields_of_a_response(it: Asking) -> None:
    """The order of the headers must be kept; set-cookie is not joined."""
    answer = it.ask(request("/fields"))
    same(answer.values("set-cookie"), ["a=1", "b=2"], "Set-Cookie")
    names = [name for name, _ in answer.fields if name.startswith("x-") and name != "x-empty"]
    same(names, [f"x-{number}" for number in range(30)], "the order of the headers")


@asgi("any iterable of pairs", START, 9)
def any_iterable(it: Asking) -> None:
    """Headers are an iterable of two-item iterables: lists, tuples, an iterator; or left out."""
    for shape in ("lists", "tuples", "iterator", "bare"):
        answer = it.ask(request(f"/a/shape?as={shape}"))
        wanted = [None, None] if shape == "bare" else ["1", "2"]
        same([answer.value("x-a"), answer.value("x-b")], wanted, f"headers as {shape}")
        same(answer.body, b"ok", f"the content with headers as {shape}")


@asgi("a named status", START, 9)
def a_named_status(it: Asking) -> None:
    """A status is an int, and a member of http.HTTPStatus is one."""
    same(it.ask(request("/a/shape?as=named")).status, 202, "the status")


@asgi("Transfer-Encoding is the server's", START, 9)
def transfer_encoding(it: Asking) -> None:
    """A server must ignore an application's Transfer-Encoding, and frame by itself."""
    sent = request("/a/coding")
    answer = it.ask(sent)
    same(answer.body, b"onetwo", "the content", sent)
    expect(len(answer.values("transfer-encoding")) < 2, "two Transfer-Encoding", sent, answer.head)


@asgi("empty parts", BODY, 9)
def empty_parts(it: Asking) -> None:
    """An empty part of a stream is nothing; above all it is not the last chunk."""
    sent = request("/stream?blocks=,one,,,two,")
    same(it.ask(sent).body, b"onetwo", "the content", sent)


@asgi("after the end", BODY, 9)
def after_the_end(it: Asking) -> None:
    """What is sent behind the last part is ignored, or raises; it is never written."""
    token = it.token()
    sent = request(f"/a/after?then=send&token={token}")
    wire = it.connect().send(sent)
    same(wire.response().body, b"whole", "the content", sent)
    it.noted(token, "late", "the application to have sent more", sent)
    wire.send(request("/ok", "Connection: close"))
    came = wire.closed("it was asked to")
    expect(b"too late" not in came, "what was sent behind the end was written", sent, came,
           came.find(b"too late"))  # fmt: skip


@asgi("wrong messages raise", ERRORS, 9, choice=True)
def wrong_messages(it: Asking) -> None:
    """A message of an unknown type, or without one, should raise at the application's send."""
    for what in ("no type", "unknown type", "not ours"):
        raises(it, what)


@asgi("wrong types raise", ERRORS, 9, choice=True)
def wrong_types(it: Asking) -> None:
    """A str for a header, a body or a status should raise: it is not guessed into bytes."""
    for what in ("header str", "body str", "status str", "no status"):
        raises(it, what)


@asgi("wrong order raises", ERRORS, 9, choice=True)
def wrong_order(it: Asking) -> None:
    """A body before the start, and a second start, should raise."""
    for what in ("body before start", "second start"):
        raises(it, what)


def raises(it: Asking, what: str) -> None:
    """Demand that a message raises, and that the right answer behind it still arrives."""
    sent = request("/a/wrong?what=" + what.replace(" ", "%20"))
    answer = it.ask(sent, whole=False)
    if answer.status != 200:
        raise Miss(f"{what}: the answer is spoilt", sent=sent, got=answer.head, at=9)
    raised = it.read(answer, sent)
    expect(raised[what], f"{what}: send() took it without a word", sent, answer.body)


@asgi("unknown keys do no harm", ERRORS, 9, choice=True)
def unknown_keys(it: Asking) -> None:
    """More keys in a message than the document knows should raise nothing."""
    answer = it.ask(request("/a/shape?as=lists"))
    same((answer.status, answer.body), (200, b"ok"), "the answer")


@asgi("never answered", ERRORS, 9, choice=True)
def never_answered(it: Asking) -> None:
    """An application that returns without an answer is answered for with 500."""
    for when in ("before", "start"):
        same(it.ask(request(f"/a/return?when={when}"), whole=False).status, 500, when)


@asgi("an error ends the connection", ERRORS, 9)
def an_error_ends_the_connection(it: Asking) -> None:
    """When an application raises, the server must end its connection: nobody is left waiting."""
    for when in ("before", "started"):
        sent = request(f"/fail?when={when}")
        wire = it.connect().send(sent)
        try:
            if wire.until_any():
                wire.response(whole=False)
        except Broken as broken:
            raise Miss(broken.problem, sent=sent, got=bytes(wire.buf)) from None


@asgi("half answered", "RFC 9112 §8", 9, choice=True)
def half_answered(it: Asking) -> None:
    """An application that returns inside its body leaves a response that is seen to be broken."""
    sent = request("/a/return?when=body")
    wire = it.connect().send(sent)
    answer = wire.response(whole=False)
    if answer.complete and answer.framing != "close":
        raise Miss("half an answer looks like a whole one", sent=sent, got=answer.body)


@asgi("not a byte beyond the length", "RFC 9112 §6.3", 9)
def not_beyond_the_length(it: Asking) -> None:
    """Bytes beyond Content-Length are no part of this response, and none of the next."""
    sent = request("/length?says=5&blocks=hel,lo%20and%20more,and%20more")
    wire = it.connect().send(sent)
    answer = wire.response(whole=False)
    wire.send(request("/ok", "Connection: close"))
    try:
        rest = wire.closed("the next response is the last")
    except Broken as broken:
        raise Miss(broken.problem, sent=sent, got=answer.head) from None
    expect(not rest or rest.startswith(b"HTTP/1.1 "), "bytes behind the content", sent, rest, 0)


@asgi("a body that is too short", "RFC 9112 §8", 9, choice=True)
def too_short(it: Asking) -> None:
    """Fewer bytes than Content-Length: the connection ends, or the client waits for ever."""
    sent = request("/length?says=100&blocks=hello")
    wire = it.connect().send(sent)
    answer = wire.response(whole=False)
    expect(
        answer.status == 500 or not answer.complete, "half a body looks whole", sent, answer.head
    )
