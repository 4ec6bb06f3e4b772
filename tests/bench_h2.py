"""What does a request over HTTP/2 cost? CPU time of our servers, as a share of Hypercorn's.

    python tests/bench_h2.py [--quick] [--only aio,uvloop,loop,hypercorn,granian]

The client is h2load, of Debian's nghttp2-client: 8 connections with 8 streams each, hello world;
then one connection that downloads 50 MB, and one that uploads them. As in bench_http.py server and
client sit on different cores, the rounds of all servers are interleaved, and each ratio is taken
within one round: the machine's moods cancel out. The column "client" tells how busy h2load was;
where it stands near 100 %, the client was the bottleneck.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench_http import (
    CLIENT_CORE,
    SERVER_CORE,
    DidNotStartError,
    Row,
    Server,
    _handmade,
    _pin,
    bench_app_folder,
    children_cpu,
    running,
)

from workbench.load import tree_cpu

CONNECTIONS, STREAMS = 8, 8
SIZE = 50_000_000  # bytes of a transfer
TARGET = 0.5  # of Hypercorn's CPU time for a request
BASE = "hypercorn"

APP = f"""
BLOCK = bytes(65536)
START = dict(
    type="http.response.start",
    status=200,
    headers=[(b"content-type", b"text/plain"), (b"content-length", b"13")],
)

