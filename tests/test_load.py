"""Does the load generator count right, and does it always come back?"""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from workbench import load as module
from workbench.load import (
    CHUNKED,
    UNFINISHED,
    UNTIL_CLOSE,
    Answer,
    LoadResult,
    NotHTTP,
    Plan,
    Record,
    Run,
    SelectorPoller,
    load,
    parse_head,
    ramp,
    tree_cpu,
)
from workbench.timeline import Picture, compare, throughput, timeline

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n"

Handler = Callable[[socket.socket], None]
TURNS = 5  # that a run has to be punctual once: on a busy machine, those with bad luck do not count


# --- Servers that do exactly what a test needs ------------------------------------------------


@dataclass
class Stub:
    """A server in threads of its own; what `handle` does with a connection is all it does."""

    handle: Handler
    listener: socket.socket
    accepted: list[socket.socket] = field(default_factory=list)
    address: tuple[str, int] = ("", 0)

    def __post_init__(self) -> None:
        self.address = self.listener.getsockname()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.accepted.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the client left first, or the stub was stopped
            self.handle(connection)

    def stop(self) -> None:
        for sock in (self.listener, *self.accepted):
            with suppress(OSError):  # closed already
                sock.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@contextmanager
def stub(handle: Handler) -> Iterator[Stub]:
    server = Stub(handle, socket.create_server(("127.0.0.1", 0), backlog=128))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(5)


def requests_on(connection: socket.socket) -> Iterator[bytes]:
    """Give the request heads of a connection, one by one, until the client leaves."""
    buf = b""
    while True:
        while b"\r\n\r\n" not in buf:
            data = connection.recv(65_536)
            if not data:
                return
            buf += data
        head, _, buf = buf.partition(b"\r\n\r\n")
        yield head


def always(answer: bytes, *, wait: float = 0.0, then_close: bool = False) -> Handler:
    def handle(connection: socket.socket) -> None:
        for _ in requests_on(connection):
            time.sleep(wait)  # the slow application that the server stands for
            connection.sendall(answer)
            if then_close:
                return

    return handle


# --- Counting ---------------------------------------------------------------------------------


def test_as_many_requests_as_asked_for_reach_the_server() -> None:
    heads: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        for head in requests_on(connection):
            heads.append(head)
            connection.sendall(HELLO)

    with stub(handle) as server:
        result = load(server, clients=7, requests=100, path="/x")
    assert len(heads) == len(result.records) == 100
    assert (result.failures, result.unfinished, result.statuses) == (0, 0, {200: 100})
    assert {record.bytes for record in result.records} == {len(HELLO)}
    assert {record.client for record in result.records} == set(range(7))
    assert set(heads) == {b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:%d" % server.address[1]}
    assert result.ended == "100 requests were made"


def test_stamps_are_in_order() -> None:
    with stub(always(HELLO, wait=0.001)) as server:
        result = load(server, clients=3, requests=30)
    for record in result.records:
        times = record.asked, record.connected, record.sent, record.first, record.done
        assert times == tuple(sorted(times))
        assert record.asked >= 0


def test_a_run_of_seconds_lasts_that_long_and_leaves_nothing_behind() -> None:
    for _ in range(TURNS):
        with stub(always(HELLO, wait=0.005)) as server:
            result = load(server, clients=2, seconds=0.3)
        assert result.elapsed >= 0.3
        assert (result.unfinished, result.ended) == (0, "the time was up")
        assert result.rate == pytest.approx(len(result.records) / result.elapsed)
        if result.elapsed < 1.0:
            break
    assert result.elapsed < 1.0


def test_connections_are_kept() -> None:
    with stub(always(HELLO)) as server:
        load(server, clients=4, requests=40)
    assert len(server.accepted) == 4


def test_connections_are_not_kept_when_told_so() -> None:
    heads: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        for head in requests_on(connection):
            heads.append(head)
            connection.sendall(HELLO)

    with stub(handle) as server:
        result = load(server, clients=4, requests=40, keep_alive=False)
    assert (result.failures, len(server.accepted)) == (0, 40)
    assert all(head.endswith(b"Connection: close") for head in heads)
    assert all(record.connected > record.asked for record in result.records)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the connection closes",
    ],
)
def test_a_connection_the_server_closes_is_opened_again(answer: bytes) -> None:
    with stub(always(answer, then_close=True)) as server:
        result = load(server, clients=3, requests=30)
    assert (result.failures, len(server.accepted)) == (0, 30)
    assert {record.bytes for record in result.records} == {len(answer)}


