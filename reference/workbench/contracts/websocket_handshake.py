"""The WebSocket contract, part six: the opening handshake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handmade.events import PeerError, Request
from handmade.websocket_deflate import Agreed

from . import Broken, case
from .websocket_frames import Surface, cannot, same

KEY, ACCEPT = b"dGhlIHNhbXBsZSBub25jZQ==", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 §1.3
Field = tuple[bytes, bytes]


def request_of(
    *more: Field,
    without: Sequence[bytes] = (),
    extensions: bytes | None = None,
    method: bytes = b"GET",
    version: bytes = b"1.1",
) -> Request:
    """Return the handshake of RFC 6455 §1.2; fields ``without`` are left out, ``more`` added."""
    fields = [
        (b"host", b"server.example.com"),
        (b"upgrade", b"websocket"),
        (b"connection", b"Upgrade"),
        (b"sec-websocket-key", KEY),
        (b"sec-websocket-version", b"13"),
    ]
    if extensions is not None:
        fields.append((b"sec-websocket-extensions", extensions))
    kept = [field for field in fields if field[0] not in without]
    return Request(method, b"/chat", (*kept, *more), version)


def _instead(name: bytes, *values: bytes) -> Request:
    """Return a handshake in which a field has other values."""
    return request_of(*[(name, value) for value in values], without=[name])


def taken(ws: Surface, request: Request) -> Any:
    """Return what a right handshake is read as."""
    try:
        handshake = ws.read_handshake(request)
    except PeerError as error:
        raise Broken(f"a right handshake is refused: {error}", got=request.fields) from error
    for name in ("key", "subprotocols", "offers"):
        if not hasattr(handshake, name):
            raise Broken(f"what was read has no {name}", got=handshake, wanted="a Handshake")
    return handshake


def _answer(ws: Surface, handshake: Any, *rest: Any) -> dict[bytes, bytes]:
    """Return the fields of the 101 by their names in lower case."""
    fields = ws.accept_fields(handshake, *rest)
    if not isinstance(fields, Sequence):
        raise Broken("accept_fields gives no fields", got=fields)
    return _low(fields)


def _refused(ws: Surface, request: Request, status: int, what: str) -> PeerError:
    try:
        got = ws.read_handshake(request)
    except PeerError as error:
        same(f"{what} is refused by another status", error.status, status)
        return error
    except Exception as error:
        raise Broken(f"{what} ended in {type(error).__name__} ({error})") from error
    raise Broken(f"{what} is accepted", got=got, wanted=status)


@case("websocket", "the answer to a key", "RFC 6455 §4.2.2", 12)
def the_answer_to_a_key(ws: Surface) -> None:
    """The key of the RFC's example has the answer of the RFC's example."""
    same("the answer is wrong", ws.accept_key(KEY), ACCEPT)
    same("the answer is wrong", ws.accept_key(b"x3JJHMbDL1EzLkh9GBhXDw=="), SECOND)


SECOND = b"HSmrc0sMlYUkAGmm5OPpG2HaGWk="


@case("websocket", "a right handshake", "RFC 6455 §4.2.1", 12)
def a_right_handshake(ws: Surface) -> None:
    """The handshake of the RFC's example is taken, and so are other forms of the same."""
    both = (b"connection", b"keep-alive"), (b"connection", b"foo, UPGRADE")
    for request in (
        request_of(),
        _instead(b"upgrade", b"WebSocket"),
        _instead(b"upgrade", b"h2c, websocket"),
        request_of(*both, without=[b"connection"]),
    ):
        same("it asks for a WebSocket", ws.is_upgrade(request), True)
        got = taken(ws, request)
        same("the key is another", got.key, KEY)
        same("nothing else was said", (got.subprotocols, got.offers), ((), ()))


@case("websocket", "no handshake", "RFC 6455 §4.2.1", 12)
def no_handshake(ws: Surface) -> None:
    """Upgrade must name websocket, and Connection must name upgrade, or nobody asks for one."""
    for request in (
        request_of(without=[b"upgrade"]),
        request_of(without=[b"connection"]),
        _instead(b"upgrade", b"h2c"),
        _instead(b"upgrade", b"websocket2"),
        _instead(b"connection", b"keep-alive"),
        _instead(b"connection", b"upgrade-insecure"),
    ):
        same("nobody asks for a WebSocket here", ws.is_upgrade(request), False)
        _refused(ws, request, 400, f"{request.fields}")


@case("websocket", "a wrong handshake", "RFC 6455 §4.2.1", 12)
def a_wrong_handshake(ws: Surface) -> None:
    """HTTP/1.1, one Host and a key of 16 bytes are demanded, or the answer is 400."""
    key = b"sec-websocket-key"
    for what, request in {
        "HTTP/1.0": request_of(version=b"1.0"),
        "no Host": request_of(without=[b"host"]),
        "no key": request_of(without=[key]),
        "two keys": _instead(key, KEY, KEY),
        "an empty key": _instead(key, b""),
        "a key of 15 bytes": _instead(key, b"dGhlIHNhbXBsZSBub25j"),
        "a key of 17 bytes": _instead(key, b"dGhlIHNhbXBsZSBub25jZSE="),
        "a key that is no base64": _instead(key, b"dGhlIHNhbXBsZSBub25j?Q=="),
        "a key with a blank": _instead(key, b"dGhlIHNhbXBsZSBub25jZQ == "),
    }.items():
        _refused(ws, request, 400, what)


