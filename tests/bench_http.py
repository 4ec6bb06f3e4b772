"""What does a request cost? CPU time of each server, as a multiple of one that does nothing.

    python tests/bench_http.py [--quick] [--only bare,threads,...]

Requests per second swing threefold on a shared machine. The CPU time a server's process tree uses
for a request swings less, and its ratio to a bare `asyncio.Protocol` in the same run least of all:
so that is what we print. Server and client sit on different cores, the rounds of all servers are
interleaved, and each ratio is taken within one round.

There are two yardsticks. The bare server is so fast that it keeps the client busy to the full: the
client never sleeps, so the server never pays for waking it, which every slower server does for each
answer (on a virtual machine that alone may cost more than all of bare). The paced server is the
same bare one that spins for a while before each answer, and its spinning is taken off its CPU time:
what remains is what asyncio and the kernel cost at the pace of a real server. The column "client"
tells how busy the client was; where it stands near 100 %, the client was the bottleneck.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, cast

from bench_crowds import bench_crowd, bench_idle, bench_stream

from workbench.ecosystem.yardstick import BODY, HEADS, serve_bare
from workbench.ecosystem.yardstick import get as request_bytes
from workbench.load import load, tree_cpu

CONNECTIONS = 64
WAIT = 0.1  # seconds: what bench_app:slow waits
POOL = 100  # threads and clients of the waiting experiment
THIS = str(Path(__file__).resolve())
SPIN = 20e-6  # seconds that the paced server burns before each answer
READY = 10.0  # seconds a server may take until it accepts connections

APP = f"""
import asyncio
import gc
import time
from handmade.collector import settle

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"Hello, World!"]

def slow(environ, start_response):
    time.sleep({WAIT})
    return app(environ, start_response)

START = dict(
    type="http.response.start",
    status=200,
    headers=[(b"content-type", b"text/plain"), (b"content-length", b"13")],
)

async def asgi(scope, receive, send):
    if scope["type"] == "http":
        if scope["path"] == "/endless":
            await endless(send)
        await send(START)
        await send(dict(type="http.response.body", body=b"Hello, World!"))

async def endless(send):
    await send(dict(type="http.response.start", status=200, headers=[]))
    while True:
        await send(dict(type="http.response.body", body=bytes(65536), more_body=True))

async def asgi_slow(scope, receive, send):
    if scope["type"] == "http":
        await asyncio.sleep({WAIT})
        await asgi(scope, receive, send)

DEFAULTS = gc.get_threshold()

async def asgi_unsettled(scope, receive, send):
    if gc.get_threshold() != DEFAULTS:
        gc.set_threshold(*DEFAULTS)
    await asgi_slow(scope, receive, send)

async def asgi_settled(scope, receive, send):
    if gc.get_threshold() == DEFAULTS:
        settle()
    await asgi_slow(scope, receive, send)
"""

# --- The servers ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One server of the comparison; {port} stands for the port in its command."""

    name: str
    title: str
    command: tuple[str, ...]
    target: float | None = None  # times bare, for the small head


def _handmade(*options: str, app: str = "app") -> tuple[str, ...]:
    return "-m", "handmade", "serve", f"bench_app:{app}", "--port", "{port}", *options


def _gunicorn(*options: str) -> tuple[str, ...]:
    bind = "--bind", "127.0.0.1:{port}"
    return (
        "-m",
        "gunicorn",
        *bind,
        "--workers",
        "1",
        "--log-level",
        "error",
        *options,
        "bench_app:app",
    )


def _uvicorn(*options: str, app: str = "asgi") -> tuple[str, ...]:
    quiet = "--log-level", "error", "--no-access-log"
    return "-m", "uvicorn", f"bench_app:{app}", "--port", "{port}", *quiet, *options


_HYPERCORN = "-m", "hypercorn", "bench_app:asgi", "--bind", "127.0.0.1:{port}"
_DAPHNE = "-m", "daphne", "-p", "{port}", "-v", "0", "bench_app:asgi"
_GRANIAN = "-m", "granian", "--interface", "asgi", "--port", "{port}", "--no-ws", "bench_app:asgi"
_WAITRESS = "-m", "waitress", "--listen=127.0.0.1:{port}", "bench_app:app"