def test_chunked_answers_and_answers_in_pieces() -> None:
    def handle(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in requests_on(connection):
            for i in range(0, len(CHUNKS), 7):
                connection.sendall(CHUNKS[i : i + 7])

    with stub(handle) as server:
        result = load(server, clients=2, requests=20)
    assert (result.failures, result.statuses) == (0, {200: 20})
    assert {record.bytes for record in result.records} == {len(CHUNKS)}


def test_answers_that_change_are_each_read() -> None:
    def handle(connection: socket.socket) -> None:
        for number, _ in enumerate(requests_on(connection)):
            body = b"x" * (number % 3)
            status = b"404 Not Found" if number % 2 else b"200 OK"
            connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(body)))
            connection.sendall(body)

    with stub(handle) as server:
        result = load(server, clients=1, requests=12)
    assert (result.failures, result.statuses) == (0, {200: 6, 404: 6})


def test_a_request_larger_than_the_socket_buffers() -> None:
    body = b"z" * 8_000_000
    received: list[int] = []

    def handle(connection: socket.socket) -> None:
        left = len(request)
        while left and (data := connection.recv(1 << 20)):
            left -= len(data)
        received.append(left)
        connection.sendall(HELLO)

    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n" + body
    with stub(handle) as server:
        result = load(server, clients=1, requests=1, request=request)
    assert (result.failures, result.statuses, received) == (0, {200: 1}, [0])


def test_a_ramp_is_one_result_per_number_of_clients() -> None:
    with stub(always(HELLO)) as server:
        results = ramp(server, [1, 2, 4], requests=8)
    assert [result.clients for result in results] == [1, 2, 4]
    assert [len(result.answered) for result in results] == [8, 8, 8]


# --- The shape of the load --------------------------------------------------------------------


def test_a_client_thinks_between_two_requests() -> None:
    with stub(always(HELLO)) as server:
        result = load(server, clients=1, requests=5, think=0.05)
    assert result.elapsed >= 4 * 0.05
    gaps = [b.asked - a.done for a, b in zip(result.records, result.records[1:], strict=False)]
    assert min(gaps) >= 0.05


def test_an_open_load_keeps_its_rate() -> None:
    for _ in range(TURNS):
        with stub(always(HELLO, wait=0.02)) as server:
            result = load(server, clients=50, seconds=1.0, rate=200)
        assert (len(result.records), result.failures) == (200, 0)
        asked = [record.asked for record in result.records]
        assert asked == pytest.approx([i / 200 for i in range(200)], abs=1e-6)
        assert result.rate < 200 * 1.2
        if result.rate > 200 * 0.8:
            break
    assert result.rate > 200 * 0.8


def test_under_open_load_the_wait_for_a_free_client_counts() -> None:
    # One client and 20 ms an answer are 50 a second; 100 a second fall due. A closed load would
    # say 20 ms here, and leave out what the requests that were never sent would have waited.
    with stub(always(HELLO, wait=0.02)) as server:
        result = load(server, clients=1, seconds=0.4, rate=100, drain=5)
    assert (len(result.answered), result.unfinished) == (40, 0)
    assert result.latency(99) > 0.3
    waited = [record.latency for record in result.records]
    assert waited[-1] > waited[0] + 0.3


