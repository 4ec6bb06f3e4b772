"""What is asked of the servers of WSGI: what they tell, what they offer, what a crash costs."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from workbench.contracts import Broken
from workbench.contracts.wire import Wire, request

from .features import Finding, feature
from .looking import NOTHING, STEP, crowd, heard, noted, threads_of, tried, who_serves, workers
from .starting import Run

wsgi = partial(feature, interface="wsgi")
UNDER_WAY = 40  # requests before what is watched begins, and after it is over
FOUND = 1.5  # seconds in which every worker should have answered once
MOST = 4.0  # seconds that a restart is watched
PEP = "PEP 3333"


# ---------------------------------------------------------------- as told, and as seen


@wsgi("wsgi.multithread", source=f"{PEP}, environ Variables")
def multithread(run: Run) -> Finding:
    """Is the application told that threads call it at one time, and how many do in a process?"""
    told = run.facts()["environ"]["wsgi.multithread"]
    inside = crowd(run)
    most = max((inside.count(pid) for pid in inside), default=0)
    threads = max((threads_of(pid) for pid in inside), default=0)
    seen = f"told {told}; {most} requests at one time in one process, which has {threads} threads"
    return Finding(f"{told}: {most} at one time", seen, bool(told) == (most > 1))


@wsgi("wsgi.multiprocess", source=f"{PEP}, environ Variables", way="workers", lacks="no workers")
def multiprocess(run: Run) -> Finding:
    """Is the application told that other processes run it too, and how many do?"""
    told = run.facts()["environ"]["wsgi.multiprocess"]
    serving = sorted(who_serves(run, FOUND))
    seen = f"told {told}; the processes {serving} have served"
    return Finding(f"{told}: {len(serving)} serve", seen, bool(told) == (len(serving) > 1))


@wsgi("process tree", source="fork(2)", way="workers", lacks="no workers")
def process_tree(run: Run) -> Finding:
    """Of how many processes is a server with two workers made, and which of them serve?"""
    serving = who_serves(run, FOUND)
    others = {run.pid, *workers(run)} - serving
    threads = {pid: threads_of(pid) for pid in sorted(serving | others)}
    roles = {pid: "serves" if pid in serving else "only watches" for pid in threads}
    seen = "; ".join(f"{pid} {roles[pid]}, threads: {threads[pid]}" for pid in threads)
    return Finding(f"{len(serving)} serve, {len(others)} beside", seen, len(serving) > 1)


# ---------------------------------------------------------------- wsgi.input, wsgi.file_wrapper


@wsgi("wsgi.input_terminated", source="an agreement beyond PEP 3333: gist mitsuhiko/5721547")
def input_terminated(run: Run) -> Finding:
    """Is the application told that it may read to the end without knowing the length?"""
    told = run.facts()["environ"].get("wsgi.input_terminated")
    said = "absent" if told is None else str(told)
    return Finding(said, f"environ: {told!r}", bool(told))


@wsgi("read() ends", source=f"{PEP}, Input and Error Streams")
def read_ends(run: Run) -> Finding:
    """Does wsgi.input end with the body, so that read() without a size returns?"""
    wire = run.connect()
    wire.patience = 1.0
    wire.send(request("/w/input?do=read", method="POST", body=b"hello"))
    answer, came = heard(wire)
    if answer is None:
        what = "read() has not returned within 1 s" if came == NOTHING else came
        return Finding("hangs" if came == NOTHING else came, what, False)
    right = answer.body == b'["hello"]'
    return Finding("yes" if right else "not the body", f"{came}: {answer.body[:80]!r}", right)


@wsgi("file_wrapper", source=f"{PEP}, Optional Platform-Specific File Handling")
def file_wrapper(run: Run) -> Finding:
    """Is there a wsgi.file_wrapper, and does the file go by its descriptor or by read()?"""
    found, wrapper = {}, ""
    for length in ("", "yes"):
        token = run.token()
        answer = run.ask(request(f"/w/disk?token={token}&length={length}", "Connection: close"))
        if answer.body != b"0123456789" * 20_000:
            return Finding("wrong content", f"{len(answer.body)} of 200,000 bytes came", False)
        told = noted(run, token, "wrapper")
        wrapper = told["wrapper"] if told is not None else ""
        if not wrapper:
            return Finding("none", "environ has no wsgi.file_wrapper", False)
        reads = [each["read"] for each in run.left_behind(token) if "read" in each]
        found[length] = "by read()" if reads else "by descriptor"
    bare, sized = found[""], found["yes"]
    seen = f"{wrapper}; without a length {bare}, with Content-Length {sized}"
    return Finding(sized, seen, True)


# ---------------------------------------------------------------- the end of a worker


class Stream:
    """Requests one after the other, in a thread of their own, each on a fresh connection or not.

    Each is 20 ms in the application, so that hardly ever none is under way.

    ``asked`` counts them, ``lost`` holds what came instead of an answer, ``pids`` the processes
    that have answered, in the order of their first answer.
    """

    def __init__(self, run: Run, *, kept: bool) -> None:
        self.run = run
        self.kept = kept
        self.asked = 0
        self.lost: list[str] = []
        self.pids: list[int] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Ask no more."""
        self._over.set()
        self._thread.join(5.0)

    def _work(self) -> None:
        wire: Wire | None = None
        while not self._over.wait(0.002):
            wire = self._ask(wire)
        if wire is not None:
            wire.close()

    def _ask(self, wire: Wire | None) -> Wire | None:
        """Ask once; return the connection if it can be asked again."""
        self.asked += 1
        fields = () if self.kept else ("Connection: close",)
        try:
            if wire is not None and wire.readable(0.0):  # closed before we have asked: in order
                wire.close()
                wire = None
            if wire is None:
                wire = Wire(self.run.live.address, 2.0)
            answer, came = heard(wire.send(request("/pid?ms=20", *fields)))
        except Broken as broken:
            answer, came = None, broken.problem.rpartition("] ")[2].lower()
        if answer is not None and not answer.complete:
            answer, came = None, "broken off"
        if answer is None or answer.status != 200:
            self.lost.append(came)
        elif (pid := int(answer.body)) not in self.pids:
            self.pids.append(pid)
        going = answer is not None and self.kept and answer.value("connection") != "close"
        if wire is not None and not going:
            wire.close()
        return wire if going else None