ROWS = (
    Row("bare", "bare asyncio.Protocol", (THIS, "serve", "bare", "{port}")),
    Row("paced", "bare, paced", (THIS, "serve", "paced", "{port}")),
    Row("one", "handmade, one at a time", _handmade("--threads", "1"), target=4.0),
    Row("threads", "handmade, 8 threads", _handmade("--threads", "8"), target=6.0),
    Row("h11", "handmade, 8 threads, h11", _handmade("--threads", "8", "--engine", "h11")),
    Row("waitress", "waitress", _WAITRESS),
    Row("gunicorn", "gunicorn sync", _gunicorn()),
    Row("gthread", "gunicorn gthread 8", _gunicorn("-k", "gthread", "--threads", "8")),
    Row("aio", "handmade, asyncio", _handmade(app="asgi"), target=3.0),
    Row("loop", "handmade, loop by hand", _handmade("--loop", "handmade", app="asgi")),
    Row("aio-h11", "handmade, asyncio, h11", _handmade("--engine", "h11", app="asgi")),
    Row("uvloop", "handmade, uvloop", _handmade("--loop", "uvloop", app="asgi")),
    Row("uvicorn", "uvicorn, httptools", _uvicorn("--loop", "asyncio", "--http", "httptools")),
    Row("uvicorn-uv", "uvicorn, both in C", _uvicorn("--loop", "uvloop", "--http", "httptools")),
    Row("uvicorn-h11", "uvicorn, h11", _uvicorn("--loop", "asyncio", "--http", "h11")),
    Row("hypercorn", "hypercorn", _HYPERCORN),
    Row("daphne", "daphne", _DAPHNE),
    Row("granian", "granian (Rust)", _GRANIAN),
    # Keep-alive takes wsgiref a thread for each connection.
    Row("wsgiref", "wsgiref, a thread each", (THIS, "serve", "wsgiref", "{port}")),
)
# Our asynchronous shell first, for it is the one that has targets; uvicorn is what it is held to.
# The last two show what of it is owed to `handmade.collector`.
CROWD = (
    Row("aio", "handmade, asyncio", _handmade(app="asgi_slow")),
    Row("uvicorn", "uvicorn, httptools", _uvicorn("--loop", "asyncio", app="asgi_slow")),
    Row("unsettled", "handmade, gc as Python has it", _handmade(app="asgi_unsettled")),
    Row(
        "uvicorn-s",
        "uvicorn, gc as handmade has it",
        _uvicorn("--loop", "asyncio", app="asgi_settled"),
    ),
)
BY_HAND, LONG = ("--loop", "handmade"), ("--keep-alive", "99")
IDLE = (
    Row("aio", "handmade, asyncio", _handmade(*LONG, app="asgi")),
    Row(
        "loop",
        "handmade, loop by hand",
        _handmade(*BY_HAND, *LONG, app="asgi"),
    ),
    Row("uvicorn", "uvicorn, httptools", _uvicorn("--timeout-keep-alive", "99")),
    Row("bare", "bare asyncio.Protocol", (THIS, "serve", "bare", "{port}")),
)
STREAM = (
    Row("aio", "handmade, asyncio", _handmade(app="asgi")),
    Row("loop", "handmade, loop by hand", _handmade("--loop", "handmade", app="asgi")),
    Row("uvicorn", "uvicorn, httptools", _uvicorn("--loop", "asyncio")),
)
SLOW = Row("wait", "handmade waiting", _handmade("--threads", str(POOL), app="slow"))
OTHERS = ("parse", "wait", "crowd", "idle", "stream")


def serve_paced(port: int) -> None:
    """Serve as bare does, at about the pace of a server that does something."""
    serve_bare(port, SPIN)


def serve_wsgiref(port: int) -> None:
    """Run wsgiref with what it leaves to its user: keep-alive, a thread each, one write, no log."""
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

    from bench_app import app  # type: ignore[import-not-found]  # written by bench_app_folder

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True
        request_queue_size = 1024

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def handle(self) -> None:
            self.close_connection = False
            while not self.close_connection:
                self.handle_one_request()

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65_537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            streams = cast("IO[bytes]", self.rfile), cast("IO[bytes]", self.wfile)  # both are
            handler = ServerHandler(*streams, self.get_stderr(), self.get_environ())
            handler.http_version = "1.1"
            handler.request_handler = self  # type: ignore[attr-defined]  # as wsgiref itself does
            handler.run(app)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: no other row logs its requests."""

    with Server(("127.0.0.1", port), Handler) as server:
        server.set_app(app)
        server.serve_forever()


# --- Starting and stopping them ---------------------------------------------------------------


class DidNotStartError(Exception):
    """A server that never accepted a connection, with the last line that it logged."""


@dataclass
class Server:
    """A server under test, running."""

    row: Row
    port: int
    pid: int
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port


def _cores() -> tuple[int | None, int | None]:
    """Give the cores for the server and for the client; None where we cannot choose."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]