def test_under_open_load_what_was_never_sent_is_unfinished() -> None:
    with stub(always(HELLO, wait=0.05)) as server:
        result = load(server, clients=1, seconds=0.3, rate=100, drain=0)
    assert len(result.records) == 30
    assert result.unfinished >= 20
    assert result.failures == 0
    assert any(record.client == -1 for record in result.records)


# --- Servers that misbehave -------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def test_nobody_listens() -> None:
    started = time.monotonic()
    result = load(("127.0.0.1", free_port()), clients=2, seconds=30)
    assert time.monotonic() - started < 10
    assert result.ended == "every client gave up"
    assert result.errors == {"connection refused": 20}
    assert (result.answered, result.rate) == ([], 0.0)
    assert math.isnan(result.latency(50))


def test_a_server_that_never_answers() -> None:
    with stub(lambda connection: [*requests_on(connection)].clear()) as server:
        result = load(server, clients=3, seconds=0.2, drain=0)
        assert (result.failures, result.unfinished, result.ended) == (0, 3, "the time was up")
        result = load(server, clients=3, seconds=30, timeout=0.1)
    assert result.errors == {"timed out before the answer": 6}
    assert result.ended == "every client gave up"


def test_a_server_that_stops_in_the_middle_of_an_answer() -> None:
    with stub(always(HELLO[:-1])) as server:
        result = load(server, clients=1, requests=1, timeout=0.1)
    assert result.errors == {"timed out in the middle of the answer": 1}
    assert result.records[0].bytes == len(HELLO) - 1


def test_a_server_that_closes_too_early() -> None:
    with stub(lambda connection: [next(requests_on(connection))].clear()) as server:
        result = load(server, clients=1, requests=1)
    assert result.errors == {"closed by the server before the answer": 1}
    with stub(always(HELLO[:-1], then_close=True)) as server:
        result = load(server, clients=1, requests=1)
    assert result.errors == {"closed by the server in the middle of the answer": 1}


def test_a_server_that_dies_in_the_run() -> None:
    def handle(connection: socket.socket) -> None:
        for number, _ in enumerate(requests_on(connection)):
            connection.sendall(HELLO)
            if number == 20:
                server.stop()

    started = time.monotonic()
    with stub(handle) as server:
        result = load(server, clients=4, seconds=30)
    assert time.monotonic() - started < 10
    assert result.ended == "every client gave up"
    assert result.statuses[200] >= 21
    assert result.errors["connection refused"] == 40


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
        HELLO + b"!",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    ],
)
def test_a_server_that_does_not_speak_http(answer: bytes) -> None:
    with stub(always(answer)) as server:
        result = load(server, clients=1, requests=1)
    assert (result.failures, len(result.records)) == (1, 1)


def test_a_load_generator_that_hangs_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]
) -> None:
    hanging = os.path.join(tmp_path, "hang.py")
    with open(hanging, "w") as file:
        file.write("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(module, "CHILD", hanging)
    monkeypatch.setattr(module, "CHILD_GRACE", 0.2)
    with pytest.raises(TimeoutError, match="did not report within"):
        load(("127.0.0.1", free_port()), seconds=0.1, drain=0)


def test_a_load_generator_that_fails_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]
) -> None:
    failing = os.path.join(tmp_path, "fail.py")
    with open(failing, "w") as file:
        file.write("import sys\nsys.stdin.read()\nraise OSError('no room')\n")
    monkeypatch.setattr(module, "CHILD", failing)
    with pytest.raises(RuntimeError, match="failed with 1: OSError: no room"):
        load(("127.0.0.1", free_port()), seconds=0.1)


# --- What may be asked of it ------------------------------------------------------------------


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "::", "example.org"])
def test_only_loopback_addresses(host: str) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1"):
        load((host, 80))


def test_the_child_checks_the_address_again() -> None:
    plan = Plan("127.0.0.1", 80, b"GET / HTTP/1.1\r\n\r\n").to_json().replace("127.0", "192.0")
    child = subprocess.run(
        [sys.executable, module.CHILD], input=plan, capture_output=True, text=True, timeout=30
    )
    assert child.returncode == 1
    assert "not a loopback address" in child.stderr


