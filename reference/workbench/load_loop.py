"""The load generator's loop: when each request begins, who is ready, what has waited too long.

In comes a plan, out comes the report on it. It refuses to know what is said on a connection: that
is `load_exchanges`.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

from workbench.load_exchanges import Exchanges, stage
from workbench.load_plan import COLUMNS, Plan, pack
from workbench.load_pollers import IN, OUT, Poller

_TICK = 0.02  # seconds between two looks at the time-outs
_TIMEOUT_COST = 5  # how many refusals one time-out counts for, while nothing was ever answered


class Run(Exchanges):
    """All clients of one run, in one loop. Times are `time.monotonic` until the report."""

    def __init__(self, plan: Plan, poller: Poller) -> None:
        super().__init__(plan, poller)
        self.arrivals = 0  # open load: requests that have fallen due so far

    def run(self) -> str:
        """Go through the plan; return why it ended."""
        self.start = now = time.monotonic()
        self.end = now + self.plan.end
        self.stop = self.end + self.plan.drain
        if self.plan.rate is None:
            for client in self.clients:
                self._begin_if_wanted(client, now)
        else:
            self.idle = self.clients[::-1]
        next_tick = now
        while not (ended := self._ended(now)):
            for fd, events in self.poller.wait(self._patience(now)):
                self._ready(fd, events)
            now = time.monotonic()
            if self.later:
                self._wake(now)
            if self.plan.rate is not None:
                self._arrive(now)
            if now >= next_tick:
                self._check_timeouts(now)
                next_tick = now + _TICK
        self.finished = now
        self._close_all(now)
        return ended

    def _ended(self, now: float) -> str:
        if self.gave_up == len(self.clients):
            return "every client gave up"
        if now >= self.stop:
            return "the time was up"
        if self.active or self.due:
            return ""
        if self.begun >= self.limit:
            return f"{self.begun} requests were made"
        return "the time was up" if now >= self.end else ""

    def _patience(self, now: float) -> float:
        """Give the seconds until something falls due even if no descriptor is ready."""
        wake = min(now + _TICK, self.end if now < self.end else self.stop)
        if self.later:
            wake = min(wake, self.later[0][0])
        return max(0.0, min(wake, self._next_arrival()) - now)

    def _next_arrival(self) -> float:
        """Give the time at which the next request of an open load falls due; inf after the last."""
        if self.plan.rate is None or self.arrivals >= self.limit:
            return math.inf
        # Counted from the start, not from the arrival before: lateness must not add up.
        when = self.start + self.arrivals / self.plan.rate
        return when if when < self.end else math.inf

    def _ready(self, fd: int, events: int) -> None:
        client = self.by_fd.get(fd)
        if client is None:
            return
        if events == IN:
            self._readable(client)
        elif client.connecting:
            self._finish_connect(client)
        elif events & ~OUT:
            self._readable(client)
        elif client.unsent:
            self._send(client, client.unsent)

    def _wake(self, now: float) -> None:
        while self.later and self.later[0][0] <= now:
            _, number = heapq.heappop(self.later)
            self._next(self.clients[number], now)

    def _arrive(self, now: float) -> None:
        while (when := self._next_arrival()) <= now:
            self.arrivals += 1
            self.due.append(when)
        while self.due and self.idle:
            self._begin(self.idle.pop(), self.due.popleft(), now)

    def _check_timeouts(self, now: float) -> None:
        oldest = now - self.plan.timeout
        for client in self.clients:
            if client.busy and client.since < oldest:
                cost = 0 if self.answered else _TIMEOUT_COST
                self._fail(client, f"timed out {stage(client)}", now, cost)

    # The report.

    def report(self) -> dict[str, Any]:
        """Give the records in the order in which they were asked, by column; see `pack`."""
        self.rows.sort(key=lambda row: row[1])
        table: list[Sequence[Any]] = list(zip(*self.rows, strict=True)) or [()] * 9
        report: dict[str, Any] = {}
        for (name, kind), column in zip(COLUMNS.items(), table, strict=False):
            report[name] = pack(kind, self._since_start(column) if kind == "d" else column)
        report["errors"] = [(place, reason) for place, reason in enumerate(table[-1]) if reason]
        return report

    def _since_start(self, times: Iterable[float]) -> list[float]:
        start = self.start
        return [when - start if when >= 0.0 else -1.0 for when in times]
