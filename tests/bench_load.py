"""How near does our load generator come to wrk? Both drive the same servers from the same core.

    python tests/bench_load.py [--quick]

The servers answer whatever comes in with the same bytes and do nothing else, so that the client
has a chance to be the slower one. Where the server is the slower one, the ratio only says that our
client is fast enough for it, and the CPU beside it how much the client has left.
"""

from __future__ import annotations

import argparse
import selectors
import shutil
import socket
import statistics
import sys
from pathlib import Path
from typing import Any

from bench_http import (
    CLIENT_CORE,
    CONNECTIONS,
    ROWS,
    DidNotStartError,
    Row,
    Server,
    bench_app_folder,
    drive_wrk,
    running,
)

from workbench.load import LoadResult, load

TARGET = 0.8
THIS = str(Path(__file__).resolve())
SERVERS = (ROWS[0], Row("loop", "bare selectors loop", (THIS, "serve", "{port}")))
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!"


def serve(port: int) -> None:
    """Answer each piece that is received with the same bytes, in the barest loop there is."""
    selector = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                selector.register(connection, selectors.EVENT_READ, connection)
            elif not _answer(key.data):
                selector.unregister(key.data)
                key.data.close()


def _answer(connection: socket.socket) -> bool:
    try:
        if not connection.recv(65_536):
            return False
        connection.sendall(ANSWER)
    except OSError:
        return False  # the client left first
    return True


def compare_clients(server: Server, rounds: int, seconds: float) -> None:
    """Let both clients drive the server in turn; print the medians and their ratio."""
    ratios: list[float] = []
    rates: list[float] = []
    results: list[LoadResult] = []
    for _ in range(rounds):
        rates.append(drive_wrk(server, {}, seconds) / seconds)
        options: dict[str, Any] = {"pid": server.pid, "cpu": CLIENT_CORE}
        results.append(load(server, CONNECTIONS, seconds=seconds, **options))
        ratios.append(results[-1].rate / rates[-1])
    ratio = statistics.median(ratios)
    ours = statistics.median(result.rate for result in results)
    cpu = statistics.median(result.client_cpu for result in results)
    spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
    line = f"{server.row.title:<22}  {statistics.median(rates):>8.0f}  {ours:>8.0f}"
    verdict = "ok" if ratio >= TARGET else "under"
    print(f"{line}  {ratio:>5.2f}  {spread:>14}  {cpu:>7.0%}  >= {TARGET:g}: {verdict}")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Our load generator against wrk.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: numbers swing more")
    quick = parser.parse_args(arguments).quick
    if not shutil.which("wrk"):
        print("skipped: there is no wrk to compare with (Debian: apt install wrk)")
        return 0
    print(f"{'a second':<22}       wrk      ours  ratio                 our CPU  target")
    failed = 0
    with bench_app_folder() as folder:
        for row in SERVERS:
            try:
                with running(row, folder) as server:
                    compare_clients(server, 3 if quick else 7, 1.0 if quick else 2.0)
            except (DidNotStartError, RuntimeError) as error:
                print(f"{row.title}: skipped, it did not run: {error}")
                failed = 1
    return failed


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
    else:
        sys.exit(main(sys.argv[1:]))
