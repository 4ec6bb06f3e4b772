"""WebSocket: the closing handshake and its codes (RFC 6455 §5.5.1, §7)."""

from __future__ import annotations

from .asking import Asking, Miss, expect, same
from .websocket import (
    CLOSE,
    CONTINUES,
    HELLO,
    PING,
    TEXT,
    Socket,
    closing,
    fails,
    frame,
    opened,
    ws,
)

CLOSING = "RFC 6455 §5.5.1"
CODES = "RFC 6455 §7.4.1"
ALLOWED = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
NEVER = (1005, 1006, 1015)  # RFC 6455 §7.4.1: they are for what was not said on the wire


def answered(talk: Socket, what: str) -> int:
    """Demand a close frame; return its code, 1005 for none."""
    got = talk.is_over(what)
    if got is None:
        raise Miss(f"the connection ended without a close frame: {what}", sent=talk.sent, got=b"")
    return got.code


@ws("close is answered", CLOSING)
def close_is_answered(it: Asking) -> None:
    """A close frame must be answered by a close frame."""
    for sent in (closing(1000), closing(1000, "goodbye"), closing(None)):
        answered(opened(it).put(sent), "the answer to a close frame")


@ws("the code comes back", CLOSING, choice=True)
def the_code_comes_back(it: Asking) -> None:
    """The answer to a close frame usually has the code that came; all that may be sent do."""
    for code in ALLOWED:
        talk = opened(it).put(closing(code))
        same(answered(talk, f"the answer to {code}"), code, "the code of the answer", talk.sent)


@ws("every code is taken", "RFC 6455 §7.4.2")
def every_code_is_taken(it: Asking) -> None:
    """The codes of the RFC, and 3000 to 4999, are an ordinary end: a close frame answers them."""
    for code in ALLOWED:
        talk = opened(it).put(closing(code, "\u20ac"))
        got = answered(talk, f"the answer to {code}")
        expect(got != 1002 or code == 1002, f"{code} was taken for an error", talk.sent)


@ws("no reserved code on the wire", CODES)
def no_reserved_code(it: Asking) -> None:
    """1005, 1006 and 1015 must not be sent: they mean that nothing was said."""
    for sent in (closing(None), frame(CLOSE, b"\x03\xee"), frame(TEXT, b"\xff")):
        talk = opened(it).put(sent)
        got = talk.is_over("a close frame")
        if got is not None and got.payload:
            expect(got.code not in NEVER, f"{got.code} on the wire", talk.sent, got.payload, 0)
        expect(got is not None or sent != closing(None), "there was no close frame", talk.sent)


@ws("codes nobody may send", CODES, choice=True)
def codes_nobody_may_send(it: Asking) -> None:
    """A code that may not be on the wire is an error of the client's: 1002."""
    for code in (0, 999, 1004, *NEVER, 1016, 2999, 5000, 65535):
        talk = opened(it).put(closing(code))
        got = answered(talk, f"the answer to the code {code}")
        same(got, 1002, f"the answer to {code}", talk.sent)


@ws("half a code", CLOSING, choice=True)
def half_a_code(it: Asking) -> None:
    """A close frame has a code of two bytes, or nothing: one byte is an error, 1002."""
    fails(it, frame(CLOSE, b"\x03"), why="a code of one byte", codes=(1002,), at=6)


@ws("a reason that is no UTF-8", "RFC 6455 §8.1", choice=True)
def a_reason_that_is_no_utf_8(it: Asking) -> None:
    """The reason of a close frame is UTF-8; one that is not is an error: 1007."""
    fails(it, frame(CLOSE, b"\x03\xe8\xff"), why="the reason is no UTF-8", codes=(1007, 1002), at=8)


@ws("the server ends the connection", CLOSING)
def the_server_ends(it: Asking) -> None:
    """When both have sent their close frames the server must close the connection at once."""
    talk = opened(it).put(closing())
    answered(talk, "the answer to a close frame")
    rest = talk.wire.closed("both close frames were sent")
    same(rest, b"", "what comes behind the server's close frame", talk.sent)


@ws("nothing behind a close", CLOSING)
def nothing_behind_a_close(it: Asking) -> None:
    """What a client sends behind its close frame is not answered any more."""
    talk = opened(it).put(closing(), HELLO, frame(PING, b"late"))
    answered(talk, "the answer to a close frame")
    rest = talk.wire.closed("both close frames were sent")
    same(rest, b"", "what comes behind the server's close frame", talk.sent)


@ws("close inside a message", "RFC 6455 §5.4")
def close_inside_a_message(it: Asking) -> None:
    """A close frame may come between fragments: it is answered, and the half message is dropped."""
    talk = opened(it).put(frame(TEXT, b"half", last=False), closing())
    answered(talk, "the answer to a close frame inside a message")


@ws("a long close", "RFC 6455 §5.5", choice=True)
def a_long_close(it: Asking) -> None:
    """A close frame must have 125 bytes or fewer; a longer one fails the connection."""
    long = frame(CLOSE, b"\x03\xe8" + b"x" * 124)
    fails(it, long, why="a close frame of 126 bytes", codes=(1002,), at=1)


@ws("close in fragments", "RFC 6455 §5.5", choice=True)
def close_in_fragments(it: Asking) -> None:
    """A close frame must not be fragmented; one that is fails the connection."""
    fails(it, frame(CLOSE, b"\x03\xe8", last=False), frame(CONTINUES), why="half a close frame",
          codes=(1002,), at=0)  # fmt: skip


# ---------------------------------------------------------------- what the application says, hears

CLOSED = "ASGI WebSocket 2.5, Close"
TOLD = "ASGI WebSocket 2.5, Disconnect"


