"""What a run of the load generator showed: one record per request, and what they add up to.

In come records and the CPU use of both sides, out come rates, latencies, failures and a verdict
on what was the limit. It refuses to know how the records were made.
"""

from __future__ import annotations

import html
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from workbench.load_plan import UNFINISHED

SATURATED = 0.85  # of one core: a process above it had no time left to speak of


class Record(NamedTuple):
    """One request. Times in seconds since the start of the run; -1.0 for what never happened."""

    client: int  # -1 when no client was free to send it
    asked: float  # the client wanted an answer; under open load, when it was due to ask
    connected: float  # it had a connection; equal to `asked` on one that was kept alive
    sent: float  # the last byte of the request was handed to the kernel
    first: float  # the first bytes of the answer were read
    done: float  # the answer was complete, or the request had failed
    status: int = 200  # 0 when no status line came
    bytes: int = 0  # of the answer, head and framing included
    error: str = ""  # empty when answered

    @property
    def latency(self) -> float:
        """Seconds from wanting an answer to having all of it."""
        return self.done - self.asked


@dataclass(frozen=True)
class LoadResult:
    """What a run showed. Times in seconds, CPU as a fraction of one core."""

    records: list[Record] = field(repr=False)
    elapsed: float
    clients: int
    client_cpu: float = 0.0
    server_cpu: float | None = None
    busiest: float | None = None  # the one server process that used the most
    target: float | None = None  # arrivals per second of an open load; None: closed
    ended: str = "the time was up"

    @property
    def answered(self) -> list[Record]:
        """The records of the requests that got a whole answer, whatever its status."""
        return [record for record in self.records if not record.error]

    @property
    def rate(self) -> float:
        """Answers per second over the whole run, to the last answer."""
        return len(self.answered) / self.elapsed if self.elapsed else 0.0

    @property
    def unfinished(self) -> int:
        """The number of requests still waiting when the time was up."""
        return sum(record.error == UNFINISHED for record in self.records)

    @property
    def errors(self) -> dict[str, int]:
        """How many requests failed, by reason; the unfinished are not among them."""
        reasons = (record.error for record in self.records)
        return dict(Counter(reason for reason in reasons if reason not in ("", UNFINISHED)))

    @property
    def failures(self) -> int:
        """The number of requests that failed. An answer with status 500 is an answer."""
        return sum(self.errors.values())

    @property
    def statuses(self) -> dict[int, int]:
        """How many answers there were, by status code."""
        return dict(sorted(Counter(record.status for record in self.answered).items()))

    def latency(self, percentile: float) -> float:
        """Give the latency in seconds that this percentage (0 to 100) of the answers stayed within.

        Nearest rank, so it is always a latency that was really seen; nan when nothing was
        answered. Requests without an answer are not counted: look at `failures` and `unfinished`.
        """
        if not 0 <= percentile <= 100:
            raise ValueError(f"a percentile lies between 0 and 100, not {percentile!r}")
        ordered = sorted(record.latency for record in self.answered)
        if not ordered:
            return math.nan
        return ordered[max(0, math.ceil(len(ordered) * percentile / 100) - 1)]

    @property
    def bottleneck(self) -> str:
        """Say what limited the rate: "client", "server" or "neither". `why` has the reasons."""
        return self._verdict()[0]

    @property
    def why(self) -> str:
        """Give the reasons for `bottleneck` in one sentence."""
        return self._verdict()[1]

    def _verdict(self) -> tuple[str, str]:
        busiest = self.server_cpu if self.busiest is None else self.busiest
        client = f"the client used {self.client_cpu:.0%} of a core"
        if self.client_cpu >= SATURATED and self.client_cpu >= (busiest or 0.0):
            return "client", f"{client}: the server could perhaps do more"
        if busiest is None:
            return "neither", f"{client}; the server's CPU is not known, so it may be the limit"
        server = f"the server's busiest process {busiest:.0%}"
        if busiest >= SATURATED:
            return "server", f"{client}, {server}: it had no CPU left"
        return "neither", f"{client}, {server}: the time went into waiting"

    def rows(self) -> list[tuple[str, str]]:
        """Give the run as rows of a name and a text, the ground of both representations."""
        shape = "closed load" if self.target is None else f"open load, {self.target:g} a second"
        server = "not known" if self.server_cpu is None else f"{self.server_cpu:.0%} of a core"
        missing = [f"{number} {reason}" for reason, number in self.errors.items()]
        statuses = [f"{number} x {status}" for status, number in self.statuses.items()]
        return [
            ("clients", f"{self.clients}, {shape}"),
            ("ended", f"after {self.elapsed:.2f} s: {self.ended}"),
            ("answered", f"{len(self.answered)} ({', '.join(statuses) or 'none'})"),
            ("failures", f"{self.failures} ({', '.join(missing)})" if missing else "0"),
            ("unfinished", str(self.unfinished)),
            ("rate", f"{self.rate:.0f} a second"),
            ("latency", ", ".join(f"p{q} {duration(self.latency(q))}" for q in (50, 99, 100))),
            ("client CPU", f"{self.client_cpu:.0%} of a core"),
            ("server CPU", server),
            ("bottleneck", f"{self.bottleneck}: {self.why}"),
        ]

    def __repr__(self) -> str:
        return "\n".join(f"{name:<11} {text}" for name, text in self.rows())

    def _repr_html_(self) -> str:
        cells = "".join(
            f'<tr><th style="text-align:left">{name}</th>'
            f'<td style="text-align:left">{html.escape(text)}</td></tr>'
            for name, text in self.rows()
        )
        return f"<table>{cells}</table>"


def duration(seconds: float) -> str:
    """Write a duration in the unit that keeps it short."""
    if math.isnan(seconds):
        return "none"
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.3g} ms" if seconds < 0.1 else f"{seconds * 1e3:.0f} ms"