@contextmanager
def streams(run: Run) -> Iterator[list[Stream]]:
    """Keep asking over two fresh connections at a time, and over two that are kept.

    They are well under way when the block begins.
    """
    who_serves(run, FOUND)
    found = [Stream(run, kept=kept) for kept in (False, False, True, True)]
    try:
        _go_on(found)
        yield found
    finally:
        for each in found:
            each.end()


def _end(found: list[Stream]) -> None:
    """Ask on for a while, and end."""
    _go_on(found)
    for each in found:
        each.end()


def _go_on(found: list[Stream]) -> None:
    """Let so many more requests be asked, for a second at most."""
    begun, end = sum(each.asked for each in found), time.monotonic() + 1.0
    while sum(each.asked for each in found) < begun + UNDER_WAY and time.monotonic() < end:
        time.sleep(STEP)


def _lost(found: list[Stream]) -> str:
    """Tell what was lost, of how many, and how."""
    lost = [what for each in found for what in each.lost]
    how = f" ({', '.join(sorted(set(lost)))})" if lost else ""
    return f"{len(lost)} of {sum(each.asked for each in found)}{how}"


@wsgi("crash of a worker", source="fork(2), waitpid(2)", way="workers", lacks="no workers",
      measured=True)  # fmt: skip
def crash(run: Run) -> Finding:
    """A worker ends in the middle of a request: what is lost, and is it replaced?"""
    with run.other("workers") as fresh, streams(fresh) as asking:
        before = set(workers(fresh))
        began = time.monotonic()
        came = tried(fresh, request("/crash"), 2.0)
        new = _new_workers(fresh, before, asking, began + MOST)
        after = time.monotonic() - began
        _end(asking)
        alive = fresh.live.alive
    seen = f"its client: {came}; of the others were lost {_lost(asking)}; "
    seen += f"a new one serves after {after:.1f} s" if new else "nobody took its place"
    if not alive:
        return Finding("the server ends", seen, False)
    said = "replaced" if new else "not replaced"
    return Finding(f"{came}, {said}", seen, bool(new))


def _new_workers(run: Run, before: set[int], asking: list[Stream], until: float) -> set[int]:
    """Wait until a process answers that did not before."""
    while time.monotonic() < until and run.live.alive:
        if new := {pid for each in asking for pid in each.pids} - before:
            return new
        time.sleep(STEP)
    return set()


@wsgi("graceful reload", source="the docs of each server", way="workers", lacks="no workers",
      measured=True)  # fmt: skip
def reload(run: Run) -> Finding:
    """New workers take over while requests come without a pause: how many of them fail?"""
    if not run.server.reload:
        return Finding("no signal for it", "nothing in its docs", False)
    with run.other("workers") as fresh, streams(fresh) as asking:
        before = set(workers(fresh))
        began = time.monotonic()
        os.kill(fresh.pid, getattr(signal, fresh.server.reload))
        new = _new_workers(fresh, before, asking, began + MOST)
        after = time.monotonic() - began
        _all_old_gone(fresh, before, began + MOST)
        _end(asking)
        left = sorted(before & set(workers(fresh)))
    fresh_lost, kept_lost = _lost(asking[:2]), _lost(asking[2:])
    seen = f"fresh connections {fresh_lost}, kept ones {kept_lost}; "
    if not new:
        return Finding("nobody new", seen + f"still there {left}", False)
    seen += f"the first new one serves after {after:.1f} s"
    seen += f"; old ones still there: {len(left)}" if left else ""
    failed = sum(len(each.lost) for each in asking)
    total = sum(each.asked for each in asking)
    return Finding(f"{failed} of {total} fail", seen, not failed)


def _all_old_gone(run: Run, before: set[int], until: float) -> None:
    """Wait until none of the old workers is left."""
    while before & set(workers(run)) and time.monotonic() < until:
        time.sleep(STEP)