@pytest.mark.parametrize(
    "options",
    [
        {"clients": 0},
        {"clients": 10_001},
        {"seconds": 61},
        {"requests": 500_001},
        {"rate": -1},
        {"timeout": 0},
        {"think": -1},
        {"request": b"hello"},
    ],
)
def test_everything_has_a_cap(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"must lie between|not the start of an HTTP/1 request"):
        load(("127.0.0.1", 80), **options)  # type: ignore[arg-type]  # one of many types


@pytest.mark.parametrize(
    "form",
    [
        lambda host, port: (host, port),
        lambda host, port: f"{host}:{port}",
        lambda host, port: f"http://{host}:{port}/path",
        lambda host, port: f"http://localhost:{port}",
    ],
)
def test_the_forms_of_an_address(form: Callable[[str, int], object]) -> None:
    with stub(always(HELLO)) as server:
        assert load(form(*server.address), clients=1, requests=1).failures == 0


def test_something_that_is_no_server() -> None:
    with pytest.raises(ValueError, match="needs a server"):
        load(object())


# --- CPU and the bottleneck -------------------------------------------------------------------


def test_the_clients_cpu_is_reported() -> None:
    with stub(always(HELLO)) as server:
        result = load(server, clients=2, seconds=0.3)
    assert 0.0 < result.client_cpu <= 1.1
    assert result.server_cpu is None


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_the_servers_cpu_is_that_of_its_process_tree() -> None:
    code = "import os; print(os.getpid(), flush=True); any(iter(int, 1))"  # burns until it is ended
    starts_a_child = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {code!r}])\n"
        "sys.stdin.read(); child.kill(); child.wait()"
    )
    command = [sys.executable, "-c", starts_a_child]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert parent.stdout
        child = int(parent.stdout.readline())
        with stub(always(HELLO)) as server:
            used, began = cpu_seconds(child), time.monotonic()
            result = load(server, clients=1, seconds=0.8, think=0.05, pid=parent.pid)
            share = (cpu_seconds(child) - used) / (time.monotonic() - began)
        assert len(tree_cpu(parent.pid)) == 2
    finally:
        parent.communicate(timeout=10)
    assert result.server_cpu is not None
    assert result.server_cpu > share / 4 > 0  # a core, where nobody else wants it
    assert result.bottleneck in ("server", "neither")  # "neither" on a machine that is crowded


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of one process: what ``tree_cpu`` has to find in the tree above it."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("client", "server", "busiest", "verdict"),
    [
        (0.99, 0.50, 0.50, "client"),
        (0.99, None, None, "client"),
        (0.40, 0.97, 0.97, "server"),
        (0.40, 1.20, 0.60, "neither"),  # two workers with time to spare
        (0.10, None, None, "neither"),
        (0.90, 0.99, 0.99, "server"),
    ],
)
def test_the_bottleneck(
    client: float, server: float | None, busiest: float | None, verdict: str
) -> None:
    result = LoadResult([], 1.0, 1, client_cpu=client, server_cpu=server, busiest=busiest)
    assert result.bottleneck == verdict
    assert f"{client:.0%}" in result.why


# --- Reading answers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "raw", "status"),
    [
        (b"GET", HELLO, 200),
        (b"GET", CHUNKS, 200),
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304),
        (b"GET", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + HELLO, 200),
        (b"GET", b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKS, 200),
        (b"GET", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 101),
    ],
)
def test_an_answer_cut_at_every_point(method: bytes, raw: bytes, status: int) -> None:
    for cut in range(1, len(raw)):
        answer = Answer(method)
        assert not answer.feed(raw[:cut])
        assert answer.feed(raw[cut:])
        assert answer.head
        assert (answer.head.status, answer.size) == (status, len(raw))
    bytewise = Answer(method)
    complete = [bytewise.feed(raw[i : i + 1]) for i in range(len(raw))]
    assert complete == [False] * (len(raw) - 1) + [True]