SERVER_CORE, CLIENT_CORE = _cores()


def _pin(core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})


@contextmanager
def bench_app_folder() -> Iterator[Path]:
    """Make a folder with the application, for servers that import it by name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bench_app.py").write_text(APP)
        yield folder


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextmanager
def running(row: Row, folder: Path) -> Iterator[Server]:
    """Start a server and wait until it accepts connections; it is gone afterwards.

    Raises DidNotStartError.
    """
    port = _free_port()
    command = [sys.executable, *(part.format(port=port) for part in row.command)]
    path = os.pathsep.join([str(folder), *(p for p in sys.path if p)])
    with (folder / f"{row.name}.log").open("w+") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=(lambda: _pin(SERVER_CORE)) if SERVER_CORE is not None else None,
        )
        try:
            _wait_until_ready(process, port, Path(log.name))
            yield Server(row, port, process.pid, Path(log.name))
        finally:
            _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)  # nothing to wait on: only the server knows when it listens
    lines = log.read_text(errors="replace").strip().splitlines()
    raise DidNotStartError(lines[-1] if lines else "it logged nothing")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the one process that we started; its workers are its own business."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def get(server: Server, fields: Mapping[str, str]) -> bytes:
    """Send one request and give the whole answer, to see that the right thing is measured."""
    request = request_bytes("/", "x", {**fields, "Connection": "close"})
    with socket.create_connection(server.address, timeout=5) as sock:
        sock.sendall(request)
        if server.row.name in ("bare", "paced"):
            return sock.recv(65_536)
        return b"".join(iter(lambda: sock.recv(65_536), b""))


# --- The client -------------------------------------------------------------------------------

Drive = Callable[[Server, Mapping[str, str], float], int]


def drive_wrk(server: Server, fields: Mapping[str, str], seconds: float) -> int:
    """Drive a server with wrk for a duration; give the number of answers."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(round(seconds), 1)}s"]
    for name, value in fields.items():
        command += ["-H", f"{name}: {value}"]
    command.append(f"http://127.0.0.1:{server.port}/")
    pin = (lambda: _pin(CLIENT_CORE)) if CLIENT_CORE is not None else None
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, preexec_fn=pin
    )
    found = re.search(r"(\d+) requests in", done.stdout)
    if bad := re.search(r"Non-2xx or 3xx responses: \d+", done.stdout):
        raise RuntimeError(f"{server.row.title}: {bad[0]}")
    if errors := re.search(r"Socket errors: .*", done.stdout):
        raise RuntimeError(f"{server.row.title}: {errors[0]}")
    return int(found[1]) if found else 0


def drive_load(server: Server, fields: Mapping[str, str], seconds: float) -> int:
    """Drive a server with our own load generator, where wrk is not installed."""
    request = request_bytes("/", f"127.0.0.1:{server.port}", fields)
    result = load(server, CONNECTIONS, seconds=seconds, request=request, cpu=CLIENT_CORE)
    return len(result.answered)


@dataclass(frozen=True)
class Sample:
    """One round of one server: CPU seconds a request, requests a second, the client's load."""

    cpu: float
    rate: float
    client: float  # of one core, 0 to 1


def measure(drive: Drive, server: Server, fields: Mapping[str, str], seconds: float) -> Sample:
    """Drive a server for a while and read its CPU time, and the client's."""
    spun = spun_by(server)
    before, client = sum(tree_cpu(server.pid).values()), children_cpu()
    started = time.monotonic()
    answers = drive(server, fields, seconds)
    elapsed = time.monotonic() - started
    used = sum(tree_cpu(server.pid).values()) - before - (spun_by(server) - spun)
    if not answers or used <= 0:
        raise RuntimeError(f"{server.row.title}: no answers")
    return Sample(used / answers, answers / elapsed, (children_cpu() - client) / elapsed)


