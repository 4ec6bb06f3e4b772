"""WebSocket: compression (RFC 7692), where a server agrees to it."""

from __future__ import annotations

import zlib

from .asking import Asking, Miss, expect, same
from .model import NotAsked
from .websocket import (
    BINARY,
    CONTINUES,
    HELLO,
    PING,
    TEXT,
    Socket,
    ask_to_open,
    fails,
    frame,
    handshake,
    ws,
)

NAME = "permessage-deflate"
RSV1 = 0x40
TAIL = b"\0\0\xff\xff"
OFFER = "RFC 7692 §7.1"
WORDS = b"the same words again and again, " * 20
FIELD = "Sec-WebSocket-Extensions"


class Squeezed:
    """A WebSocket with compression, and both of its streams."""

    def __init__(self, it: Asking, offer: str, target: str = "/echo") -> None:
        self.sent = handshake(target, f"{FIELD}: {offer}")
        self.talk: Socket = ask_to_open(it, self.sent)
        assert self.talk.answer is not None
        self.head = self.talk.answer.head
        self.answer = ", ".join(self.talk.answer.values(FIELD))
        self._deflate = zlib.compressobj(6, zlib.DEFLATED, -9)
        self._inflate = zlib.decompressobj(-15)

    @property
    def parameters(self) -> dict[str, str]:
        """What was agreed on: each parameter's value, "" for one that has none."""
        parts = [part.strip() for part in self.answer.split(";")[1:]]
        return {name.strip(): value.strip().strip('"')
                for name, _, value in (part.partition("=") for part in parts)}  # fmt: skip

    def pressed(self, data: bytes) -> bytes:
        """Return a message, compressed behind those before it."""
        packed = self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return packed[:-4]

    def gives(self, data: bytes, what: str, anew: bool = False) -> None:
        """Demand a message, compressed or not."""
        _, got, reserved = self.talk.message(what)
        if reserved & RSV1:
            if anew:
                self._inflate = zlib.decompressobj(-15)
            try:
                got = self._inflate.decompress(got + TAIL)
            except zlib.error as error:
                raise Miss(f"{what} cannot be inflated: {error}", sent=self.talk.sent,
                           got=got) from None  # fmt: skip
        same(got, data, what, self.talk.sent)


def squeezed(it: Asking, offer: str = f"{NAME}; client_max_window_bits") -> Squeezed:
    """Return a WebSocket with compression; the check does not apply where a server declines it."""
    found = Squeezed(it, offer)
    if not found.answer:
        raise NotAsked(f"the server declines {offer!r}, as it may")
    return found


@ws("compression is agreed on", OFFER, choice=True)
def compression(it: Asking) -> None:
    """A client that offers to compress finds a server that does."""
    found = Squeezed(it, f"{NAME}; client_max_window_bits")
    expect(found.answer.startswith(NAME), "the offer is declined", found.sent, found.head)


@ws("a compressed message", "RFC 7692 §7.2.2")
def a_compressed_message(it: Asking) -> None:
    """A message with RSV1 is inflated; its echo, where it has RSV1, is deflated."""
    found = squeezed(it)
    for data in (b"Hello", WORDS, b""):
        found.talk.put(frame(RSV1 | TEXT, found.pressed(data)))
        found.gives(data, f"the echo of {len(data)} bytes")


@ws("the window is kept", "RFC 7692 §7.2.2")
def the_window_is_kept(it: Asking) -> None:
    """A message may point into those before it, unless both have agreed that it does not."""
    found = squeezed(it)
    if "client_no_context_takeover" in found.parameters:
        raise NotAsked("the server asks for messages that stand alone")
    for _ in range(3):
        found.talk.put(frame(RSV1 | TEXT, found.pressed(WORDS)))
        found.gives(WORDS, "the echo of what points back")


@ws("compressed fragments", "RFC 7692 §6.1")
def compressed_fragments(it: Asking) -> None:
    """A message is compressed, then cut: RSV1 stands in the first frame alone."""
    found = squeezed(it)
    packed = found.pressed(WORDS)
    found.talk.put(
        frame(RSV1 | TEXT, packed[:5], last=False),
        frame(CONTINUES, packed[5:9], last=False),
        frame(CONTINUES, packed[9:]),
    )
    found.gives(WORDS, "the echo of a message in three fragments")


@ws("a ping in a compressed message", "RFC 6455 §5.4")
def a_ping_in_a_compressed_message(it: Asking) -> None:
    """A ping between compressed fragments is answered, and does not change what they are."""
    found = squeezed(it)
    packed = found.pressed(WORDS)
    found.talk.put(frame(RSV1 | TEXT, packed[:5], last=False), frame(PING, b"between"))
    found.talk.pong(b"between")
    found.talk.put(frame(CONTINUES, packed[5:]))
    found.gives(WORDS, "the echo of a message around a ping")


@ws("plain beside compressed", "RFC 7692 §6")
def plain_beside_compressed(it: Asking) -> None:
    """A message without RSV1 is not compressed, though both could."""
    found = squeezed(it)
    found.talk.put(HELLO, frame(RSV1 | BINARY, found.pressed(b"packed")))
    found.gives(b"Hello", "the echo of a plain message")
    found.gives(b"packed", "the echo of a compressed one")


