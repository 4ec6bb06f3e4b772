"""What does a WebSocket message cost? CPU time of each server, as a multiple of one that is bare.

    python tests/bench_ws.py [--quick] [--only echo,big,crowd]

Measured as in ``bench_http``: server and client on different cores, the rounds of all servers
interleaved, ratios taken within one round. The bare server shakes hands and then answers whatever
comes in with one constant frame: it takes no frame apart. The client has its masks and frames made
before the clock runs, so it does little more than read and write; "client" tells how busy it was.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import os
import resource
import selectors
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench_http import CLIENT_CORE, DidNotStartError, Row, Server, _pin, running

from workbench.load import tree_cpu

Figures = tuple[float, float, float]
THIS = str(Path(__file__).resolve())
CONNECTIONS, SIZE, BIG = 64, 64, 1 << 20
CROWD, NEWS = 2000, 8  # WebSockets that stay open, and how many messages go to all of them
HANDSHAKE = (
    b"GET /%b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
MASK = b"\x37\xfa\x21\x3d"

APP = """
import asyncio
import time

readers = set()

async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    if scope["path"] == "/crowd":
        await crowd(receive, send)
        return
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") is not None:
            await send({"type": "websocket.send", "text": message["text"]})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})

async def crowd(receive, send):
    queue = asyncio.Queue(4)
    readers.add(queue)
    feed = asyncio.ensure_future(forward(queue, send))
    try:
        while (message := await receive())["type"] == "websocket.receive":
            now = repr(time.time())
            for other in readers:
                if not other.full():  # who falls behind misses it; nobody waits for anybody
                    other.put_nowait(now)
    finally:
        readers.discard(queue)
        feed.cancel()

async def forward(queue, send):
    while True:
        await send({"type": "websocket.send", "text": await queue.get()})
