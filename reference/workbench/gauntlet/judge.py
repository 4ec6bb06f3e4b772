"""Ask a server every check, several at a time, and say what came.

Each worker has a server of its own, so a check that upsets one spoils no other.  A server that
ends is started again a few times; after that the rest is not run.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress

from workbench.contracts import Broken

from .asking import Asking, Live, request
from .model import Check, NotAsked, Report, Result, checks_for
from .targets import CannotStart, Starter, Target, starter

RESTARTS = 3  # of a server that ends by itself, for each worker
CALM = 4.0  # seconds that a server has to answer a plain request after a check that it failed
LAST_BREATH = 0.3  # seconds from a server's last word to the end of its process
ENDED = "not run: the server has ended"

Heard = Callable[[Result, int, int], None]


def judge(
    target: Target,
    *,
    group: str = "",
    chapter: int = 99,
    checks: Sequence[Check] | None = None,
    jobs: int = 0,
    heard: Heard = lambda result, done, of: None,
) -> Report:
    """Return the report on a server; ``heard`` is told of each result as it comes.

    Raise CannotStart when the server does not start at all.
    """
    begin = time.monotonic()
    found = checks_for(target.interface, target.provides, group)
    wanted = [each for each in found if each.chapter <= chapter]
    if checks is not None:
        wanted = [each for each in checks if each in wanted]
    results: dict[str, Result] = {}
    lock = threading.Lock()

    def tell(result: Result) -> None:
        with lock:
            results[result.check.name] = result
            heard(result, len(results), len(wanted))

    logger = logging.getLogger("handmade")
    propagate = logger.propagate
    try:
        with starter(target) as start:
            _work(start, wanted, tell, jobs or target.jobs)
    finally:
        logger.propagate = propagate  # several servers in this process take it in turns
    report = Report(target.name, target.interface, target.described())
    report.results = [results[each.name] for each in wanted if each.name in results]
    report.seconds = time.monotonic() - begin
    return report


def _work(
    start: Starter, checks: Sequence[Check], tell: Callable[[Result], None], jobs: int
) -> None:
    """Let several workers take the checks from one line, the long ones first."""
    line: queue.SimpleQueue[Check] = queue.SimpleQueue()
    for each in sorted(checks, key=lambda each: "own" not in each.needs):
        line.put(each)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            Worker(start, line, tell).run()
        except BaseException as error:  # raised again in the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(jobs, len(checks)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


class Worker:
    """Takes checks from the line, and asks them of a server of its own."""

    def __init__(
        self, start: Starter, line: queue.SimpleQueue[Check], tell: Callable[[Result], None]
    ) -> None:
        self._start = start
        self._line = line
        self._tell = tell
        self._stack = ExitStack()
        self._live: Live | None = None
        self._restarts = RESTARTS

    def run(self) -> None:
        """Ask until the line is empty."""
        with self._stack:
            while True:
                try:
                    check = self._line.get_nowait()
                except queue.Empty:
                    return
                self._tell(self._ask(check))

    def _ask(self, check: Check) -> Result:
        live = self._server()
        if live is None:
            return Result(check, "not run", ENDED)
        begin = time.monotonic()
        start = self._start
        asking = Asking(live, start.target.interface, start.folder, start.server, start.known)
        try:
            result = verdict_of(check, asking)
        finally:
            asking.close()
        result.seconds = time.monotonic() - begin
        self._look_after(live, result)
        return result

    def _server(self) -> Live | None:
        """Return the server of this worker, started if need be; None when it keeps ending."""
        if self._live is not None and not self._live.alive:
            self._restarts -= 1
            self._leave()
        if self._live is None and self._restarts >= 0:
            self._live = self._stack.enter_context(self._start.server())
        return self._live

    def _leave(self) -> None:
        self._stack.close()
        self._live = None

    def _look_after(self, live: Live, result: Result) -> None:
        """See whether the server still answers, so that no check spoils the next one."""
        if _answers(live):
            return
        if not live.alive or live.ended_within(LAST_BREATH):
            if result.verdict in ("fail", "no"):
                words = live.words()
                result.problem += f"; and the server has ended{': ' + words if words else ''}"
        else:
            self._restarts -= not self._start.target.command
            self._leave()


def _answers(live: Live) -> bool:
    """Tell whether a server answers a plain request."""
    from .asking import BoundedWire

    with suppress(Broken), BoundedWire(live.address, CALM, time.monotonic() + CALM) as wire:
        wire.send(request("/ok", "Connection: close"))
        return wire.until_any()
    return False


def verdict_of(check: Check, asking: Asking) -> Result:
    """Ask one check."""
    good, bad = ("yes", "no") if check.choice else ("pass", "fail")
    try:
        check.run(asking)
    except Broken as broken:
        return Result(
            check, bad, broken.problem, broken.sent, broken.got, broken.wanted,
            getattr(broken, "suspect", None), getattr(broken, "at", None),
        )  # fmt: skip
    except NotAsked as reason:
        return Result(check, "", str(reason))
    except CannotStart as error:
        return Result(check, bad, f"the server does not start: {error}")
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        return Result(check, bad, f"what came cannot be read: {error!r}")
    return Result(check, good)