def spun_by(server: Server) -> float:
    """Return the seconds that the paced server has burned; 0 for all others."""
    if server.row.name != "paced":
        return 0.0
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
        sock.sendall(b"GET /spun HTTP/1.1\r\nHost: bench\r\n\r\n")
        return float(sock.recv(4096).split()[-1])


def children_cpu() -> float:
    """Return the CPU seconds of the client processes that have ended so far."""
    times = os.times()
    return times.children_user + times.children_system


# --- The comparison ---------------------------------------------------------------------------

Samples = dict[tuple[str, str], list[Sample]]  # by server and head


def bench_servers(rows: list[Row], rounds: int, seconds: float, folder: Path) -> list[str]:
    """Measure the servers, print the tables; give the names of those that did not run."""
    drive: Drive = drive_wrk if shutil.which("wrk") else drive_load
    failed: list[str] = []
    with ExitStack() as stack:
        servers = []
        for row in rows:
            try:
                server = stack.enter_context(running(row, folder))
                _check_answer(server)
                servers.append(server)
            except (DidNotStartError, OSError, RuntimeError) as error:
                print(f"{row.title}: skipped, it did not run: {error}")
                failed.append(row.name)
        samples = _interleave(drive, servers, rounds, seconds, failed)
    print(_conditions(drive, rounds, seconds))
    for head in HEADS:
        _print_table(head, [s.row for s in servers if s.row.name not in failed], samples)
    return failed


def _check_answer(server: Server) -> None:
    for head, fields in HEADS.items():
        answer = get(server, fields)
        if not (answer.startswith(b"HTTP/1.") and answer[8:12] == b" 200" and BODY in answer):
            raise RuntimeError(f"a wrong answer to the {head}: {answer[:60]!r}")
    # A server may answer well and fail after it: then we would measure its tracebacks.
    if "Traceback" in (log := server.log.read_text(errors="replace")):
        raise RuntimeError(f"it logged {log.strip().splitlines()[-1]}")


def _interleave(
    drive: Drive, servers: list[Server], rounds: int, seconds: float, failed: list[str]
) -> Samples:
    samples: Samples = {}
    for head, fields in HEADS.items():
        for server in servers:  # caches, threads and workers come up outside the measurement
            drive(server, fields, seconds / 4)
        for _ in range(rounds):
            for server in servers:
                if server.row.name in failed:
                    continue
                try:
                    sample = measure(drive, server, fields, seconds)
                except RuntimeError as error:
                    print(f"skipped from here: {error}")
                    failed.append(server.row.name)
                else:
                    samples.setdefault((server.row.name, head), []).append(sample)
    return samples


def _conditions(drive: Drive, rounds: int, seconds: float) -> str:
    client = "wrk" if drive is drive_wrk else "workbench.load"
    cores = "not pinned" if SERVER_CORE is None else f"server on core {SERVER_CORE}"
    cores += "" if CLIENT_CORE is None else f", client on core {CLIENT_CORE}"
    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"Python {python}, {client}, {CONNECTIONS} connections kept alive, {cores}, "
        f"{rounds} interleaved rounds of {seconds:g} s"
    )


def _print_table(head: str, rows: list[Row], samples: Samples) -> None:
    bare, paced = samples.get(("bare", head), []), samples.get(("paced", head), [])
    print(f"\n{head:<24}  x bare  (least to most)  x paced  µs CPU  per second  client  target")
    for row in rows:
        own = samples.get((row.name, head), [])
        if not own or not bare:
            continue
        ratios = [sample.cpu / base.cpu for sample, base in zip(own, bare, strict=False)]
        ratio = statistics.median(ratios)
        spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
        slow = [sample.cpu / base.cpu for sample, base in zip(own, paced, strict=False)]
        beside = f"{statistics.median(slow):7.2f}" if slow else "      -"
        micros = statistics.median(sample.cpu for sample in own) * 1e6
        rate = statistics.median(sample.rate for sample in own)
        busy = f"{statistics.median(sample.client for sample in own):6.0%}"
        target = row.target if head == "small head" else None
        verdict = "" if target is None else f"<= {target:g} x bare: {_verdict(ratio <= target)}"
        line = f"{row.title:<24}  {ratio:>6.2f}  {spread:>15}  {beside}  {micros:>6.1f}"
        print(f"{line}  {rate:>10.0f}  {busy}  {verdict}".rstrip())


def _verdict(good: bool) -> str:
    return "ok" if good else "over"


# --- Parsing alone ----------------------------------------------------------------------------


