"""The load generator: many clients at once, from a process of their own.

In comes a plan (which server, how many clients, for how long), out comes one record per request.
The parent, mostly a notebook, calls `load`; that starts `load_child.py` as a child, hands it the
plan as JSON on stdin and reads the records as JSON from its stdout. The clients never run in the
notebook's process: there they would share the interpreter lock with the server under test, and we
would measure our own clients.

It refuses to know anything but plain HTTP/1 to a loopback address, and it always comes to an end:
every count and every duration has a cap. Only the standard library is used, so that the child
starts fast.

    load            the notebook's side          load_child      the child's main program
    load_plan       what passes between them     load_loop       when something is due
    load_result     what a run showed            load_exchanges  one request, beginning to record
    cpu             CPU time of processes        load_pollers    who is ready
                                                 answers         where an answer ends
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.answers import CHUNKED, UNTIL_CLOSE, Answer, Head, NotHTTP, parse_head
from workbench.cpu import tree_cpu
from workbench.load_child import main
from workbench.load_exchanges import Client
from workbench.load_loop import Run
from workbench.load_plan import (
    COLUMNS,
    MAX_CLIENTS,
    MAX_RATE,
    MAX_REQUESTS,
    MAX_SECONDS,
    UNFINISHED,
    Plan,
    unpack,
)
from workbench.load_pollers import IN, OUT, EpollPoller, Poller, SelectorPoller
from workbench.load_result import SATURATED, LoadResult, Record, duration

# The parts of the load generator are found here too, under one name.
__all__ = [
    "CHILD", "CHILD_GRACE", "CHUNKED", "IN", "MAX_CLIENTS", "MAX_RATE", "MAX_REQUESTS",
    "MAX_SECONDS", "OUT", "SATURATED", "UNFINISHED", "UNTIL_CLOSE", "Answer", "Client",
    "EpollPoller", "Head", "LoadResult", "NotHTTP", "Plan", "Poller", "Record", "Run",
    "SelectorPoller", "duration", "load", "main", "parse_head", "ramp", "tree_cpu",
]  # fmt: skip

CHILD = Path(__file__).resolve().with_name("load_child.py")
CHILD_GRACE = 15.0  # seconds the child may need on top of its plan, to start and to report


def load(
    server: object,
    clients: int = 10,
    seconds: float | None = None,
    requests: int | None = None,
    path: str = "/",
    request: bytes | None = None,
    think: float = 0.0,
    keep_alive: bool = True,
    rate: float | None = None,
    timeout: float = 5.0,
    drain: float = 1.0,
    pid: int | None = None,
    cpu: int | None = None,
) -> LoadResult:
    """Put load on a server from a process of its own and report what happened.

    `server` is a `(host, port)` pair, a URL, or an object with an `address` or a `url` and perhaps
    a `pid`. The run ends after `seconds` (1.0 when neither is given) or after `requests` in all.

    Closed load, the default: each of the `clients` asks, waits for the answer, pauses for `think`
    seconds and asks again, so a slow server is asked less often. Open load: requests fall due
    `rate` times a second, evenly, whatever the server does; `clients` is how many may be under way
    at once, and the time a request waits for a free client is part of its latency.

    `timeout` is in seconds for one request, looked at every 20 ms. After the end no request begins,
    and those under way get up to `drain` seconds more: what they would lack in the rate is about
    half of one answer for each client, and what the server still has to do for them would burden
    the next run. `cpu` pins the load generator to one core where the system can do that.

    The call blocks. With a server in the notebook's own event loop: `await asyncio.to_thread(...)`.

    Raises ValueError for an address that is not loopback and for a value beyond the caps,
    TimeoutError when the load generator itself does not come back.
    """
    host, port = _address(server)
    plan = Plan(
        host=host,
        port=port,
        request=request or _get_request(host, port, path, keep_alive),
        clients=clients,
        seconds=1.0 if seconds is None and requests is None else seconds,
        requests=requests,
        think=think,
        keep_alive=keep_alive,
        rate=rate,
        timeout=timeout,
        drain=drain,
        pid=getattr(server, "pid", None) if pid is None else pid,
        cpu=cpu,
    )
    return _result(plan, _run_child(plan))


def ramp(
    server: object, clients: Sequence[int] = (1, 2, 4, 8, 16, 32), **options: Any
) -> list[LoadResult]:
    """Run `load` once for each number of clients, with the same options; for throughput plots."""
    return [load(server, clients=number, **options) for number in clients]


def _run_child(plan: Plan) -> str:
    """Start the child, give it the plan, return what it reports. It is gone when we return."""
    # -I keeps the modules beside the child from shadowing the standard library's.
    command = [sys.executable, "-I", str(CHILD)]
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    deadline = plan.end + plan.drain + CHILD_GRACE
    try:
        report, complaint = child.communicate(plan.to_json(), timeout=deadline)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"the load generator did not report within {deadline:.0f} s") from None
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()
    if child.returncode:
        last = complaint.strip().rpartition("\n")[2]
        raise RuntimeError(f"the load generator failed with {child.returncode}: {last}")
    return report


def _result(plan: Plan, report: str) -> LoadResult:
    fields = json.loads(report)
    numbers = [unpack(kind, fields.pop(name)) for name, kind in COLUMNS.items()]
    errors = [""] * len(numbers[0])
    for place, reason in fields.pop("errors"):
        errors[place] = reason
    records = [Record(*row) for row in zip(*numbers, errors, strict=True)]
    return LoadResult(records=records, clients=plan.clients, target=plan.rate, **fields)


def _address(server: object) -> tuple[str, int]:
    """Find host and port in a `(host, port)` pair, a URL, or a server object that has either."""
    found = getattr(server, "address", None) or getattr(server, "url", None) or server
    if isinstance(found, str):
        match = re.fullmatch(r"(?:http://)?\[?([^/\]]+?)\]?:(\d+)(?:/.*)?", found)
        if match is None:
            raise ValueError(f"no http://host:port in {found!r}")
        found = match[1], int(match[2])
    if not isinstance(found, tuple) or len(found) < 2:
        raise ValueError(f"load() needs a server, a (host, port) pair or a URL, not {server!r}")
    host, port = found[:2]
    return ("127.0.0.1" if host == "localhost" else str(host)), int(port)


def _get_request(host: str, port: int, path: str, keep_alive: bool) -> bytes:
    name = f"[{host}]" if ":" in host else host
    close = "" if keep_alive else "Connection: close\r\n"
    return f"GET {path} HTTP/1.1\r\nHost: {name}:{port}\r\n{close}\r\n".encode("ascii")