async def asgi(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    if scope["path"] == "/down":
        await send(dict(type="http.response.start", status=200, headers=[]))
        for _ in range({SIZE} // 65536):
            await send(dict(type="http.response.body", body=BLOCK, more_body=True))
        await send(dict(type="http.response.body", body=BLOCK[: {SIZE} % 65536]))
        return
    if scope["path"] == "/up":
        size, more = 0, True
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        assert size == {SIZE}
    await send(START)
    await send(dict(type="http.response.body", body=b"Hello, World!"))
"""

ROWS = (
    Row("aio", "handmade, asyncio", _handmade(app="asgi")),
    Row("loop", "handmade, loop by hand", _handmade("--loop", "handmade", app="asgi")),
    Row("uvloop", "handmade, uvloop", _handmade("--loop", "uvloop", app="asgi")),
    Row(BASE, "hypercorn", ("-m", "hypercorn", "bench_app:asgi", "--bind", "127.0.0.1:{port}")),
    Row(
        "granian",
        "granian (Rust)",
        ("-m", "granian", "--interface", "asgi", "--http", "2", "--port", "{port}", "--no-ws",
         "bench_app:asgi"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """One round of one server: CPU seconds of a request, requests a second, the client's load."""

    cpu: float
    rate: float
    client: float  # of one core, 0 to 1


def h2load(server: Server, path: str, *options: str) -> str:
    """Drive a server; give what h2load says. Raise RuntimeError unless all was answered."""
    done = subprocess.run(
        ["h2load", *options, f"http://127.0.0.1:{server.port}{path}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        preexec_fn=(lambda: _pin(CLIENT_CORE)) if CLIENT_CORE is not None else None,
    )
    if " 0 failed, 0 errored, 0 timeout" not in done.stdout:
        raise RuntimeError(f"{server.row.title}: {done.stdout.strip() or done.stderr.strip()}")
    return done.stdout


def sample(server: Server, path: str, requests: int, *options: str) -> Sample:
    """Measure a number of requests."""
    before, client, began = sum(tree_cpu(server.pid).values()), children_cpu(), time.monotonic()
    out = h2load(server, path, "-n", str(requests), *options)
    wall = time.monotonic() - began
    found = re.search(r"finished in ([0-9.]+)(m?s)", out)
    elapsed = float(found[1]) * (1e-3 if found[2] == "ms" else 1) if found else wall
    used = sum(tree_cpu(server.pid).values()) - before
    return Sample(used / requests, requests / elapsed, (children_cpu() - client) / wall)


def bench(rows: list[Row], rounds: int, requests: int, folder: Path) -> list[str]:
    """Measure the servers and print the tables; give the names of those that did not run."""
    failed: list[str] = []
    body = folder / "body"
    body.write_bytes(bytes(SIZE))
    small = ("-c", str(CONNECTIONS), "-m", str(STREAMS))
    wide = ("-c", "1", "-m", "1", "-w", "20", "-W", "20")
    works: dict[str, tuple[str, int, tuple[str, ...]]] = {
        "hello": ("/", requests, small),
        "down": ("/down", 1, wide),
        "up": ("/up", 1, (*wide, "-d", str(body))),
    }
    samples: dict[tuple[str, str], list[Sample]] = {}
    with ExitStack() as stack:
        servers = []
        for row in rows:
            try:
                servers.append(stack.enter_context(running(row, folder)))
                h2load(servers[-1], "/", "-n", "500", *small)
            except (DidNotStartError, RuntimeError, subprocess.SubprocessError) as error:
                print(f"{row.title}: skipped, it did not run: {error}")
                failed.append(row.name)
        alive = [server for server in servers if server.row.name not in failed]
        for work, (path, number, options) in works.items():
            for _ in range(rounds):
                for server in alive:
                    one = sample(server, path, number, *options)
                    samples.setdefault((server.row.name, work), []).append(one)
    cores = f"server on core {SERVER_CORE}, client on core {CLIENT_CORE}"
    print(f"h2load, {rounds} interleaved rounds, {cores}")
    titles = {row.name: row.title for row in rows if row.name not in failed}
    print_requests(titles, samples)
    print_transfers(titles, samples)
    return failed


Samples = Mapping[tuple[str, str], list[Sample]]


def print_requests(titles: Mapping[str, str], samples: Samples) -> None:
    """Print what a small request costs."""
    print(f"\n{f'hello world, {CONNECTIONS} connections x {STREAMS} streams':<38}", end="")
    print("  x hypercorn  (least to most)  µs CPU  per second  client  target")
    for name, title in titles.items():
        own, base = samples[name, "hello"], samples.get((BASE, "hello"), [])
        ratios = [one.cpu / other.cpu for one, other in zip(own, base, strict=False)]
        ratio = statistics.median(ratios) if ratios else float("nan")
        spread = f"({min(ratios):.2f} to {max(ratios):.2f})" if ratios else "-"
        micros = statistics.median(one.cpu for one in own) * 1e6
        rate = statistics.median(one.rate for one in own)
        busy = statistics.median(one.client for one in own)
        verdict = ""
        if name in ("aio", "loop", "uvloop") and ratios:
            verdict = f"<= {TARGET:g}: {'ok' if ratio <= TARGET else 'over'}"
        line = f"{title:<38}  {ratio:>11.2f}  {spread:>15}  {micros:>6.1f}  {rate:>10.0f}"
        print(f"{line}  {busy:>6.0%}  {verdict}".rstrip())


def print_transfers(titles: Mapping[str, str], samples: Samples) -> None:
    """Print how fast large bodies are."""
    for work, what in (("down", "download"), ("up", "upload")):
        title_of_table = f"{SIZE // 1_000_000} MB {what}, one stream"
        print(f"\n{title_of_table:<38}  MB per s  x hypercorn  CPU s  client  target")
        for name, title in titles.items():
            own, base = samples[name, work], samples.get((BASE, work), [])
            ratios = [one.rate / other.rate for one, other in zip(own, base, strict=False)]
            ratio = statistics.median(ratios) if ratios else float("nan")
            speed = statistics.median(one.rate for one in own) * SIZE / 1e6
            cpu = statistics.median(one.cpu for one in own)
            busy = statistics.median(one.client for one in own)
            verdict = ""
            if name in ("aio", "loop", "uvloop") and ratios:
                verdict = f">= 1: {'ok' if ratio >= 1 else 'under'}"
            line = f"{title:<38}  {speed:>8.0f}  {ratio:>11.2f}  {cpu:>5.2f}  {busy:>6.0%}"
            print(f"{line}  {verdict}".rstrip())


def main(arguments: list[str]) -> int:
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(description="CPU time per request, as a share of Hypercorn's.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: numbers swing more")
    parser.add_argument("--only", default=",".join(names), help=f"some of {','.join(names)}")
    options = parser.parse_args(arguments)
    wanted = options.only.split(",")
    if unknown := set(wanted) - set(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if shutil.which("h2load") is None:
        parser.error("h2load is not installed: it is in Debian's nghttp2-client")
    rows = [row for row in ROWS if row.name in wanted or row.name == BASE]
    with bench_app_folder() as folder:
        (folder / "bench_app.py").write_text(APP)
        failed = bench(rows, 3 if options.quick else 5, 2000 if options.quick else 6000, folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