def bench_parse(rounds: int) -> None:
    """Print what reading a request's head costs by hand and with h11, in µs of CPU."""
    import h11

    from handmade.http1 import Connection

    def h11_connection() -> h11.Connection:
        return h11.Connection(h11.SERVER)

    def by_hand(head: bytes) -> None:
        connection = Connection()
        connection.receive(head)
        connection.next_event()

    def with_h11(head: bytes) -> None:
        connection = h11_connection()
        connection.receive_data(head)
        connection.next_event()

    print(f"\n{'reading a head':<26}  by hand     h11   times  target")
    for name, fields in HEADS.items():
        head = request_bytes("/", "127.0.0.1:8000", fields)
        works = partial(by_hand, head), partial(with_h11, head)
        hand, other = _micros(works, (Connection, h11_connection), rounds)
        verdict = f">= 5: {_verdict(other / hand >= 5)}" if fields else ""
        print(f"{name:<26}  {hand:>7.2f}  {other:>6.2f}  {other / hand:>6.1f}  {verdict}".rstrip())


def _micros(
    works: tuple[Callable[[], object], ...], makers: tuple[Callable[[], object], ...], rounds: int
) -> list[float]:
    """Give the µs of each work without what making its connection costs, medians of rounds."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for own, work, make in zip(times, works, makers, strict=True):
            own.append(_seconds(work) - _seconds(make))
    return [statistics.median(own) * 1e6 for own in times]


def _seconds(work: Callable[[], object], count: int = 3_000) -> float:
    started = time.thread_time()
    for _ in range(count):
        work()
    return (time.thread_time() - started) / count


# --- Waiting ----------------------------------------------------------------------------------


def bench_wait(waves: int, folder: Path) -> list[str]:
    """Print how near a pool of threads comes to pool / wait; give its name if it did not run."""
    print(f"\n{POOL} threads that wait {WAIT * 1e3:g} ms each, {POOL} clients")
    try:
        with running(SLOW, folder) as server:
            load(server, POOL, requests=POOL)  # the pool's threads come up
            result = load(server, POOL, requests=POOL * waves, cpu=CLIENT_CORE)
    except DidNotStartError as error:
        print(f"skipped, it did not run: {error}")
        return [SLOW.name]
    ideal = POOL / WAIT
    share = result.rate / ideal
    print(f"{result.rate:.0f} a second of {ideal:.0f}: {share:.1%}, {result.failures} failures")
    print(f"p50 {result.latency(50) * 1e3:.0f} ms, p99 {result.latency(99) * 1e3:.0f} ms", end=", ")
    print(f"bottleneck {result.bottleneck}; target >= 85%: {_verdict(share >= 0.85)}")
    return [] if result.answered else [SLOW.name]


# --- The command line -------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    names = [row.name for row in ROWS] + list(OTHERS)
    parser = argparse.ArgumentParser(description="CPU time per request, as a multiple of bare.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: numbers swing more")
    parser.add_argument("--only", default=",".join(names), help=f"some of {','.join(names)}")
    options = parser.parse_args(arguments)
    wanted = options.only.split(",")
    if unknown := set(wanted) - set(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return 1 if _run(wanted, 3 if options.quick else 5, options.quick) else 0


def _run(wanted: list[str], rounds: int, quick: bool) -> list[str]:
    failed: list[str] = []
    with bench_app_folder() as folder:
        rows = [row for row in ROWS if row.name in wanted]
        if rows:
            rows = [ROWS[0], *(row for row in rows if row is not ROWS[0])]
            failed += bench_servers(rows, rounds, 1.0 if quick else 2.0, folder)
        if "parse" in wanted:
            bench_parse(rounds)
        if "wait" in wanted:
            failed += bench_wait(10 if quick else 30, folder)
        if "crowd" in wanted:
            bench_crowd(list(CROWD), running, folder, 1 if quick else 2, CLIENT_CORE)
        if "idle" in wanted:
            bench_idle(list(IDLE), running, folder)
        if "stream" in wanted:
            bench_stream(list(STREAM), running, folder)
    if failed:
        print(f"\ndid not run: {', '.join(failed)}")
    return failed


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve = {"bare": serve_bare, "paced": serve_paced, "wsgiref": serve_wsgiref}
        serve[sys.argv[2]](int(sys.argv[3]))
    else:
        sys.exit(main(sys.argv[1:]))