def test_an_answer_that_ends_with_the_connection() -> None:
    answer = Answer(b"GET")
    assert not answer.ends_at_close()
    assert not answer.feed(b"HTTP/1.1 200 OK\r\n\r\nsome, ")
    assert not answer.feed(b"and more")
    assert answer.ends_at_close()


@pytest.mark.parametrize(
    "chunks", [b"2\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello", b"5_0\r\n", b"\r\n", b" 5\r\nhello\r\n"]
)
def test_chunks_that_are_not_what_they_say(chunks: bytes) -> None:
    answer = Answer(b"GET")
    answer.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with pytest.raises(NotHTTP):
        answer.feed(chunks)


@pytest.mark.parametrize(
    ("fields", "length", "keep"),
    [
        (b"HTTP/1.1 200 OK\r\n", UNTIL_CLOSE, True),
        (b"HTTP/1.1 200\r\ncontent-length:7 \r\n", 7, True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 7\r\n", 7, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n", 7, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 7\r\nConnection: keep-alive\r\n", 7, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n", CHUNKED, True),
    ],
)
def test_what_a_head_says_about_its_body(fields: bytes, length: int, keep: bool) -> None:
    head = parse_head(fields + b"\r\n", b"GET")
    assert (head.status, head.length, head.keep) == (200, length, keep)


def test_without_epoll() -> None:
    with stub(always(HELLO)) as server:
        host, port = server.address
        request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        run = Run(Plan(host, port, request, clients=3, requests=30), SelectorPoller())
        assert run.run() == "30 requests were made"
    assert [row[6] for row in run.rows] == [200] * 30


# --- Results and pictures from fixed records --------------------------------------------------


def fixed() -> LoadResult:
    """Two clients, a tenth of a second an answer, and one request of each sad ending."""
    records = [
        Record(0, 0.0, 0.0, 0.0, 0.1, 0.1),
        Record(1, 0.0, 0.1, 0.1, 0.2, 0.3),
        Record(0, 0.1, 0.1, 0.1, 0.3, 0.3, status=503),
        Record(1, 0.3, 0.3, 0.3, -1.0, 0.5, status=0, error="timed out before the answer"),
        Record(0, 0.3, 0.3, 0.3, -1.0, 1.0, status=0, error=UNFINISHED),
    ]
    return LoadResult(records, elapsed=1.0, clients=2, client_cpu=0.02, server_cpu=0.04)


def test_what_a_result_adds_up_to() -> None:
    result = fixed()
    assert result.rate == 3.0
    assert (result.failures, result.unfinished) == (1, 1)
    assert result.statuses == {200: 2, 503: 1}


@pytest.mark.parametrize(
    ("percentile", "expected"), [(0, 1), (1, 1), (50, 50), (99, 99), (99.1, 100), (100, 100)]
)
def test_percentiles_are_nearest_rank(percentile: float, expected: int) -> None:
    records = [Record(0, 0.0, 0.0, 0.0, float(n), float(n)) for n in range(100, 0, -1)]
    assert LoadResult(records, 100.0, 1).latency(percentile) == expected


def test_a_percentile_beyond_100() -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        fixed().latency(101)


def test_the_text_of_a_result() -> None:
    expected = """\
clients     2, closed load
ended       after 1.00 s: the time was up
answered    3 (2 x 200, 1 x 503)
failures    1 (1 timed out before the answer)
unfinished  1
rate        3 a second
latency     p50 200 ms, p99 300 ms, p100 300 ms
client CPU  2% of a core
server CPU  4% of a core
bottleneck  neither: the client used 2% of a core, the server's busiest process 4%: \
the time went into waiting"""
    assert repr(fixed()) == expected


def test_the_table_of_a_result() -> None:
    html = fixed()._repr_html_()
    assert html.count("<tr>") == len(fixed().rows())
    assert "server&#x27;s busiest" in html


