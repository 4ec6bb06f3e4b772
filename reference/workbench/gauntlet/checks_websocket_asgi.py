"""WebSocket: scope, receive and send of ASGI (ASGI WebSocket 2.5)."""

from __future__ import annotations

from functools import partial
from typing import Any

from .asking import Asking, Broken, Miss, expect, same
from .model import NotAsked
from .websocket import (
    BINARY,
    HELLO,
    PING,
    PONG,
    TEXT,
    Socket,
    closing,
    frame,
    handshake,
    opened,
)
from .websocket import ws as any_ws

ws = partial(any_ws, interface="asgi")
SCOPE = "ASGI WebSocket 2.5, WebSocket Connection Scope"
CONNECT = "ASGI WebSocket 2.5, Connect"
ACCEPT = "ASGI WebSocket 2.5, Accept"
RECEIVE = "ASGI WebSocket 2.5, Receive"
SEND = "ASGI WebSocket 2.5, Send"
CLOSE_EVENT = "ASGI WebSocket 2.5, Close"
DENIAL = "ASGI WebSocket Denial Response"
ERRORS = "ASGI 3.0, Error Handling"


def facts(it: Asking, *fields: str, target: str = "/s/facts") -> dict[str, Any]:
    """Return what the application was given for a WebSocket."""
    found: dict[str, Any] = opened(it, target, *fields).told()
    return found


@ws("the types of a websocket scope", SCOPE)
def types(it: Asking) -> None:
    """Byte strings are bytes, unicode strings are str, exactly as the document says of each key."""
    found = facts(it, target="/s/facts?a=b")
    wanted = {"type": "str", "asgi": "dict", "path": "str"}
    same({key: found["types"].get(key) for key in wanted}, wanted, "the types of the values")
    optional = {"scheme": "str", "root_path": "str", "raw_path": "bytes", "http_version": "str",
                "query_string": "bytes"}  # fmt: skip
    for key, kind in optional.items():
        expect(found["types"].get(key, kind) in (kind, "NoneType"), f"the type of scope[{key!r}]",
               got=found["types"].get(key))  # fmt: skip
    same(found["pairs"], ["bytes"], "the types in scope['headers']")


@ws("a websocket scope", SCOPE)
def scope(it: Asking) -> None:
    """The type is websocket, and the scheme, where it is told, is ws."""
    found = facts(it)["scope"]
    same((found["type"], found.get("scheme", "ws")), ("websocket", "ws"), "type and scheme")
    same(found.get("http_version", "1.1"), "1.1", "scope['http_version'], which may be left out")


@ws("the versions in a websocket scope", SCOPE)
def versions(it: Asking) -> None:
    """scope['asgi'] tells version 3.0, and which version of the document it follows."""
    found = facts(it)["scope"]["asgi"]
    same(found["version"], "3.0", "scope['asgi']['version']")
    version = found.get("spec_version", "2.0")
    expect(version in ("2.0", "2.1", "2.2", "2.3", "2.4", "2.5"), f"no such version: {version!r}")


@ws("the path of a WebSocket", SCOPE)
def path(it: Asking) -> None:
    """The path is percent-decoded and ends where the query begins; the query is not decoded."""
    found = facts(it, target="/s/%66acts?b=%20&c")["scope"]
    same((found["path"], found["query_string"]), ("/s/facts", "b=%20&c"), "path and query")


@ws("the headers of a WebSocket", SCOPE)
def headers(it: Asking) -> None:
    """All fields of the handshake are there, in order, their names in lower case."""
    found = facts(it, "X-One: 1", "Cookie: a=b", "X-One: 2")["scope"]["headers"]
    values = [value for name, value in found if name == "x-one"]
    same(values, ["1", "2"], "the values of x-one")
    expect(["cookie", "a=b"] in found and any(name == "host" for name, _ in found), "one is lost",
           got=found)  # fmt: skip


