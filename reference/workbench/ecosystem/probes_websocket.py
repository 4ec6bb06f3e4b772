"""Probes of the ASGI table: WebSockets, from the handshake to the code that ends them."""

from __future__ import annotations

import json
import time
from functools import partial

from workbench.contracts import Broken
from workbench.gauntlet.checks_websocket_deflate import NAME, RSV1, WORDS, Squeezed
from workbench.gauntlet.websocket import (
    BINARY,
    CLOSE,
    HELLO,
    PING,
    PONG,
    TEXT,
    closing,
    frame,
    handshake,
    opened,
)

from .features import Finding, NotAsked, feature
from .looking import heard, line_of, noted, sized
from .probes_asgi import SOON, socket_scope, when
from .starting import Run

ws = partial(feature, interface="asgi")
LARGEST = 1 << 24  # bytes beyond which no limit is looked for, but for one byte
SMALLEST = 1024
BUSY = 0.8  # seconds, for the probe's application is busy for 1.5
SILENT = "silence"
PATIENT = 9.0  # seconds for a message of that size: who undoes masks byte by byte needs 2 to 4
EVENT = "ASGI WebSocket 2.5, "


def spoken(run: Run) -> None:
    """Leave a probe out where there is no WebSocket."""
    if run.ask(handshake("/echo"), whole=False).status != 101:
        raise NotAsked("there is no WebSocket")


@ws("WebSocket", source="RFC 6455 §4.2.2")
def websocket(run: Run) -> Finding:
    """Is a handshake answered with 101, and does a message come back?"""
    answer = run.ask(handshake("/echo"), whole=False)
    if answer.status != 101:
        return Finding(f"no: {answer.status}", f"{answer.head[:80]!r}", False)
    talk = opened(run).put(HELLO)
    got = talk.message()
    return Finding("yes", f"{HELLO[:2].hex()}... came back as {got[1]!r}", got[1] == b"Hello")


@ws("subprotocol", source=f"{EVENT}Accept; RFC 6455 §4.2.2")
def subprotocol(run: Run) -> Finding:
    """Does the subprotocol that the application chooses get into the answer?"""
    spoken(run)
    field = "Sec-WebSocket-Protocol: chat.v2, chat.v1"
    answer = run.ask(handshake("/s/accept?subprotocol=chat.v1", field), whole=False)
    chosen = answer.values("sec-websocket-protocol")
    seen = f"{answer.status}; Sec-WebSocket-Protocol: {chosen} for 'chat.v1' of the application"
    return Finding("sent" if chosen == ["chat.v1"] else "lost", seen, chosen == ["chat.v1"])


@ws("fields of an accept", source=f"{EVENT}Accept: headers")
def fields_of_an_accept(run: Run) -> Finding:
    """Do fields of websocket.accept get into the 101: a cookie, for one?"""
    spoken(run)
    answer = run.ask(handshake("/s/accept"), whole=False)
    found = {name: answer.values(name) for name in ("x-a", "set-cookie")}
    right = found == {"x-a": ["1"], "set-cookie": ["a=1", "b=2"]}
    said = "sent" if right else "changed" if any(found.values()) else "dropped"
    return Finding(said, f"{answer.status}; {found}", right)


@ws("permessage-deflate", source="RFC 7692 §5.1, §6")
def deflate(run: Run) -> Finding:
    """Is compression agreed on, and are messages really compressed, in and out?"""
    spoken(run)
    found = Squeezed(run, f"{NAME}; client_max_window_bits")
    if not found.answer:
        return Finding("declined", "no Sec-WebSocket-Extensions in the 101", False)
    packed = found.pressed(WORDS)
    found.talk.put(frame(RSV1 | TEXT, packed))
    came = found.talk.hear("the echo")
    squeezed = bool(came.reserved & RSV1)
    seen = f"{found.answer}; {len(WORDS)} bytes went as {len(packed)}, came as "
    seen += f"{len(came.payload)} with {'' if squeezed else 'no '}RSV1"
    if came.opcode != TEXT or not (squeezed or came.payload == WORDS):
        return Finding("agreed, fails", seen, False)
    return Finding("both ways" if squeezed else "in, not out", seen, squeezed)


@ws("largest message", source="RFC 6455 §10.4", measured=True)
def largest_message(run: Run) -> Finding:
    """How long may a message in one frame be, and what is said to a longer one?"""
    spoken(run)
    with run.other(run.way) as own:  # who works at such a message may have no time for others
        return _largest(own)


