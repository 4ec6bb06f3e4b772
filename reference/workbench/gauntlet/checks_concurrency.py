"""Concurrency, proven by asking in the reverse order of connecting.

A server that serves one after the other passes any weaker test: the kernel accepts connections for
it, and keeps what they ask until it has time.  No specification demands concurrency, so these are
choices, but for the two that are about correctness.
"""

from __future__ import annotations

import time
from functools import partial

from .asking import Asking, expect, request, same
from .model import check

concurrency = partial(check, group="concurrency")
COURSE = "PEP 3333, Thread Support"
BARE: tuple[str, ...] = ()
CROWD = 12


@concurrency("in turn", "RFC 9110 §3.3", 5)
def in_turn(it: Asking) -> None:
    """Clients that ask at the same time are all answered, each with its own answer."""
    wires = [it.connect() for _ in range(5)]  # as many as the smallest backlog holds
    for number, wire in enumerate(wires):
        wire.send(request(f"/ok?say={number}", "Connection: close"))
    for number, wire in enumerate(wires):
        same(wire.response().body, b"%d" % number, "the answer to another client")
        wire.close()


@concurrency("in reverse", COURSE, 5, choice=True, needs=BARE)
def in_reverse(it: Asking) -> None:
    """Who asks first is served first, whoever has connected first."""
    wires = [it.connect() for _ in range(CROWD)]
    for wire in reversed(wires):
        same(wire.send(request("/ok")).response().status, 200, "the last connection asks first")


@concurrency("together", COURSE, 5, choice=True)
def together(it: Asking) -> None:
    """Two requests run at the same time: each waits in the application for the other one."""
    side_by_side(it, 2)


@concurrency("four together", COURSE, 5, choice=True)
def four_together(it: Asking) -> None:
    """Four requests run at the same time."""
    side_by_side(it, 4)


@concurrency("forty together", "ASGI 3.0, Overview", 9, choice=True)
def forty_together(it: Asking) -> None:
    """Forty requests run at the same time, which takes forty threads, or none."""
    side_by_side(it, 40)


def side_by_side(it: Asking, number: int) -> None:
    """Demand that so many requests are in the application at one time."""
    token = it.token()
    wires = [it.connect() for _ in range(number)]
    for wire in reversed(wires):
        wire.send(request(f"/together?n={number}&token={token}", "Connection: close"))
    for wire in reversed(wires):
        same(wire.response().body, b"together", f"how one of {number} requests found itself")


@concurrency("a waiting request holds up nobody", COURSE, 5, choice=True)
def a_waiting_request(it: Asking) -> None:
    """While one request waits in the application another one is answered."""
    token = it.token()
    wire = it.connect().send(request(f"/wait?seconds=1&token={token}"))
    begin = time.monotonic()
    while not it.left_behind(token) and time.monotonic() - begin < it.patience:
        time.sleep(0.01)
    same(it.ask(request("/ok")).status, 200, "the other request")
    it.open(token)
    same(wire.response().body, b"opened", "the one that waited: it was tired before the other came")


@concurrency("uploads keep apart", "RFC 9110 §3.3", 5)
def uploads_keep_apart(it: Asking) -> None:
    """Uploads that arrive in pieces, in turn, are not mixed."""
    bodies = [bytes([65 + number]) * 20_000 for number in range(4)]
    wires = [it.connect() for _ in bodies]
    sent = [request("/echo", "Connection: close", method="POST", body=body) for body in bodies]
    for start in range(0, 24_000, 4_000):
        for wire, whole in zip(wires, sent, strict=True):
            wire.send(whole[start : start + 4_000])
    for wire, body in zip(wires, bodies, strict=True):
        got = wire.response().body
        wire.close()
        expect(got == body, "one upload is not what was sent", got=got[:60])


@concurrency("nothing is left over", "RFC 9110 §3.3", 4)
def nothing_is_left_over(it: Asking) -> None:
    """What one client uploads, another one never reads."""
    secret = request("/echo", method="POST", body=b"my secret")
    same(it.ask(secret).body, b"my secret", "the body", secret)
    for body in (b"something", b""):
        sent = request("/echo", method="POST", body=body)
        same(it.ask(sent).body, body, "the body of the next client", sent)