@ws("messages that stand alone", "RFC 7692 §7.1.1.1")
def messages_that_stand_alone(it: Asking) -> None:
    """A server that agrees to server_no_context_takeover must begin each message anew."""
    found = squeezed(it, f"{NAME}; server_no_context_takeover")
    same(found.parameters.get("server_no_context_takeover"), "", "what the answer says of it",
         found.sent)  # fmt: skip
    for _ in range(3):
        found.talk.put(frame(RSV1 | TEXT, found.pressed(WORDS)))
        found.gives(WORDS, "an echo that points at none before it", anew=True)


@ws("a small window", "RFC 7692 §7.1.2.1")
def a_small_window(it: Asking) -> None:
    """A server that accepts server_max_window_bits says so, and with no more than was asked."""
    squeezed(it)
    for bits in (9, 12, 15):
        found = Squeezed(it, f"{NAME}; server_max_window_bits={bits}")
        if found.answer:
            said = int(found.parameters.get("server_max_window_bits", "15"))
            expect(said <= bits, f"asked for {bits}, and the answer is {said}", found.sent,
                   found.head)  # fmt: skip


@ws("no word of the client's window", "RFC 7692 §7.1.2.2")
def no_word_of_the_clients_window(it: Asking) -> None:
    """client_max_window_bits must not be in the answer to a client that has not offered it."""
    found = squeezed(it, NAME)
    expect("client_max_window_bits" not in found.parameters, "it was not offered", found.sent,
           found.head, found.head.find(b"client_max"))  # fmt: skip


@ws("offers that are wrong", OFFER)
def offers_that_are_wrong(it: Asking) -> None:
    """A server must decline an offer with an unknown parameter, a wrong value, or one twice."""
    squeezed(it)
    for bad in ("x_unknown", "server_max_window_bits=7", "server_max_window_bits=16",
                "server_max_window_bits", "server_no_context_takeover=1",
                "server_no_context_takeover; server_no_context_takeover"):  # fmt: skip
        sent = handshake("/echo", f"{FIELD}: {NAME}; {bad}")
        it.alone()
        wire = it.connect().send(sent)
        if not wire.until_any():
            continue
        answer = wire.response(whole=False)
        if answer.status == 101 and answer.values(FIELD):
            at = answer.head.lower().find(FIELD.lower().encode())
            raise Miss(f"the offer with {bad!r} is accepted", sent=sent, got=answer.head,
                       suspect=bad.encode(), at=at)  # fmt: skip


@ws("a fallback is taken", "RFC 7692 §5", choice=True)
def a_fallback_is_taken(it: Asking) -> None:
    """Of two offers, the first of them unknown, the second is taken."""
    found = Squeezed(it, f"{NAME}; x_unknown, {NAME}")
    expect(found.answer, "both offers are declined", found.sent, found.head)


@ws("RSV1 on a ping", "RFC 7692 §6.1")
def rsv1_on_a_ping(it: Asking) -> None:
    """A control frame is never compressed: RSV1 on one must fail the connection."""
    squeezed(it)
    fails(it, frame(RSV1 | PING, b"x"), why="RSV1 on a ping", at=0, fields=(f"{FIELD}: {NAME}",))


@ws("RSV1 behind the first frame", "RFC 7692 §6.1", choice=True)
def rsv1_behind_the_first(it: Asking) -> None:
    """RSV1 stands in the first frame of a message; in a later one it fails the connection."""
    packed = squeezed(it).pressed(WORDS)
    first = frame(RSV1 | TEXT, packed[:5], last=False)
    fails(it, first, frame(RSV1 | CONTINUES, packed[5:]), why="RSV1 on a continuation",
          at=len(first), fields=(f"{FIELD}: {NAME}",))  # fmt: skip


@ws("what is not deflated", "RFC 7692 §7.2.2", choice=True)
def what_is_not_deflated(it: Asking) -> None:
    """A message with RSV1 that cannot be inflated fails the connection, and nothing else."""
    squeezed(it)
    fails(it, frame(RSV1 | TEXT, b"\x07 nothing that was deflated"), why="it cannot be inflated",
          at=6, fields=(f"{FIELD}: {NAME}",))  # fmt: skip
    squeezed(it).talk.put(HELLO).message("the echo of the next client")


@ws("a bomb", "RFC 6455 §10.4", choice=True)
def a_bomb(it: Asking) -> None:
    """A message of 64 KB that would inflate to 64 MB is given up: 1009, and nobody has the RAM."""
    squeezed(it)
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(pack.compress(bytes(1 << 20)) for _ in range(64))
    bomb += pack.flush(zlib.Z_SYNC_FLUSH)[:-4]
    fails(it, frame(RSV1 | BINARY, bomb), why="it inflates to 64 MB", codes=(1009,), at=0,
          fields=(f"{FIELD}: {NAME}",))  # fmt: skip