def test_the_text_of_a_timeline() -> None:
    expected = """\
2 clients, 5 requests
1 |----#                                        | 100 ms
2 |....-----#####                               | 300 ms
3 |    ---------#                               | 503
4 |             ---------x                      | failed
5 |             ------------------------------->| unfinished
   0                                      1.00 s
. waiting for a connection, - waiting for the first byte,
# receiving, x failed, > unfinished
3 answered, 1 failed: timed out before the answer, 1
unfinished; p50 200 ms."""
    assert repr(timeline(fixed(), columns=60)) == expected


def test_a_timeline_of_many_requests_shows_a_part_of_them() -> None:
    records = [Record(0, n / 100, n / 100, n / 100, n / 100, n / 100) for n in range(100)]
    lines = repr(timeline(LoadResult(records, 1.0, 1), limit=4, columns=50)).splitlines()
    assert lines[0] == "1 client, 100 requests, 4 of them shown"
    assert [line.split()[0] for line in lines[1:5]] == ["1", "34", "67", "100"]
    assert max(map(len, lines)) <= 50


def test_the_text_of_a_throughput_plot() -> None:
    records = [Record(0, 0.0, 0.0, 0.0, 0.1, 0.1)] * 8
    results = [LoadResult(records[:n], 1.0, n) for n in (1, 2, 4)]
    expected = """\
Rate and latency against the number of clients
clients   rate/s  of ideal       p50       p99
      1        1      100%    100 ms    100 ms  ####
      2        2      100%    100 ms    100 ms  ########
      4        4      200%    100 ms    100 ms  ################"""
    assert repr(throughput(results, threads=2, wait=1.0, columns=64)) == expected


def test_the_text_of_a_comparison() -> None:
    nothing = LoadResult([], 1.0, 2)
    expected = """\
The same load, side by side
          rate/s       p50       p99
threads        3    200 ms    300 ms  ###########
   dead        0      none      none"""
    assert repr(compare({"threads": fixed(), "dead": nothing}, columns=50)) == expected


def test_a_comparison_of_who_waits() -> None:
    slow = LoadResult([Record(0, 0.0, 0.0, 0.0, 0.4, 0.4)] * 3, 1.0, 1)
    shown = compare({"a": fixed(), "slow": slow, "dead": LoadResult([], 1.0, 2)}, by="p50")
    bars = {line.split()[0]: line.count("#") for line in repr(shown).splitlines()[2:]}
    assert bars["slow"] == 2 * bars["a"] > 0 == bars["dead"]
    assert shown.alt.endswith("a p50 200 ms, slow p50 400 ms, dead p50 none.")


PICTURES = {
    "timeline": lambda: timeline(fixed()),
    "an empty timeline": lambda: timeline(LoadResult([], 1.0, 2)),
    "throughput": lambda: throughput({"a": [fixed()], "b": [fixed()]}, threads=1, wait=0.1),
    "throughput of nothing": lambda: throughput([LoadResult([], 1.0, 2)]),
    "compare": lambda: compare({"a": fixed(), "b": LoadResult([], 1.0, 2)}),
}


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
def test_a_picture_is_a_png_with_alt_text(make: Callable[[], Picture]) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    picture = make()
    data, metadata = picture._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"] == repr(picture)
    assert metadata == {"image/png": {"alt": picture.alt}}
    assert picture.alt.endswith(".")
    assert dict(mpl.rcParams) == before
    assert picture._repr_png_() == data["image/png"]


def test_a_picture_needs_no_pyplot() -> None:
    code = (
        "import sys; from workbench.timeline import *; from workbench.load import LoadResult;"
        "assert 'matplotlib' not in sys.modules;"
        "timeline(LoadResult([], 1.0, 1))._repr_png_();"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    path = os.pathsep.join(p for p in sys.path if p)
    subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=60, env={**os.environ, "PYTHONPATH": path}
    )