@case("websocket", "another method", "RFC 6455 §4.2.1", 12)
def another_method(ws: Surface) -> None:
    """A WebSocket is asked for by GET: 405 to others, with the method that is right."""
    for method in (b"POST", b"HEAD", b"get"):
        error = _refused(ws, request_of(method=method), 405, repr(method))
        same("the right method is not named", _low(error.fields).get(b"allow"), b"GET")


@case("websocket", "another version", "RFC 6455 §4.2.2", 12)
def another_version(ws: Surface) -> None:
    """To another version the answer is 426, and says that ours is 13."""
    name = b"sec-websocket-version"
    for version in (b"8", b"14", b"13, 8", b"013", b"", b"thirteen"):
        error = _refused(ws, _instead(name, version), 426, f"version {version!r}")
        same("our version is not named", _low(error.fields).get(name), b"13")
    _refused(ws, request_of(without=[name]), 400, "a handshake without a version")
    _refused(ws, _instead(name, b"13", b"13"), 400, "a handshake with two versions")


def _low(fields: Sequence[Field]) -> dict[bytes, bytes]:
    return {name.lower(): value for name, value in fields}


@case("websocket", "subprotocols", "RFC 6455 §4.2.2", 12)
def subprotocols(ws: Surface) -> None:
    """The client's subprotocols are read in its order, and at most one of them is answered."""
    name = b"sec-websocket-protocol"
    one = taken(ws, request_of((name, b"chat, superchat"), (name, b"v3.json")))
    same("they are others", one.subprotocols, ("chat", "superchat", "v3.json"))
    answer = _answer(ws, one, "superchat", (), None)
    same("the answer is wrong", answer.get(name), b"superchat")
    same("no one is chosen", name in _answer(ws, one, None, (), None), False)
    for wrong in ("Chat", "other", "", "chat, superchat"):
        cannot(lambda: ws.accept_fields(one, wrong, (), None), f"the subprotocol {wrong!r}")  # noqa: B023
    _refused(ws, request_of((name, b"a b")), 400, "a subprotocol that is no token")
    _refused(ws, request_of((name, b"chat, chat")), 400, "a subprotocol offered twice")


@case("websocket", "the answer to a handshake", "RFC 6455 §4.2.2", 12)
def the_answer_to_a_handshake(ws: Surface) -> None:
    """The 101 names the upgrade and the key's answer, then what was agreed, then other fields."""
    handshake = taken(ws, request_of(extensions=b"permessage-deflate"))
    fields = _answer(ws, handshake, None, [(b"X-Seat", b"7")], None)
    wanted = {
        b"upgrade": b"websocket",
        b"connection": b"Upgrade",
        b"sec-websocket-accept": ACCEPT,
        b"x-seat": b"7",
    }
    same("the fields are wrong", fields, wanted)
    fields = _answer(ws, handshake, None, (), Agreed(server_max_window_bits=12))
    same(
        "the extension is wrong",
        fields.get(b"sec-websocket-extensions"),
        b"permessage-deflate; server_max_window_bits=12",
    )


@case("websocket", "fields that are ours", "RFC 6455 §4.2.2", 12)
def fields_that_are_ours(ws: Surface) -> None:
    """An application may add fields to the 101, but none of the handshake's."""
    handshake = taken(ws, request_of())
    for name in (b"Sec-WebSocket-Accept", b"sec-websocket-extensions", b"Upgrade", b"CONNECTION"):
        cannot(lambda: ws.accept_fields(handshake, None, [(name, b"x")], None), repr(name))  # noqa: B023


@case("websocket", "extensions that are no list", "RFC 6455 §9.1", 12)
def extensions_that_are_no_list(ws: Surface) -> None:
    """A Sec-WebSocket-Extensions that breaks the grammar fails the handshake with 400."""
    for value in (
        b"permessage-deflate;",
        b"permessage-deflate; =9",
        b"permessage-deflate; server_max_window_bits=",
        b'permessage-deflate; server_max_window_bits="9',
        b'permessage-deflate; server_max_window_bits="9 9"',
        b"permessage-deflate server_max_window_bits",
        b"; server_max_window_bits",
        b"(permessage-deflate)",
    ):
        _refused(ws, request_of(extensions=value), 400, repr(value))
    for value in (b"", b" , ,foo;bar=1 ,", b'foo; a="b"; c', b"foo, bar,,baz"):
        same("we know none of them", taken(ws, request_of(extensions=value)).offers, ())
