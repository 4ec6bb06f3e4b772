"""WebSocket: the opening handshake (RFC 6455 §4.2)."""

from __future__ import annotations

import base64
import hashlib

from .asking import Asking, expect, request, same
from .websocket import (
    ACCEPTED,
    HELLO,
    KEY,
    TEXT,
    Socket,
    ask_to_open,
    frame,
    handshake,
    opened,
    refuses,
    ws,
)

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
RULES = "RFC 6455 §4.2.1"
ANSWER = "RFC 6455 §4.2.2"


@ws("the handshake", ANSWER)
def the_handshake(it: Asking) -> None:
    """101 comes with Upgrade: websocket, and with a Connection field that says Upgrade."""
    sent = handshake("/echo")
    talk = ask_to_open(it, sent)
    assert talk.answer is not None
    got = (talk.answer.value("upgrade") or "").lower()
    same(got, "websocket", "the Upgrade of the answer", sent)
    options = [each.strip().lower() for each in (talk.answer.value("connection") or "").split(",")]
    expect("upgrade" in options, "Connection does not say Upgrade", sent, talk.answer.head)


@ws("the answer to the key", ANSWER)
def the_answer_to_the_key(it: Asking) -> None:
    """Sec-WebSocket-Accept is the base64 of the SHA-1 of the key and a fixed GUID."""
    for number in range(3):
        key = base64.b64encode(bytes([number * 85] * 16)) if number else KEY.encode()
        digest = hashlib.sha1(key + GUID, usedforsecurity=False).digest()
        wanted = base64.b64encode(digest).decode() if number else ACCEPTED
        sent = handshake("/echo", key=key.decode())
        talk = ask_to_open(it, sent)
        assert talk.answer is not None
        same(talk.answer.value("sec-websocket-accept"), wanted, "Sec-WebSocket-Accept", sent)


@ws("101 has no content", "RFC 9110 §8.6")
def no_content(it: Asking) -> None:
    """No Content-Length is sent in an answer of 1xx, and no Transfer-Encoding: frames follow."""
    sent = handshake("/echo")
    answer = ask_to_open(it, sent).answer
    assert answer is not None
    for name in ("content-length", "transfer-encoding"):
        at = answer.head.lower().find(name.encode())
        expect(not answer.values(name), f"101 with {name}", sent, answer.head, at)


def bent(name: str, instead: str, target: str = "/echo") -> bytes:
    """Return a handshake with another line in the place of one that begins with ``name``."""
    lines = handshake(target).decode().split("\r\n")
    kept = [instead if line.lower().startswith(name.lower() + ":") else line for line in lines]
    return "\r\n".join(line for line in kept[:-2] if line).encode() + b"\r\n\r\n"


@ws("letters of any case", RULES)
def letters_of_any_case(it: Asking) -> None:
    """The words websocket and Upgrade are compared without regard to case."""
    for sent in (bent("Upgrade", "Upgrade: WebSocket"), bent("Connection", "Connection: upgrade"),
                 bent("Upgrade", "UPGRADE: WEBSOCKET")):  # fmt: skip
        ask_to_open(it, sent).put(HELLO).gives(TEXT, b"Hello")


@ws("Upgrade in a list", RULES)
def upgrade_in_a_list(it: Asking) -> None:
    """Connection is a list that includes the word Upgrade: Firefox sends keep-alive before it."""
    for value in ("keep-alive, Upgrade", "Upgrade,keep-alive"):
        sent = bent("Connection", f"Connection: {value}")
        ask_to_open(it, sent).put(HELLO).gives(TEXT, b"Hello")


@ws("a handshake in pieces", RULES)
def in_pieces(it: Asking) -> None:
    """A handshake is read however the network has cut it."""
    sent = handshake("/echo")
    wire = it.connect()
    for at in range(0, len(sent), 7):
        wire.send(sent[at : at + 7])
    talk = Socket(wire, len(sent))
    same(wire.response().status, 101, "the answer", sent)
    talk.put(HELLO).gives(TEXT, b"Hello")


@ws("a second request", "RFC 9110 §7.8", choice=True)
def a_second_request(it: Asking) -> None:
    """A connection that has carried a request may become a WebSocket by the next one."""
    wire = it.connect().send(request("/ok"))
    wire.response()
    talk = Socket(wire, 0)
    same(talk.begin(handshake("/echo")).status, 101, "the answer", handshake("/echo"))
    talk.put(HELLO).gives(TEXT, b"Hello")


@ws("a hasty client", "RFC 6455 §4.1", choice=True)
def a_hasty_client(it: Asking) -> None:
    """Frames that come in one packet with the handshake are not lost; a client ought to wait."""
    sent = handshake("/echo") + HELLO
    ask_to_open(it, sent).gives(TEXT, b"Hello", "the echo of what came with the handshake")


@ws("another version", "RFC 6455 §4.4")
def another_version(it: Asking) -> None:
    """A version that is not spoken must be refused, and the answer names 13."""
    for version in ("14", "0"):
        sent = handshake("/echo", version=version)
        refuses(it, sent, f"version {version} is accepted", b"Version: " + version.encode(),
                "sec-websocket-version")  # fmt: skip