@ws("subprotocols in the scope", SCOPE)
def subprotocols(it: Asking) -> None:
    """The client's subprotocols are a list of str, in its order, from one field or from several."""
    found = facts(it, "Sec-WebSocket-Protocol: chat.v2, chat.v1")
    same(found["scope"].get("subprotocols"), ["chat.v2", "chat.v1"], "scope['subprotocols']")
    same(found["protocols"], ["str", "str"], "their types")
    found = facts(it, "Sec-WebSocket-Protocol: b", "Sec-WebSocket-Protocol: a")
    same(found["scope"].get("subprotocols"), ["b", "a"], "those of two fields")


@ws("state in a websocket scope", "ASGI Lifespan 2.0, Lifespan State")
def state(it: Asking) -> None:
    """Where lifespan has a state, a WebSocket finds it too."""
    found = facts(it)["state"]
    if found is None:
        raise NotAsked("the server has no state")
    expect("shared" in found, "what was set at start-up is not there", got=found)


@ws("connect comes first", CONNECT)
def connect(it: Asking) -> None:
    """The first message is websocket.connect."""
    same(facts(it)["first"]["type"], "websocket.connect", "the type of the first message")


@ws("the handshake waits", CONNECT)
def the_handshake_waits(it: Asking) -> None:
    """The server must not complete the handshake until the application has accepted."""
    token = it.token()
    sent = handshake(f"/s/late?token={token}")
    wire = it.connect().send(sent)
    it.noted(token, "here", "the application to be told of the connect", sent)
    early = wire.readable(0.1)
    it.open(token)
    answer = wire.response()
    expect(not early, "the answer came before the application had accepted", sent, answer.head, 0)
    same(answer.status, 101, "the answer", sent)


@ws("a chosen subprotocol", ACCEPT)
def a_chosen_subprotocol(it: Asking) -> None:
    """The subprotocol of the application goes into the answer."""
    target = "/s/accept?subprotocol=chat.v1"
    answer = opened(it, target, "Sec-WebSocket-Protocol: chat.v2, chat.v1").answer
    assert answer is not None
    same(answer.values("sec-websocket-protocol"), ["chat.v1"], "Sec-WebSocket-Protocol")


@ws("fields of an accept", ACCEPT)
def fields_of_an_accept(it: Asking) -> None:
    """The headers of websocket.accept go into the answer; set-cookie is not joined."""
    answer = opened(it, "/s/accept").answer
    assert answer is not None
    same(answer.values("x-a"), ["1"], "x-a")
    same(answer.values("set-cookie"), ["a=1", "b=2"], "Set-Cookie")


@ws("403 for a close before accept", CLOSE_EVENT)
def a_rejection(it: Asking) -> None:
    """A close before the accept must be answered by 403, and the handshake is not completed."""
    sent = handshake("/s/reject")
    answer = it.ask(sent, whole=False)
    if answer.status != 403:
        raise Miss("the status of a rejection", sent=sent, got=answer.head, at=9)


@ws("a denial of the application's", DENIAL)
def a_denial(it: Asking) -> None:
    """Where a server offers websocket.http.response, it sends that response, fields and all."""
    if "websocket.http.response" not in (facts(it)["scope"].get("extensions") or {}):
        raise NotAsked("the server does not offer the extension")
    sent = handshake("/s/deny")
    answer = it.ask(sent)
    same((answer.status, answer.value("x-a"), answer.body), (401, "1", b"no entry"),
         "status, field and content", sent)  # fmt: skip


@ws("the extension for denials", DENIAL, choice=True)
def the_extension(it: Asking) -> None:
    """An application may answer a handshake by a response of its own."""
    found = facts(it)["scope"].get("extensions") or {}
    expect("websocket.http.response" in found, "the extension is not offered", got=found)


@ws("text or bytes", RECEIVE)
def text_or_bytes(it: Asking) -> None:
    """A text is a str under text, bytes are bytes under bytes; the other is None, or missing."""
    for kind, data, key in ((TEXT, "\u20ac".encode(), "text"), (BINARY, b"\xff\x00", "bytes")):
        token = it.token()
        talk = opened(it, f"/echo?token={token}").put(frame(kind, data))
        talk.gives(kind, data)
        got = it.noted(token, "types", "the message", talk.sent)
        other = "bytes" if key == "text" else "text"
        same(got.get(key), {"text": "str", "bytes": "bytes"}[key], f"the type of {key}", talk.sent)
        expect(got.get(other, "NoneType") == "NoneType", f"{other} is there too", got=got)