@ws("the application's code", CLOSED, interface="asgi")
def the_applications_code(it: Asking) -> None:
    """Code and reason of websocket.close go onto the wire; the code is 1000 when none is given."""
    wanted = {
        "": (1000, ""),
        "?code=1008": (1008, ""),
        "?code=4001&reason=enough%20%E2%82%AC": (4001, "enough \u20ac"),
    }
    for query, (code, reason) in wanted.items():
        talk = opened(it, f"/s/close{query}")
        got = talk.is_over("the close frame of the application")
        expect(got is not None, "the connection ended without a close frame")
        assert got is not None
        same((got.code, got.payload[2:].decode()), (code, reason), "code and reason")


@ws("the end of an application's close", CLOSING, interface="asgi")
def the_end_of_a_close(it: Asking) -> None:
    """When the client has answered the server's close frame the server must close at once."""
    talk = opened(it, "/s/close?code=4000")
    answered(talk, "the close frame of the application")
    talk.put(closing(4000))
    talk.wire.closed("both close frames were sent")


@ws("the client's code is told", TOLD, interface="asgi")
def the_clients_code_is_told(it: Asking) -> None:
    """websocket.disconnect has the code of the client's close frame."""
    for code in (1000, 1001, 3000, 4999):
        token = it.token()
        talk = opened(it, f"/echo?token={token}").put(closing(code, "tired"))
        got = it.noted(token, "code", "websocket.disconnect", talk.sent)
        same(got, code, "the code of websocket.disconnect", talk.sent)


@ws("the client's reason is told", TOLD, interface="asgi", choice=True)
def the_clients_reason_is_told(it: Asking) -> None:
    """websocket.disconnect has the reason too, since the document's version 2.4."""
    token = it.token()
    talk = opened(it, f"/echo?token={token}").put(closing(1000, "tired"))
    got = it.noted(token, "reason", "websocket.disconnect", talk.sent)
    same(got, "tired", "the reason of websocket.disconnect", talk.sent)


@ws("no code is 1005", TOLD, interface="asgi", choice=True)
def no_code_is_1005(it: Asking) -> None:
    """When a close frame has no code, the application should be told 1005."""
    token = it.token()
    talk = opened(it, f"/echo?token={token}").put(closing(None))
    got = it.noted(token, "code", "websocket.disconnect", talk.sent)
    same(got, 1005, "the code of websocket.disconnect", talk.sent)


@ws("no goodbye is 1006", "RFC 6455 §7.1.5", interface="asgi", choice=True)
def no_goodbye_is_1006(it: Asking) -> None:
    """When a client is gone without a close frame, the code is considered to be 1006."""
    token = it.token()
    opened(it, f"/echo?token={token}").wire.reset()
    same(it.noted(token, "code", "websocket.disconnect"), 1006, "the code of websocket.disconnect")


@ws("told of a client that is gone", TOLD, interface="asgi")
def told_of_a_client_that_is_gone(it: Asking) -> None:
    """An application that receives is told websocket.disconnect when its client is gone."""
    for way in ("reset", "close"):
        token = it.token()
        talk = opened(it, f"/echo?token={token}").put(HELLO)
        talk.gives(TEXT, b"Hello")
        getattr(talk.wire, way)()
        told = it.noted(token, "told", f"websocket.disconnect after a {way}")
        same(told, "websocket.disconnect", "what receive gave")


@ws("told after its own close", TOLD, interface="asgi", choice=True)
def told_after_its_own_close(it: Asking) -> None:
    """Who receives after its own close is told websocket.disconnect, and does not wait for ever."""
    token = it.token()
    talk = opened(it, f"/s/close?code=4000&token={token}")
    answered(talk, "the close frame of the application")
    talk.put(closing(4000))
    same(it.noted(token, "told", "websocket.disconnect"), "websocket.disconnect", "what it gave")


@ws("an application that returns", CLOSED, interface="asgi", choice=True)
def an_application_that_returns(it: Asking) -> None:
    """When the application returns without a close the client gets one, with an ordinary code."""
    talk = opened(it, "/s/end?when=after")
    same(answered(talk, "the application has returned"), 1000, "the close code")


@ws("an application that fails", "ASGI 3.0, Error Handling", interface="asgi")
def an_application_that_fails(it: Asking) -> None:
    """When the application raises, the server must end the connection: nobody is left waiting."""
    opened(it, "/s/end?when=after&how=raise").is_over("the application has raised")


@ws("1011 for a failure", CODES, interface="asgi", choice=True)
def the_code_for_a_failure(it: Asking) -> None:
    """1011 says that the server has met something that it did not expect."""
    talk = opened(it, "/s/end?when=after&how=raise")
    got = talk.is_over("the application has raised")
    same(None if got is None else got.code, 1011, "the close code")
    expect(got is None or b"swordfish" not in got.payload, "the client reads what it should not")


@ws("sending to nobody", "ASGI WebSocket 2.5, Disconnected Client", interface="asgi", choice=True)
def sending_to_nobody(it: Asking) -> None:
    """send() should raise an OSError when the client is gone."""
    token = it.token()
    opened(it, f"/s/gone?token={token}").put(closing())
    late = it.noted(token, "late", "the application to send to nobody")
    same(late, "OSError", "what send() raised")


@ws("a stream to nobody", "ASGI WebSocket 2.5, Disconnected Client", interface="asgi", choice=True)
def a_stream_to_nobody(it: Asking) -> None:
    """Who streams to a client that has crashed is not left waiting: the stream ends."""
    token = it.token()
    talk = opened(it, f"/s/endless?most=60000000&token={token}")
    talk.wire.wait_for(b"x" * 1000, "the first message")
    talk.wire.reset()
    it.noted(token, "left", "the stream to end, whose client has crashed")