@ws("426 for another version", ANSWER, choice=True)
def status_for_another_version(it: Asking) -> None:
    """The status for a version that is not spoken is 426 Upgrade Required."""
    sent = handshake("/echo", version="14")
    same(it.ask(sent, whole=False).status, 426, "the status", sent)


@ws("no version", RULES)
def no_version(it: Asking) -> None:
    """A handshake without Sec-WebSocket-Version must not be accepted."""
    refuses(it, handshake("/echo", version=""), "a handshake without a version is accepted")


@ws("no key", RULES)
def no_key(it: Asking) -> None:
    """A handshake without Sec-WebSocket-Key must not be accepted."""
    refuses(it, handshake("/echo", key=""), "a handshake without a key is accepted")


@ws("a wrong key", RULES)
def a_wrong_key(it: Asking) -> None:
    """A key that is not 16 bytes in base64 must not be accepted."""
    for key in ("c2hvcnQ=", "not base64 at all!!!", base64.b64encode(bytes(17)).decode()):
        sent = handshake("/echo", key=key)
        refuses(it, sent, f"the key {key!r} is accepted", key.encode())


@ws("two keys", "RFC 6455 §11.3.1")
def two_keys(it: Asking) -> None:
    """Sec-WebSocket-Key must not appear twice in a request."""
    sent = handshake("/echo", f"Sec-WebSocket-Key: {KEY}")
    refuses(it, sent, "two keys are accepted", b"\r\nSec-WebSocket-Key")


@ws("a handshake by POST", RULES)
def by_post(it: Asking) -> None:
    """A WebSocket is asked for by GET, and by no other method."""
    for method in (b"POST", b"HEAD"):
        sent = handshake("/echo").replace(b"GET", method, 1)
        it.alone()
        wire = it.connect().send(sent)
        if wire.until_any():
            answer = wire.response(head_only=True)
            expect(answer.status != 101, f"{method.decode()} is accepted", sent, answer.head, 9)


@ws("a handshake in HTTP/1.0", "RFC 9110 §7.8")
def in_http_1_0(it: Asking) -> None:
    """A WebSocket needs HTTP/1.1: an Upgrade in HTTP/1.0 must be ignored."""
    sent = handshake("/echo").replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    refuses(it, sent, "HTTP/1.0 is accepted", b"HTTP/1.0")


@ws("a handshake without Host", RULES)
def without_host(it: Asking) -> None:
    """A handshake has a Host field."""
    sent = bent("Host", "")
    refuses(it, sent, "a handshake without Host is accepted")


@ws("no Connection: Upgrade", RULES)
def no_connection_upgrade(it: Asking) -> None:
    """Upgrade alone is not enough: Connection must say so too, or a proxy has passed it on."""
    for sent in (bent("Connection", ""), bent("Connection", "Connection: keep-alive"),
                 bent("Upgrade", "")):  # fmt: skip
        refuses(it, sent, "half of the wish is enough", b"\r\n\r\n")


@ws("another protocol", "RFC 9110 §7.8")
def another_protocol(it: Asking) -> None:
    """Only to a protocol that the client has named may a server change."""
    sent = bent("Upgrade", "Upgrade: chat/2, websockets")
    refuses(it, sent, "a WebSocket, where the client has asked for something else", b"chat/2")


@ws("an extension nobody offered", "RFC 6455 §9.1")
def no_extension(it: Asking) -> None:
    """The answer names no extension that the client has not offered, or that nobody knows."""
    for fields in ((), ("Sec-WebSocket-Extensions: x-unknown; a=b",)):
        sent = handshake("/echo", *fields)
        talk = ask_to_open(it, sent)
        assert talk.answer is not None
        got = talk.answer.values("sec-websocket-extensions")
        expect(not got, f"the answer has {got}", sent, talk.answer.head)
        talk.put(HELLO).gives(TEXT, b"Hello")


@ws("a subprotocol nobody chose", ANSWER)
def no_subprotocol(it: Asking) -> None:
    """Without a choice of the application the answer has no Sec-WebSocket-Protocol of its own."""
    sent = handshake("/echo")
    answer = ask_to_open(it, sent).answer
    assert answer is not None
    got = answer.values("sec-websocket-protocol")
    expect(not got, f"the answer has {got}, and the client offered none", sent, answer.head)


@ws("a broken list of extensions", "RFC 6455 §9.1", choice=True)
def broken_extensions(it: Asking) -> None:
    """A Sec-WebSocket-Extensions that is no list of extensions is refused."""
    sent = handshake("/echo", 'Sec-WebSocket-Extensions: =; "a" b')
    refuses(it, sent, "what is no list of extensions is accepted", b'=; "a"')


@ws("half a handshake", "RFC 6455 §10.4", choice=True)
def half_a_handshake(it: Asking) -> None:
    """Twenty clients inside their handshake, and twenty that say nothing in a WebSocket, wait."""
    for _ in range(20):
        it.connect().send(handshake("/echo")[:-2])
    for _ in range(20):
        opened(it, beside=True)
    talk = opened(it, beside=True)
    talk.put(frame(TEXT, b"we too")).gives(TEXT, b"we too", "the client behind forty silent ones")
