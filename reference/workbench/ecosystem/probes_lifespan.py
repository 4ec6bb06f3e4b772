"""Probes of the ASGI table: the life of an application, in a server of its own (ASGI Lifespan 2.0).

What an exit says is looked at too: a supervisor knows a failed start-up by nothing but its status.
"""

from __future__ import annotations

import os
import re
import time
from functools import partial

from workbench.contracts.wire import request

from .features import Finding, NotAsked
from .features import feature as any_feature
from .looking import heard
from .probes_asgi import when
from .starting import CannotServe, Run

life = partial(any_feature, interface="asgi")
REASON = "no database here"  # what the probe says of a start-up that fails
LATE = 2.0  # seconds beyond the usual start that are not the machine's
DYING = 2.0  # seconds in which a server that gives up should be gone
ENDING = 4.0  # seconds for a shutdown


def speaks(run: Run) -> bool:
    """Tell whether the application was given a lifespan scope."""
    return bool(run.told(request("/a/life")).get("scope"))


@life("lifespan", source="ASGI Lifespan 2.0, Scope")
def spoken(run: Run) -> Finding:
    """Is the application called for its life, and told of its start-up?"""
    told = run.told(request("/a/life"))
    names = [each["life"] for each in told["notes"] if "life" in each]
    seen = f"scope: {told.get('scope')}; told: {names}"
    good = names == ["lifespan.startup"]
    return Finding("yes" if good else "no", seen, good)


@life("startup.failed", source="ASGI Lifespan 2.0, Startup Failed: log the message, and exit")
def startup_failed(run: Run) -> Finding:
    """What does a server do with an application that says it cannot start up?"""
    try:
        with run.other(run.way, "probe:fails") as own:
            came = heard(own.connect().send(request("/ok")))[1]
            if came == "200":
                return Finding("serves nevertheless", "200 to the first request", False)
            if not own.live.ended_within(DYING):
                return Finding(f"stays, answers {came}", f"still there after {DYING:g} s", False)
            return _exit(status_of(own.pid), "\n".join(own.log))
    except CannotServe as error:
        found = re.search(r"ended with (-?\d+)", str(error))
        if found is None:
            return Finding("hangs", str(error), False)
        return _exit(int(found[1]), "\n".join(error.log))


def _exit(status: int, log: str) -> Finding:
    """Tell how a server ended, and whether it said why."""
    told = REASON in log
    line = next((each for each in reversed(log.splitlines()) if REASON in each), log[-100:])
    line = re.sub(r"^(\[[^\]]*\] *)+", "", line.strip())  # the time and the process
    said = f"exit {status}, {'with' if told else 'without'} reason"
    seen = f"exit status {status}; the log: {line[-160:]}"
    return Finding(said, seen, told and status > 0)


def status_of(pid: int) -> int:
    """Return the exit status of a child that nobody has waited for yet; a signal is negative."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if ended is None:
        raise ValueError(f"{pid} has not ended")
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


@life("raises on lifespan", source="ASGI Lifespan 2.0, Scope: continue without")
def raises_on_lifespan(run: Run) -> Finding:
    """Is an application served that raises on the lifespan scope, at once or at the start-up?"""
    found = {}
    for app in ("raises", "raises_late"):
        try:
            with run.other(run.way, f"probe:{app}") as own:
                found[app] = heard(own.connect().send(request("/ok")))[1]
        except CannotServe as error:
            found[app] = f"does not start: {str(error)[-60:]}"
    served = [came == "200" for came in found.values()]
    said = {2: "served", 1: "served if at once" if served[0] else "served if late"}
    return Finding(said.get(sum(served), "not served"), str(found), all(served))


@life("returns on lifespan", source="ASGI Lifespan 2.0, Scope")
def returns_on_lifespan(run: Run) -> Finding:
    """Is an application that returns on the lifespan scope served, and without delay?"""
    took = []
    for app in ("app", "returns"):
        began = time.monotonic()
        try:
            with run.other(run.way, f"probe:{app}") as own:
                came = heard(own.connect().send(request("/ok")))[1]
                took.append(time.monotonic() - began)
        except CannotServe as error:
            return Finding("not served", str(error), False)
    late = max(0.0, took[1] - took[0])
    how = "at once" if late < LATE else when(late)
    seen = f"{came}, {how}, against an application that stays"
    if came != "200":
        return Finding("not served", seen, False)
    return Finding(f"served {how}", seen, late < LATE)


@life("state", source="ASGI Lifespan 2.0, Lifespan State: a shallow copy for each request")
def state(run: Run) -> Finding:
    """Does what start-up puts into state reach each request, and as a copy?"""
    first, second = (run.told(request("/a/state")) for _ in range(2))
    seen = f"the first request found {first['keys']}, the second {second['keys']}"
    if first["keys"] is None:
        return Finding("none", seen, False)
    if "shared" not in first["keys"]:
        return Finding("empty", seen, False)
    one_for_all = "mine" in second["keys"]
    return Finding("one for all" if one_for_all else "a copy each", seen, not one_for_all)


@life("shutdown told", source="ASGI Lifespan 2.0, Shutdown")
def shutdown(run: Run) -> Finding:
    """Is the application told of SIGTERM, and does the server then end?"""
    if not speaks(run):
        raise NotAsked("lifespan is not spoken")
    token = run.token()
    with run.other(run.way, GAUNTLET_LIFE=token) as own:
        own.ask(request("/ok"))
        own.live.stop()
        ended = own.live.ended_within(ENDING)
        status = status_of(own.pid) if ended else None
        told = [each["life"] for each in own.left_behind(token) if "life" in each]
    seen = f"told {told}; {f'exit {status}' if ended else f'still there after {ENDING:g} s'}"
    if status and status > 0 and own.log:
        seen += f": {own.log[-1][-120:]}"
    good = told == ["lifespan.startup", "lifespan.shutdown"]
    said = f"{'told' if good else 'not told'}, {'exits' if ended else 'stays'}"
    return Finding(said, seen, good and ended)