def _largest(run: Run) -> Finding:
    high = LARGEST + 1
    end = _refused(run, high)
    if not end:
        return Finding(f"> {sized(LARGEST)}", f"{high} bytes were taken", False)
    size, began = LARGEST, time.monotonic()
    while size >= SMALLEST and (came := _refused(run, size)):
        if came == SILENT:  # it works at it, or hangs: nothing more can be asked of it
            return Finding(f"{sized(size)}: silence", f"{came} for {PATIENT:g} s", None)
        high, size, end, began = size, size // 2, came, time.monotonic()
    took = time.monotonic() - began
    if high - size > 1 and (came := _refused(run, size + 1)):  # limits are round numbers
        high, end = size + 1, came
    while high - size > max(1, size // 64):
        middle = (high + size) // 2
        if came := _refused(run, middle):
            high, end = middle, came
        else:
            size = middle
    seen = f"{size} bytes taken ({took:.2f} s); {high}: {end}"
    return Finding(f"{sized(size)}, then {end}", seen, True)


def _refused(run: Run, size: int) -> str:
    """Send a message of a size; return "" where it arrives, else what came instead."""
    talk = opened(run, "/s/size")
    talk.wire.patience = PATIENT
    try:
        talk.put(frame(BINARY, bytes(size)))
        while (came := talk.hear("how long it was")).opcode in (PING, PONG):
            pass
    except Broken:
        return "cut" if talk.wire.ended else SILENT
    if came.opcode == CLOSE:
        return str(came.code) if came.payload else "no code"
    return "" if json.loads(came.payload) == size else f"{came.payload!r} of it"


@ws("client's close code", source=f"{EVENT}Disconnect: code, reason")
def close_code(run: Run) -> Finding:
    """Is the application told the code and the reason with which its client closes?"""
    spoken(run)
    token = run.token()
    talk = opened(run, f"/echo?token={token}").put(HELLO)
    talk.message()
    talk.put(closing(4001, "bye"))
    told = noted(run, token, "told")
    if told is None:
        return Finding("not told", "no websocket.disconnect within 1.5 s", False)
    code, reason = told["code"], told["reason"]
    right = (code, reason) == (4001, "bye")
    said = "code and reason" if right else "code" if code == 4001 else f"told {code}"
    return Finding(said, f"the client: 4001 'bye'; told: {code}, {reason!r}", code == 4001)


@ws("application's close code", source=f"{EVENT}Close: code, reason; RFC 6455 §7.4")
def own_close_code(run: Run) -> Finding:
    """Do the code and the reason of the application's close get to the client?"""
    spoken(run)
    talk = opened(run, "/s/close?code=4001&reason=bye")
    try:
        came = talk.is_over("a close with 4001")
    except Broken as broken:
        return Finding("nothing comes", broken.problem, False)
    if came is None:
        return Finding("cut off", "the connection ended without a close frame", False)
    reason = came.payload[2:].decode("utf-8", "replace")
    right = (came.code, reason) == (4001, "bye")
    said = "code and reason" if right else "code" if came.code == 4001 else f"sends {came.code}"
    seen = f"the application: 4001 'bye'; came: {came.code}, {reason!r}"
    return Finding(said, seen, came.code == 4001)


@ws("told of a lost WebSocket", source=f"{EVENT}Disconnect: 1006")
def lost(run: Run) -> Finding:
    """When is the application told of a client that crashed, and by which code?"""
    spoken(run)
    token = run.token()
    talk = opened(run, f"/echo?token={token}").put(HELLO)
    talk.message()
    began = time.monotonic()
    talk.wire.reset()
    told = noted(run, token, "told", seconds=2.5)
    if told is None:
        return Finding("not told", "no websocket.disconnect within 2.5 s", False)
    took = time.monotonic() - began
    seen = f"{told['told']}, code {told['code']}, {when(took)}"
    return Finding(f"{told['code']} {when(took)}", seen, told["code"] in (1005, 1006))


@ws("send to a closed WebSocket", source=f"{EVENT}Disconnected Client: an OSError")
def send_to_nobody(run: Run) -> Finding:
    """What does send do when the client has closed and the application was told?"""
    spoken(run)
    token = run.token()
    talk = opened(run, f"/s/gone?token={token}")
    run.noted(token, "here", "the application to listen")
    talk.put(closing())
    late = noted(run, token, "late")
    if late is None:
        raise NotAsked("the application is not told, or its send never returns")
    said = late["late"] or "returns"
    return Finding(said, f"send: {said}", late["late"] == "OSError")


@ws("denial response", source="ASGI Extensions, WebSocket Denial Response")
def denial(run: Run) -> Finding:
    """May the application answer a handshake with a response of its own?"""
    scope = socket_scope(run)
    if scope is None:
        raise NotAsked("there is no WebSocket")
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        return Finding("no", f"extensions: {scope.get('extensions')}", False)
    answer, came = heard(run.connect().send(handshake("/s/deny")))
    if answer is None:
        return Finding(f"offered; {came}", f"came: {came}", False)
    right = (answer.status, answer.value("x-a"), answer.body) == (401, "1", b"no entry")
    seen = f"{line_of(answer)}, x-a: {answer.values('x-a')}, {answer.body!r}; "
    seen += "the application: 401, x-a: 1, 'no entry'"
    return Finding("as it is sent" if right else f"offered, sends {came}", seen, right)


@ws("fails before the accept", source="ASGI 3.0, Error Handling")
def fails_before(run: Run) -> Finding:
    """What does a client get of an application that raises, or returns, before it accepts?"""
    spoken(run)
    found = []
    for how in ("raise", "return"):
        wire = run.connect()
        wire.patience = SOON
        found.append(heard(wire.send(handshake(f"/s/end?when=before&how={how}")))[1])
    seen = f"raises: {found[0]}; returns: {found[1]}"
    answered = all(came.isdigit() and came >= "400" for came in found)
    return Finding(" / ".join(found), seen, answered)


@ws("ping beside a busy application", source="RFC 6455 §5.5.2: as soon as is practical")
def ping(run: Run) -> Finding:
    """Is a ping answered while the application receives nothing?"""
    spoken(run)
    token = run.token()
    talk = opened(run, f"/s/busy?token={token}")
    run.noted(token, "here", "the application to be busy")
    talk.wire.patience = BUSY
    talk.put(frame(PING, b"there?"))
    try:
        came = talk.hear("the pong")
    except Broken as broken:
        run.open(token)
        return Finding("no pong", broken.problem, False)
    run.open(token)
    right = (came.opcode, came.payload) == (PONG, b"there?")
    return Finding("pong" if right else "something else", f"opcode {came.opcode}", right)
