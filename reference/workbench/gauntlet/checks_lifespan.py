"""Lifespan: start-up, state and shutdown, each in a server of its own (ASGI Lifespan 2.0)."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from .asking import Asking, Broken, Live, expect, request, same
from .model import NotAsked, check
from .targets import CannotStart

lifespan = partial(check, group="lifespan", interface="asgi")
OWN = ("probe", "own")
SCOPE = "ASGI Lifespan 2.0, Scope"
STARTUP = "ASGI Lifespan 2.0, Startup"
COMPLETE = "ASGI Lifespan 2.0, Startup Complete"
FAILED = "ASGI Lifespan 2.0, Startup Failed"
SHUTDOWN = "ASGI Lifespan 2.0, Shutdown"
STATE = "ASGI Lifespan 2.0, Lifespan State"


def life(it: Asking) -> dict[str, Any]:
    """Return what the application was told of its life."""
    told: dict[str, Any] = it.told(request("/a/life"))
    return told


def speaks(it: Asking) -> None:
    """Leave a check out for a server that knows nothing of lifespan, as it may."""
    if not life(it).get("scope"):
        raise NotAsked("the server does not speak lifespan")


@lifespan("lifespan is spoken", SCOPE, 10, choice=True)
def spoken(it: Asking) -> None:
    """The application is called with a lifespan scope, so that it can open what it needs."""
    expect(life(it).get("scope"), "the application was never given a lifespan scope")


@lifespan("start-up", STARTUP, 10)
def startup(it: Asking) -> None:
    """The application is told lifespan.startup, once, before it serves."""
    speaks(it)
    told = [each["life"] for each in life(it)["notes"] if "life" in each]
    same(told, ["lifespan.startup"], "what the application was told of its life")


@lifespan("the lifespan scope", SCOPE, 10)
def the_scope(it: Asking) -> None:
    """The scope has its type and the versions, of ASGI and of the lifespan document."""
    speaks(it)
    scope: dict[str, Any] = life(it)["scope"]
    same((scope["type"], scope["asgi"]["version"]), ("lifespan", "3.0"), "type and version")
    expect(scope["asgi"].get("spec_version", "1.0") in ("1.0", "2.0"), "spec_version",
           got=scope["asgi"].get("spec_version"))  # fmt: skip


@lifespan("state", STATE, 10, choice=True)
def state(it: Asking) -> None:
    """What start-up puts into state every request gets."""
    told = it.told(request("/a/state"))
    same((told["type"], told["keys"]), ("dict", ["shared"]), "scope['state'] of a request")


@lifespan("a state each", STATE, 10)
def a_state_each(it: Asking) -> None:
    """Where there is a state, each request gets a shallow copy: none sees another's keys."""
    if it.told(request("/a/state"))["type"] == "NoneType":
        raise NotAsked("the server gives no state")
    for _ in range(2):
        told = it.told(request("/a/state"))
    expect(
        "mine" not in (told["keys"] or []), "a key that another request has set", got=told["keys"]
    )


@lifespan("start-up comes first", COMPLETE, 10, needs=OWN)
def startup_comes_first(it: Asking) -> None:
    """A server must wait for startup.complete before it processes connections."""
    speaks(it)
    token = it.token()
    with it.own("slow", GAUNTLET_LIFE=token) as live:
        for _ in range(10):  # who is turned away before the start-up comes again
            wire = it.connect(live).send(request("/ok", "Connection: close"))
            wire.readable(0.2)  # a server that has accepted us too soon may answer now
            it.open(token)
            if wire.until_any():
                break
        same(wire.response().status, 200, "the request, once the application has started")
        order = [each["life"] for each in it.left_behind(token) if "life" in each]
    same(order[:3], ["lifespan.startup", "started", "/ok"], "what happened in which order")


@lifespan("a failed start-up", COMPLETE, 10, needs=OWN)
def a_failed_startup(it: Asking) -> None:
    """A server must not process connections without startup.complete: startup.failed is none."""
    speaks(it)
    try:
        with it.own("fails") as live:
            if live.ended_within(0.5):
                return
            answer = it.connect(live).send(request("/ok")).response(whole=False)
            same(answer.status // 100, 5, "the status: an application is served that never started")
    except CannotStart:
        pass


@lifespan("the reason of a failed start-up", FAILED, 10, needs=OWN, choice=True)
def the_reason(it: Asking) -> None:
    """The server should log or print the message, and then exit."""
    speaks(it)
    try:
        with it.own("fails") as live:
            expect(live.ended_within(1.0), "the server goes on after startup.failed")
            log = live.log
    except CannotStart as error:
        log = error.log
    expect(any("no database here" in line for line in log), "the reason is not told", got=log[-3:])


@lifespan("returns on lifespan", SCOPE, 10, needs=OWN, choice=True)
def returns_on_lifespan(it: Asking) -> None:
    """An application that returns on the lifespan scope is served, and without delay."""
    usual, took = served(it, ""), served(it, "returns")
    expect(took < 1.0 + 3 * usual, f"it began {took - usual:.1f} s later than one that has a life")


@lifespan("raises on lifespan", SCOPE, 10, needs=OWN)
def raises_on_lifespan(it: Asking) -> None:
    """If the application raises on the lifespan scope the server must go on without it."""
    served(it, "raises")


@lifespan("raises later", SCOPE, 10, needs=OWN)
def raises_later(it: Asking) -> None:
    """If it raises when it has got the start-up, the server must go on as well."""
    served(it, "raises_late")


def served(it: Asking, app: str) -> float:
    """Demand that an application is served; return how long that took."""
    begin = time.monotonic()
    with it.own(app) as live:
        same(it.connect(live).send(request("/ok")).response().status, 200, "the answer")
        return time.monotonic() - begin


@lifespan("shutdown", SHUTDOWN, 10, needs=OWN)
def shutdown(it: Asking) -> None:
    """When it is told to stop the server tells lifespan.shutdown, and waits for its completion."""
    speaks(it)
    token = it.token()
    with it.own("", GAUNTLET_LIFE=token) as live:
        same(it.connect(live).send(request("/ok")).response().status, 200, "a request")
        it.close()
        live.stop()
        expect(ends(live), "the server has not ended 4 s after SIGTERM")
    told = [each["life"] for each in it.left_behind(token) if "life" in each]
    same(told, ["lifespan.startup", "lifespan.shutdown"], "what the application was told")


@lifespan("a graceful stop", "RFC 9112 §9.6", 10, needs=OWN, choice=True)
def a_graceful_stop(it: Asking) -> None:
    """A response that is under way when the server is told to stop comes to its end."""
    token = it.token()
    with it.own() as live:
        sent = request(f"/steps?token={token}")
        wire = it.connect(live).send(sent)
        wire.wait_for(b"first", "the first part")
        live.stop()
        wire.hears_more(0.3)
        it.open(token)
        try:
            same(wire.response().body, b"firstlast", "the response", sent)
        except Broken as broken:
            raise type(broken)(f"cut off: {broken.problem}", sent=sent, got=broken.got) from None


def ends(live: Live) -> bool:
    """Tell whether a server ends soon."""
    return live.ended_within(4.0)
