"""The slow service behind the board: ``GET /?wait=0.1`` is answered after so many seconds.

It is a real HTTP/1.1 server in a process of its own, so that waiting for it is waiting for the
network, and its work is not ours.  It holds thousands of waits at once for next to nothing: it is
an ``asyncio.Protocol``, which chapter 08 builds from below.

Run it with ``python -m workbench.board.upstream --port 8001``, or in a program as
``with upstream(wait=0.1) as url: ...``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 20.0  # seconds for the process to start
LONGEST_HEAD = 16384
WAIT = re.compile(rb"[A-Z]+ [^ ?]*\?(?:[^ ]*&)?wait=([0-9]+(?:\.[0-9]+)?)[& ]")
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


class Upstream(asyncio.Protocol):
    """Answer requests without a body, one after the other, each after its wait."""

    def __init__(self, wait: float) -> None:
        self.wait = wait
        self.buf = bytearray()
        self.transport: asyncio.Transport
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the way back."""
        assert isinstance(transport, asyncio.Transport)  # what TCP gives; for mypy
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Gather a head; look at the next one only when this one is answered."""
        self.buf += data
        if self.timer is None:
            self.begin()

    def begin(self) -> None:
        """Start the clock of the request that is complete, if one is."""
        end = self.buf.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buf) > LONGEST_HEAD:
                self.transport.abort()
            return
        match = WAIT.match(self.buf)
        wait = float(match[1]) if match else self.wait
        del self.buf[: end + 4]
        self.timer = asyncio.get_running_loop().call_later(wait, self.answer, wait)

    def answer(self, wait: float) -> None:
        """Answer, and go on with what has come meanwhile."""
        self.timer = None
        body = b'{"waited": %g}\n' % wait
        self.transport.write(HEAD % (len(body), body))
        self.begin()

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the wait of a client that has left."""
        if self.timer is not None:
            self.timer.cancel()


async def serve(port: int, wait: float) -> None:
    """Serve for ever, and say where."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upstream(wait), "127.0.0.1", port, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def end_with_the_parent() -> None:
    """Leave when the pipe to our parent closes: whoever started us is gone."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def main(arguments: list[str] | None = None) -> None:
    """Be the program."""
    parser = argparse.ArgumentParser(prog="upstream", description="A service that is slow.")
    parser.add_argument("--port", type=int, default=8001, help="0 takes a free one")
    parser.add_argument("--wait", type=float, default=0.1, help="seconds, unless the query says")
    parser.add_argument("--with-parent", action="store_true", help="end when stdin closes")
    options = parser.parse_args(arguments)
    if options.with_parent:
        end_with_the_parent()
    try:
        asyncio.run(serve(options.port, options.wait))
    except KeyboardInterrupt:
        pass
    except OSError as error:
        sys.exit(f"cannot listen on port {options.port}: {error.strerror}")


@contextmanager
def upstream(wait: float = 0.1) -> Iterator[str]:
    """Run the slow service in a process of its own; give its URL.

    Raise RuntimeError when it does not start.
    """
    command = [sys.executable, "-m", "workbench.board.upstream"]
    options = ["--port", "0", "--wait", str(wait), "--with-parent"]
    reference = str(Path(__file__).resolve().parents[2])
    paths = [reference, *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        command + options,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    with process:
        try:
            yield first_line(process)
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    """Return the line that says where a process listens."""
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    try:
        line = process.stdout.readline().strip() if process.stdout else ""
    finally:
        timer.cancel()
    if not line:
        raise RuntimeError("the upstream did not start")
    return line


if __name__ == "__main__":
    main()