@ws("no ping in the application", RECEIVE)
def no_ping_in_the_application(it: Asking) -> None:
    """Pings and pongs are the server's: the application is told of messages alone."""
    token = it.token()
    talk = opened(it, f"/echo?token={token}")
    talk.put(frame(PING, b"x"), frame(PONG, b"y"), HELLO).gives(TEXT, b"Hello")
    talk.put(closing())
    it.noted(token, "told", "websocket.disconnect", talk.sent)
    got = [each["got"] for each in it.notes(token) if "got" in each]
    same(got, ["Hello"], "the messages that the application received", talk.sent)


@ws("messages of any size", SEND)
def messages_of_any_size(it: Asking) -> None:
    """What the application sends arrives whole, text and bytes, the other key being None or not."""
    for kind, size in (("text", 0), ("text", 126), ("bytes", 65536), ("text", 300_000)):
        for other in ("", "&other=1"):
            talk = opened(it, f"/s/send?kind={kind}&size={size}{other}")
            data = b"x" * size if kind == "text" else bytes(range(256)) * (size // 256)
            talk.gives(TEXT if kind == "text" else BINARY, data, f"{size} bytes of {kind}")


@ws("messages in order", SEND)
def messages_in_order(it: Asking) -> None:
    """Many messages arrive in order, and none is lost."""
    talk = opened(it, "/s/send?count=300&size=1000")
    for number in range(300):
        talk.gives(TEXT, b"x" * 1000, f"message {number + 1} of 300")


@ws("messages before an end", SEND)
def messages_before_an_end(it: Asking) -> None:
    """What was sent before the client closed was sent: it comes before the close frame."""
    talk = opened(it).put(*[frame(TEXT, b"%d" % number) for number in range(20)])
    for number in range(20):
        talk.gives(TEXT, b"%d" % number, f"echo {number + 1} of 20")
    talk.put(closing()).is_over("the answer to the close frame")


@ws("a failure before accept", ERRORS)
def a_failure_before_accept(it: Asking) -> None:
    """An application that raises before it accepts must leave nobody waiting; there is no 101."""
    for how in ("raise", "return"):
        sent = handshake(f"/s/end?when=before&how={how}")
        wire = it.connect().send(sent)
        try:
            status = wire.response(whole=False).status if wire.until_any() else 0
        except Broken as broken:
            raise Miss(broken.problem, sent=sent, got=bytes(wire.buf)) from None
        expect(status != 101, "the handshake was accepted, and not by the application", sent)


@ws("500 for a failure before accept", ERRORS, choice=True)
def status_of_a_failure(it: Asking) -> None:
    """An application that raises before it accepts is answered for with 500."""
    sent = handshake("/s/end?when=before&how=raise")
    same(it.ask(sent, whole=False).status, 500, "the status", sent)


def raises(it: Asking, what: str) -> None:
    """Demand that a message raises, and that the right one behind it still arrives."""
    talk: Socket = opened(it, "/s/wrong?what=" + what.replace(" ", "%20"))
    try:
        raised = talk.told()["raised"]
    except ValueError:
        raise Miss(f"{what}: it was sent, in the place of what may be sent") from None
    expect(raised, f"{what}: send() took it without a word")


@ws("wrong websocket messages raise", ERRORS, choice=True)
def wrong_messages(it: Asking) -> None:
    """A message of an unknown type, or without one, should raise at the application's send."""
    for what in ("no type", "unknown type", "not ours"):
        raises(it, what)


@ws("wrong websocket types raise", ERRORS, choice=True)
def wrong_types(it: Asking) -> None:
    """A message of nothing, bytes as text and text as bytes should raise."""
    for what in ("nothing", "bytes as text", "text as bytes"):
        raises(it, what)


@ws("wrong websocket order raises", ERRORS, choice=True)
def wrong_order(it: Asking) -> None:
    """A message before the accept, and a second accept, should raise."""
    for what in ("send before accept", "second accept"):
        raises(it, what)
