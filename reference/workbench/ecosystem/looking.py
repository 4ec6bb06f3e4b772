"""How the probes of both tables look: what came back, who is inside, how much is taken.

What a server does wrong is a finding here and no error, so each of these functions tells in a word
what came instead of an answer.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Callable
from typing import Any

import psutil  # type: ignore[import-untyped]  # published without types

from workbench.contracts import Broken
from workbench.contracts.wire import Answer, Wire, request

from .starting import Run

STEP = 0.02  # seconds between two looks
CLOSELY = 65536  # bytes up to which a limit is found to the byte
CROWD = 40  # requests at one time: more than any server here has threads
SETTLED = 0.3  # seconds without a new arrival, after which nobody more is expected
ABREAST = 8  # requests at a time, by which the processes that serve are found
ROUNDS = 3  # of such requests without a new process, after which there is none
NOTHING, CLOSED, RESET = "silence", "closed", "reset"


def heard(wire: Wire, *, head_only: bool = False) -> tuple[Answer | None, str]:
    """Return the next answer, or None and what came instead: silence, closed, reset, no HTTP."""
    try:
        if not wire.until_any():
            return None, RESET if wire.was_reset else CLOSED
        answer = wire.response(head_only=head_only, whole=False)
    except Broken as broken:
        silent = broken.problem.startswith("still waiting")
        return None, NOTHING if silent else "no HTTP"
    return answer, str(answer.status)


def tried(run: Run, sent: bytes, seconds: float = 1.0) -> str:
    """Ask on a fresh connection; return the status, or what came instead, in a word.

    Raise Broken when nobody listens any more: that is no answer.
    """
    try:
        wire = run.connect()
        wire.patience = seconds
        wire.send(sent)
    except Broken as broken:
        if "refused" in broken.problem:
            raise
        return NOTHING
    try:
        return heard(wire)[1]
    finally:
        wire.close()


def noted(run: Run, token: str, key: str = "here", seconds: float = 1.5) -> dict[str, Any] | None:
    """Wait until the application has noted a key; None when it does not.

    The server is not asked: it may have nobody left to answer.
    """
    end = time.monotonic() + seconds
    while True:
        for each in run.left_behind(token):
            if key in each:
                return each
        if time.monotonic() > end:
            return None
        time.sleep(STEP)


def line_of(answer: Answer) -> str:
    """Return the status line of an answer, for the evidence."""
    return answer.head.partition(b"\r\n")[0].decode("latin-1")


# ---------------------------------------------------------------- many at one time


def crowd(run: Run, number: int = CROWD) -> list[int]:
    """Ask so many requests at one time, each of which stays inside until nobody more comes in.

    Return the process of each that was inside.  The connections are made without waiting: a server
    with a short backlog does not accept them all.
    """
    token = run.token()
    sent = request(f"/wait?seconds=2&token={token}", "Connection: close")
    watch = selectors.DefaultSelector()
    try:
        for _ in range(number):
            _knock(watch, run.live.address)
        inside = _who_comes(run, watch, token, sent)
        run.open(token)
        _let_out(watch, sent)
    finally:
        for key in list(watch.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # all of them are sockets
        watch.close()
    return inside


def _knock(watch: selectors.BaseSelector, address: tuple[str, int]) -> None:
    sock = socket.socket()
    sock.setblocking(False)
    if sock.connect_ex(address[:2]) in (0, errno.EINPROGRESS):
        watch.register(sock, selectors.EVENT_WRITE)
    else:
        sock.close()


def _who_comes(run: Run, watch: selectors.BaseSelector, token: str, sent: bytes) -> list[int]:
    """Ask on each connection as soon as it is made; wait until nobody more is noted."""
    begun = changed = time.monotonic()
    inside: list[int] = []
    while time.monotonic() - max(changed, begun + SETTLED) < SETTLED:
        _go_on(watch, sent, STEP)
        now = [each["pid"] for each in run.left_behind(token) if "pid" in each]
        if len(now) != len(inside):
            inside, changed = now, time.monotonic()
        if time.monotonic() - begun > 2.0:
            break
    return inside


def _go_on(watch: selectors.BaseSelector, sent: bytes, seconds: float) -> None:
    """Ask where that can be done now; read what has come."""
    for key, events in watch.select(seconds):
        sock: Any = key.fileobj
        try:
            if events & selectors.EVENT_WRITE:
                sock.send(sent)
                watch.modify(sock, selectors.EVENT_READ)
            elif not sock.recv(65536):
                raise ConnectionError
        except BlockingIOError:
            continue
        except OSError:
            watch.unregister(sock)
            sock.close()


def _let_out(watch: selectors.BaseSelector, sent: bytes) -> None:
    """Read all answers, for a second at most."""
    end = time.monotonic() + 1.0
    while watch.get_map() and time.monotonic() < end:
        _go_on(watch, sent, STEP)


# ---------------------------------------------------------------- how much is taken


def largest(run: Run, sent: Callable[[int], bytes], first: int, cap: int) -> tuple[int, str]:
    """Return the largest size whose request is answered with 200, and what came beyond it.

    Found by doubling up to ``cap``, then by halving the gap: to the byte below 64 KiB, above that
    to a 256th.  What came is "" when ``cap`` was taken too.  Raise Broken when not even ``first``
    is taken.
    """
    low, size = 0, first
    while (came := tried(run, sent(size))) == "200":
        if size >= cap:
            return size, ""
        low, size = size, min(size * 2, cap)
    if not low:
        raise Broken(f"not even a size of {first} is taken: {came}", sent=sent(first))
    high, said = size, came
    while high - low > (low // 256 if low >= CLOSELY else 1) and came != NOTHING:
        middle = (low + high) // 2
        came = tried(run, sent(middle))
        if came == "200":
            low = middle
        else:
            high, said = middle, came
    return low, said


def sized(size: int) -> str:
    """Write a size as it stands in a cell: to the byte where ``largest`` looks so closely.

    >>> sized(8190), sized(65536), sized(1 << 20)
    ('8190', '64 KiB', '1 MiB')
    """
    if size >= 1 << 20:
        return f"{size / (1 << 20):.3g} MiB"
    return f"{size / 1024:.0f} KiB" if size >= CLOSELY else str(size)


# ---------------------------------------------------------------- the processes


def who_serves(run: Run, seconds: float = 3.0) -> set[int]:
    """Return the processes that answer: asked until some rounds have brought nobody new.

    One process alone is asked for so many seconds: a second one may only be slow to come.  A round
    asks one after the other, which finds processes of many threads, each of which would take a
    crowd whole; then several at a time, which are held inside, so that one who runs one request
    leaves the next to somebody else.
    """
    found: set[int] = set()
    quiet, end = 0, time.monotonic() + seconds
    while time.monotonic() < end and (len(found) < 2 or quiet < ROUNDS):
        before = len(found)
        for _ in range(ABREAST):
            found.add(int(run.ask(request("/pid", "Connection: close")).body))
        found |= _abreast(run)
        quiet = quiet + 1 if len(found) == before else 0
    return found


def _abreast(run: Run) -> set[int]:
    """Return the processes that answer several requests at a time, each 20 ms inside."""
    wires = [run.connect() for _ in range(ABREAST)]
    for wire in wires:
        wire.send(request("/pid?ms=20", "Connection: close"))
    came = [heard(wire)[0] for wire in wires]
    for wire in wires:
        wire.close()
    return {int(answer.body) for answer in came if answer is not None and answer.status == 200}


def workers(run: Run) -> list[int]:
    """Return the processes below the one that was started."""
    try:
        return sorted(each.pid for each in psutil.Process(run.pid).children(recursive=True))
    except psutil.Error:
        return []


def threads_of(pid: int) -> int:
    """Return how many threads a process has, as the system counts them; 0 when it is gone."""
    try:
        return int(psutil.Process(pid).num_threads())
    except psutil.Error:
        return 0