"""


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a client's frame (RFC 6455 §5.2)."""
    first = 0x80 | opcode
    if len(payload) < 126:
        head = bytes([first, 0x80 | len(payload)])
    elif len(payload) < 65536:
        head = struct.pack("!BBH", first, 0xFE, len(payload))
    else:
        head = struct.pack("!BBQ", first, 0xFF, len(payload))
    key = int.from_bytes((MASK * (len(payload) // 4 + 1))[: len(payload)], "big")
    masked = (int.from_bytes(payload, "big") ^ key).to_bytes(len(payload), "big")
    return head + MASK + masked


def _handmade(*options: str) -> tuple[str, ...]:
    how = "--lifespan", "off", "--log-level", "error"
    return "-m", "handmade", "serve", "bench_ws_app:app", "--port", "{port}", *how, *options


def _uvicorn(*options: str) -> tuple[str, ...]:
    how = "--log-level", "error", "--lifespan", "off"
    return "-m", "uvicorn", "bench_ws_app:app", "--port", "{port}", *how, *options


_HYPERCORN = "-m", "hypercorn", "bench_ws_app:app", "--bind", "127.0.0.1:{port}"
_DAPHNE = "-m", "daphne", "-p", "{port}", "-v", "0", "bench_ws_app:app"
_GRANIAN = "-m", "granian", "--interface", "asgi", "--port", "{port}", "bench_ws_app:app"

BARE = Row("bare", "bare asyncio.Protocol", (THIS, "serve", "{port}"))
OURS = Row("aio", "handmade, asyncio", _handmade(), target=2.2)
SANSIO = Row(
    "sansio-uv", "uvicorn sansio, uvloop", _uvicorn("--ws", "websockets-sansio", "--loop", "uvloop")
)
WEBSOCKETS = Row(
    "websockets", "uvicorn, websockets", _uvicorn("--ws", "websockets", "--loop", "asyncio")
)
ROWS = (
    BARE,
    OURS,
    Row("loop", "handmade, loop by hand", _handmade("--loop", "handmade")),
    Row("uvloop", "handmade, uvloop", _handmade("--loop", "uvloop")),
    SANSIO,
    Row("sansio", "uvicorn sansio", _uvicorn("--ws", "websockets-sansio", "--loop", "asyncio")),
    WEBSOCKETS,
    Row("wsproto", "uvicorn, wsproto", _uvicorn("--ws", "wsproto", "--loop", "asyncio")),
    Row("hypercorn", "hypercorn", _HYPERCORN),
    Row("daphne", "daphne", _DAPHNE),
    Row("granian", "granian (Rust)", _GRANIAN),
)


def serve_bare(port: int) -> None:
    """Accept every handshake, then answer whatever comes in with the same frame."""
    reply = b"\x81" + bytes([SIZE]) + b"x" * SIZE
    digest = hashlib.sha1(b"dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    accept = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )

    class Bare(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.write = transport.write
            self.open = False

        def data_received(self, data: bytes) -> None:
            self.write(reply if self.open else accept)
            self.open = True

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(main())


# --- The client: in a process of its own, pinned to the other core ------------------------------


def connect(port: int, path: bytes = b"") -> socket.socket:
    """Return a WebSocket that is open."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(HANDSHAKE % path)
    came = b""
    while not came.endswith(b"\r\n\r\n"):
        data = sock.recv(4096)
        if not data:
            raise ConnectionError("the server closed during the handshake")
        came += data
    if not came.startswith(b"HTTP/1.1 101"):
        raise ConnectionError(f"no WebSocket: {came[:40]!r}")
    return sock


def drive(port: int, seconds: float, size: int, connections: int) -> None:
    """Echo for some seconds; print the messages that came back, and our own CPU time."""
    message = frame(1 if size <= 125 else 2, b"x" * size)
    answer = size + (2 if size < 126 else 4 if size < 65536 else 10)
    poll, socks, missing = select_epoll(), {}, {}
    for _ in range(connections):
        sock = connect(port)
        socks[sock.fileno()] = sock
        missing[sock.fileno()] = answer
        poll.register(sock.fileno(), 1)
    buffer = bytearray(1 << 20)
    for sock in socks.values():
        sock.sendall(message)
    count, began = 0, time.process_time()
    end = time.monotonic() + seconds
    start = time.monotonic()
    while time.monotonic() < end:
        for fd, _ in poll.poll(1):
            got = socks[fd].recv_into(buffer)
            if not got:
                raise ConnectionError("the server closed")
            missing[fd] -= got
            if missing[fd] <= 0:
                count += 1
                missing[fd] = answer
                socks[fd].sendall(message)
    print(count, time.process_time() - began, time.monotonic() - start)


def select_epoll() -> Any:
    """Return what waits for many sockets."""
    import select

    return select.epoll()


def measure(server: Server, seconds: float, size: int, connections: int) -> Figures:
    """Return the server's CPU seconds for a message, messages a second, and the client's load."""
    before = sum(tree_cpu(server.pid).values())
    command = [sys.executable, THIS, "drive", str(server.port), str(seconds)]
    done = subprocess.run(
        [*command, str(size), str(connections)],
        capture_output=True, text=True, timeout=seconds + 60,
        preexec_fn=(lambda: _pin(CLIENT_CORE)) if CLIENT_CORE is not None else None,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{server.row.title}: {done.stderr.strip().splitlines()[-1]}")
    count, ours, took = map(float, done.stdout.split())
    spent = sum(tree_cpu(server.pid).values()) - before
    return spent / max(count, 1), count / took, ours / took


# --- The experiments --------------------------------------------------------------------------


@contextmanager
def all_running(rows: tuple[Row, ...], folder: Path) -> Iterator[list[Server]]:
    """Start all servers that are installed; say which are not."""
    with ExitStack() as stack:
        servers = []
        for row in rows:
            try:
                servers.append(stack.enter_context(running(row, folder)))
            except DidNotStartError as error:
                print(f"{row.title}: did not start: {error}")
        yield servers


def bench_echo(folder: Path, rounds: int) -> None:
    """Small messages: CPU time for one, as a multiple of bare."""
    costs: dict[str, list[tuple[float, float, float]]] = {}
    with all_running(ROWS, folder) as servers:
        for number in range(rounds + 1):
            for server in servers:
                result = measure(server, 0.3 if number == 0 else 2.0, SIZE, CONNECTIONS)
                if number:  # the first round warms up
                    costs.setdefault(server.row.name, []).append(result)
    print(f"\necho of {SIZE} bytes, {CONNECTIONS} WebSockets, {rounds} interleaved rounds of 2 s")
    print("                          x bare  (least to most)  µs CPU  per second  client  target")
    bare = [cost for cost, _, _ in costs["bare"]]
    for row in ROWS:
        if row.name not in costs:
            continue
        rows = costs[row.name]
        ratios = sorted(cost / base for (cost, _, _), base in zip(rows, bare, strict=True))
        middle = statistics.median(ratios)
        verdict = ""
        if row.target:
            verdict = f"<= {row.target}: {'ok' if middle <= row.target else 'MISSED'}"
        print(
            f"{row.title:24} {middle:7.2f}  ({ratios[0]:.2f} to {ratios[-1]:.2f})"
            f"{statistics.median(cost for cost, _, _ in rows) * 1e6:13.1f}"
            f"{statistics.median(rate for _, rate, _ in rows):12.0f}"
            f"{statistics.median(load for _, _, load in rows):8.0%}  {verdict}"
        )


def bench_big(folder: Path, rounds: int) -> None:
    """Messages of 1 MiB: how many a second."""
    rates: dict[str, list[float]] = {}
    clients: dict[str, list[float]] = {}
    rows = (OURS, ROWS[2], SANSIO, WEBSOCKETS)
    with all_running(rows, folder) as servers:
        for _ in range(rounds):
            for server in servers:
                _, rate, load = measure(server, 2.0, BIG, 4)
                rates.setdefault(server.row.name, []).append(rate)
                clients.setdefault(server.row.name, []).append(load)
    print("\necho of 1 MiB, 4 WebSockets    per second  client")
    for row in rows:
        if row.name in rates:
            load = statistics.median(clients[row.name])
            print(f"{row.title:28} {statistics.median(rates[row.name]):12.1f} {load:7.0%}")
    if "aio" in rates and "websockets" in rates:
        pairs = zip(rates["aio"], rates["websockets"], strict=True)
        ratio = statistics.median(ours / theirs for ours, theirs in pairs)
        verdict = "ok" if ratio >= 0.5 else "MISSED"
        print(f"handmade, asyncio: {ratio:.2f} x uvicorn, websockets; target >= 0.5: {verdict}")


def bench_crowd(folder: Path) -> None:
    """Many open WebSockets, news for all of them each second, and one that reads nothing."""
    with running(OURS, folder) as server:
        before = _memory(server.pid)
        selector = selectors.DefaultSelector()
        socks = []
        for _ in range(CROWD):
            sock = connect(server.port, b"crowd")
            socks.append(sock)
            selector.register(sock, selectors.EVENT_READ)
        deaf = connect(server.port, b"crowd")
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        each = (_memory(server.pid) - before) / CROWD
        speaker = connect(server.port, b"crowd")
        late: list[float] = []
        for _ in range(NEWS):
            began = time.time()
            speaker.sendall(frame(1, b"news"))
            heard = 0
            end = time.monotonic() + 10
            while heard < CROWD and time.monotonic() < end:
                for key, _ in selector.select(1):
                    if key.fileobj.recv(4096):  # type: ignore[union-attr]
                        heard += 1
                        late.append(time.time() - began)
            if heard < CROWD:
                print(f"only {heard} of {CROWD} heard the news within 10 s")
            time.sleep(max(0.0, 1 - (time.time() - began)))
        late.sort()
        print(f"\n{CROWD} open WebSockets, news for all each second, one of them reads nothing")
        print(f"handmade, asyncio: {each / 1024:.1f} KiB each; the news come after")
        half, most = late[len(late) // 2], late[int(len(late) * 0.99)]
        print(f"  p50 {half * 1e3:.0f} ms, p99 {most * 1e3:.0f} ms")
        verdict = "ok" if len(late) == NEWS * CROWD and late[-1] < 5 else "MISSED"
        print(f"  the last of {len(late)} after {late[-1] * 1e3:.0f} ms; nobody waits: {verdict}")
        for sock in (*socks, deaf, speaker):
            sock.close()


def _memory(pid: int) -> int:
    """Return the resident memory of a process, in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    """Run the experiments that are asked for."""
    if sys.argv[1:2] == ["serve"]:
        serve_bare(int(sys.argv[2]))
        return 0
    if sys.argv[1:2] == ["drive"]:
        port, seconds, size, connections = sys.argv[2:6]
        drive(int(port), float(seconds), int(size), int(connections))
        return 0
    parser = argparse.ArgumentParser(description="CPU time per WebSocket message.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: numbers swing more")
    parser.add_argument("--only", default="echo,big,crowd", help="some of echo,big,crowd")
    options = parser.parse_args()
    wanted = set(options.only.split(","))
    if unknown := wanted - {"echo", "big", "crowd"}:
        parser.error(f"no experiment {unknown.pop()}: there are echo, big, crowd")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bench_ws_app.py").write_text(APP)
        if "echo" in wanted:
            bench_echo(folder, 2 if options.quick else 5)
        if "big" in wanted:
            bench_big(folder, 2 if options.quick else 5)
        if "crowd" in wanted:
            bench_crowd(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
