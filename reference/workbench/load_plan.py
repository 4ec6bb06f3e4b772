"""What the load generator's two processes tell each other: a plan goes in, columns come back.

The parent writes the plan and reads the columns, the child does it the other way round, and both
check the plan: every count and every duration has a cap, and the address is this machine's own.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from array import array
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

MAX_CLIENTS = 10_000
MAX_REQUESTS = 500_000
MAX_SECONDS = 60.0
MAX_RATE = 100_000.0

UNFINISHED = "unfinished"  # still waiting when the time was up: not the server's failure


@dataclass(frozen=True)
class Plan:
    """Everything the child needs to know. Times in seconds, `rate` in arrivals per second."""

    host: str
    port: int
    request: bytes
    clients: int = 10
    seconds: float | None = None
    requests: int | None = None
    think: float = 0.0
    keep_alive: bool = True
    rate: float | None = None
    timeout: float = 5.0
    drain: float = 1.0
    pid: int | None = None
    cpu: int | None = None

    def __post_init__(self) -> None:
        _check_loopback(self.host)
        _check_range("port", self.port, 1, 65_535)
        _check_range("clients", self.clients, 1, MAX_CLIENTS)
        _check_range("seconds", self.seconds, 0.01, MAX_SECONDS)
        _check_range("requests", self.requests, 1, MAX_REQUESTS)
        _check_range("think", self.think, 0.0, MAX_SECONDS)
        _check_range("rate", self.rate, 0.1, MAX_RATE)
        _check_range("timeout", self.timeout, 0.01, MAX_SECONDS)
        _check_range("drain", self.drain, 0.0, MAX_SECONDS)
        if not re.match(rb"[A-Z]+ \S+ HTTP/1\.[01]\r\n", self.request):
            raise ValueError(f"not the start of an HTTP/1 request: {self.request[:40]!r}")

    @property
    def end(self) -> float:
        """Seconds after the start from which no new request begins."""
        return MAX_SECONDS if self.seconds is None else self.seconds

    @property
    def limit(self) -> int:
        """The number of requests after which no new one begins."""
        return MAX_REQUESTS if self.requests is None else self.requests

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "request": self.request.decode("latin-1")})

    @classmethod
    def from_json(cls, text: str) -> Plan:
        fields = json.loads(text)
        return cls(**{**fields, "request": fields["request"].encode("latin-1")})


def _check_loopback(host: str) -> None:
    """Refuse every address but this machine's own: load on anyone else's server is an attack."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"{host!r} is not an IP address; use 127.0.0.1 or ::1") from None
    if not address.is_loopback:
        raise ValueError(f"{host} is not a loopback address; load() only calls 127.0.0.1 or ::1")


def _check_range(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise ValueError(f"{name} must lie between {low:g} and {high:g}, not {value!r}")


# --- The report -------------------------------------------------------------------------------

# A run can bring 200,000 records, so numbers travel by column, as base64 of the machine's own
# doubles ("d") and integers ("q"): as JSON numbers they took longer than the run itself.
_TIMES = ("asked", "connected", "sent", "first", "done")
COLUMNS = {"client": "q", **dict.fromkeys(_TIMES, "d"), "status": "q", "bytes": "q"}


def pack(kind: str, column: Iterable[float]) -> str:
    """Write one column of numbers, of this type code of `array`, as text for the report."""
    return base64.b64encode(array(kind, column)).decode("ascii")


def unpack(kind: str, text: str) -> list[Any]:
    """Read what `pack` wrote."""
    return array(kind, base64.b64decode(text)).tolist()
