"""The slow upstream, with a limit and a memory: for exercises about those who ask it.

It answers as `workbench.board.upstream` does, each request after its wait.  Beyond ``--most``
requests at a time it refuses with 503 at once.  ``GET /stats`` tells, as JSON and without a wait,
what it has seen: requests, the most at a time, refusals, connections, and how often each path.

    with strict_upstream(wait=0.05, most=3) as up:
        httpx.get(up.url)
        up.stats()["peak"]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.board.upstream import (
    HEAD,
    LONGEST_HEAD,
    WAIT,
    Upstream,
    end_with_the_parent,
    first_line,
)

REFUSED = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 5\r\n\r\nbusy\n"


@dataclass
class Memory:
    """What all connections together have seen."""

    most: int
    now: int = 0
    peak: int = 0
    requests: int = 0
    refused: int = 0
    connections: int = 0
    paths: Counter[str] = field(default_factory=Counter)


class StrictUpstream(Upstream):
    """One connection; ``memory`` is shared by all."""

    def __init__(self, wait: float, memory: Memory) -> None:
        super().__init__(wait)
        self.memory = memory
        self.counted = False

    def begin(self) -> None:
        """Begin with a request that is complete, if one is."""
        end = self.buf.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buf) > LONGEST_HEAD:
                self.transport.abort()
            return
        path = bytes(self.buf[:end]).split(b" ", 2)[1].decode("latin-1").partition("?")[0]
        if path == "/stats":
            del self.buf[: end + 4]
            self.tell()
            return
        self.count(path)
        if self.memory.most and self.memory.now >= self.memory.most:
            self.memory.refused += 1
            del self.buf[: end + 4]
            self.transport.write(REFUSED)
            self.begin()
            return
        self.memory.now += 1
        self.memory.peak = max(self.memory.peak, self.memory.now)
        match = WAIT.match(self.buf)
        wait = float(match[1]) if match else self.wait
        del self.buf[: end + 4]
        self.timer = asyncio.get_running_loop().call_later(wait, self.answer, wait)

    def count(self, path: str) -> None:
        """Remember a request."""
        self.memory.requests += 1
        self.memory.paths[path] += 1
        if not self.counted:
            self.counted = True
            self.memory.connections += 1

    def tell(self) -> None:
        """Answer with what was seen."""
        body = json.dumps({**vars(self.memory), "paths": dict(self.memory.paths)}).encode()
        self.transport.write(HEAD % (len(body), body))
        self.begin()

    def answer(self, wait: float) -> None:
        """Answer after the wait."""
        self.memory.now -= 1
        super().answer(wait)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the wait of a client that has left."""
        if self.timer is not None:
            self.memory.now -= 1
        super().connection_lost(error)


async def serve(wait: float, most: int) -> None:
    """Serve for ever, and say where."""
    memory = Memory(most)
    server = await asyncio.get_running_loop().create_server(
        lambda: StrictUpstream(wait, memory), "127.0.0.1", 0, backlog=1024
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


class Strict:
    """A strict upstream that runs: its address, and what it has seen."""

    def __init__(self, url: str) -> None:
        self.url = url

    def stats(self) -> dict[str, Any]:
        """Ask what it has seen."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.url}/stats", timeout=5) as answer:
            seen: dict[str, Any] = json.load(answer)
        return seen


@contextmanager
def strict_upstream(wait: float = 0.05, most: int = 0) -> Iterator[Strict]:
    """Run one in a process of its own; ``most`` 0 takes any number at a time."""
    command = [sys.executable, "-m", "workbench.strict_upstream"]
    reference = str(Path(__file__).resolve().parents[1])
    paths = [reference, *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [*command, "--wait", str(wait), "--most", str(most)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    with process:
        try:
            yield Strict(first_line(process))
        finally:
            process.kill()


def main() -> None:
    """Be the program."""
    parser = argparse.ArgumentParser(prog="strict_upstream", description="A service with a limit.")
    parser.add_argument("--wait", type=float, default=0.05)
    parser.add_argument("--most", type=int, default=0)
    options = parser.parse_args()
    end_with_the_parent()
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(options.wait, options.most))


if __name__ == "__main__":
    main()
