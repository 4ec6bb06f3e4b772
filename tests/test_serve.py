"""``handmade serve`` as a person runs it: real processes, real signals, a real application."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from handmade import processes

APPS = Path(__file__).parent / "apps"
PATIENCE = 60.0  # seconds until a test gives up on a process: a busy machine is ten times as slow


@contextmanager
def served(*options, before="", app="slow_flask:app", place=r"on (http://\S+)"):
    """Run ``handmade serve`` on a free port; give the process and the URL that it announced."""
    run = f"{before}import sys; from handmade.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["serve", app, "--port", "0", *options]
    command = [sys.executable, "-c", run, *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command,
        cwd=APPS,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        bufsize=0,
    )
    try:
        yield process, line_of(process.stderr, place)[1]
    finally:
        process.kill()
        process.communicate()


def line_of(stream, pattern):
    """Read lines until one matches; fail after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    seen = []
    while time.monotonic() < deadline:
        if select.select([stream], [], [], deadline - time.monotonic())[0]:
            line = stream.readline().decode()
            seen.append(line)
            if match := re.search(pattern, line):
                return match
            if not line:
                break
    raise AssertionError(f"no line like {pattern!r} in {seen}")


def announced(process):
    return line_of(process.stderr, r"on (http://\S+)")[1]


def address_of(url):
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def get(url, **options):
    return httpx.get(url, trust_env=False, timeout=PATIENCE, **options)


def until(condition, what):
    """Wait for a condition, without a fixed sleep; fail after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"still waiting for {what}"
        threading.Event().wait(0.01)


def children(pid):
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


SHELLS = {
    "one": ["--threads", "1"],
    "threads": ["--threads", "8"],
    "processes": ["--workers", "2", "--threads", "4"],
}
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")


@pytest.mark.parametrize("engine", ["handmade", "h11"])
@pytest.mark.parametrize("shell", SHELLS)
def test_flask_is_served(shell, engine):
    with (
        served(*SHELLS[shell], "--engine", engine) as (process, url),
        httpx.Client(trust_env=False, timeout=PATIENCE) as client,
    ):
        assert client.get(url).text == "Hello, world!"
        assert client.get(f"{url}/stream").text == "0\n1\n2\n3\n4\n"
        assert client.post(f"{url}/length", content=b"x" * 200_000).text == "200000"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


LATE = 0.4  # seconds: an idle client that is slower than that may find its connection closed


class Clients:
    """Clients that ask again and again on their own connections, and note what became of it."""

    def __init__(self, url, count, path):
        self.url, self.path = url, path
        self.answers, self.failures, self.refused = [], [], 0
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.ask_on) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def ask_on(self):
        with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
            last = time.monotonic()
            while not self.stopping.is_set():
                try:
                    self.answers.append(client.get(self.url + self.path).text)
                    last = time.monotonic()
                except httpx.ConnectError:  # the door is shut: nothing was asked, nothing is lost
                    self.refused += 1
                    return
                except httpx.HTTPError as error:
                    if time.monotonic() - last < LATE:
                        self.failures.append(error)
                    return

    def join(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.mark.parametrize("shell", ["threads", "processes"])
@pytest.mark.parametrize("path", ["/", "/slow?seconds=0.1"])
def test_sigterm_loses_no_request(shell, path):
    """Busy clients on kept connections: each request is answered, or its connection refused."""
    with served(*SHELLS[shell]) as (process, url):
        clients = Clients(url, 8, path)
        until(lambda: len(clients.answers) >= 24, "the clients to be busy")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        clients.join()
        assert clients.failures == []
        assert set(clients.answers) <= {"Hello, world!", "at last"}


def test_sigterm_answers_those_who_wait_in_line():
    """With one thread, clients that the kernel has accepted for us are served before we end."""
    with served("--threads", "1") as (process, url):
        clients = []
        for _ in range(5):
            client = socket.create_connection(address_of(url))
            client.sendall(b"GET /slow?seconds=0.1 HTTP/1.1\r\nHost: a\r\n\r\n")
            clients.append(client)
        process.send_signal(signal.SIGTERM)
        for client in clients:
            client.settimeout(PATIENCE)
            answer = b"".join(iter(lambda client=client: client.recv(4096), b""))
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert answer.endswith(b"at last")
            assert b"connection: close" in answer.lower()
            client.close()
        assert process.wait(PATIENCE) == 0


def test_a_second_signal_does_not_wait():
    with ExitStack() as stack, served("--graceful-timeout", "600") as (process, url):
        client = stack.enter_context(socket.create_connection(address_of(url)))
        client.sendall(b"GET /slow?seconds=600 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert get(url).text == "Hello, world!"  # by now the slow one runs as well
        process.send_signal(signal.SIGTERM)
        until(lambda: refuses(url), "the door to be shut")
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_a_body_that_comes_steadily_earns_the_time_that_it_takes():
    """600 bytes at 1,000 a second outlast a time-out of 0.3 s: 500 bytes earn a second back."""
    with ExitStack() as stack:
        _, url = stack.enter_context(served("--body-timeout", "0.3"))
        client = stack.enter_context(socket.create_connection(address_of(url)))
        client.sendall(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 600\r\n\r\n")
        for _ in range(6):
            assert select.select([client], [], [], 0.1)[0] == []  # not refused meanwhile
            client.sendall(b"x" * 100)
        client.settimeout(PATIENCE)
        assert client.recv(4096).endswith(b"\r\n\r\n600")


def refuses(url):
    try:
        socket.create_connection(address_of(url)).close()
    except ConnectionRefusedError:
        return True
    return False


def test_the_graceful_time_has_an_end():
    with ExitStack() as stack, served("--graceful-timeout", "0.3") as (process, url):
        client = stack.enter_context(socket.create_connection(address_of(url)))
        client.sendall(b"GET /slow?seconds=600 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert get(url).text == "Hello, world!"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_500_idle_connections_beside_working_clients():
    """Idle connections hold no thread: four threads serve the others, and later the idle too."""
    with served("--threads", "4", "--keep-alive", "600") as (_, url):
        idle = [socket.create_connection(address_of(url)) for _ in range(500)]
        for client in idle[::2]:  # half of them have had an answer, half have never spoken
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        clients = Clients(url, 4, "/")
        until(lambda: len(clients.answers) >= 100, "a hundred answers beside the idle ones")
        clients.join()
        assert clients.failures == []
        assert clients.refused == 0
        for client in (idle[0], idle[1], idle[-1]):
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        for client in idle:
            client.close()


def test_beyond_the_most_connections_clients_wait_in_the_backlog():
    options = ("--connections", "2", "--keep-alive", "600")
    with ExitStack() as stack, served(*options) as (_, url):
        clients = [socket.create_connection(address_of(url)) for _ in range(3)]
        first, second, third = map(stack.enter_context, clients)
        for client in (first, second):
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
        third.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert select.select([third], [], [], 0.2)[0] == []
        first.close()
        third.settimeout(PATIENCE)
        assert third.recv(4096).startswith(b"HTTP/1.1 200")


@needs_fork
@needs_proc
def test_a_killed_worker_is_noticed_and_replaced():
    with served(*SHELLS["processes"]) as (process, url):
        until(lambda: len(children(process.pid)) == 2, "two workers")
        before = set(children(process.pid))
        victim = int(get(f"{url}/pid").text)
        os.kill(victim, signal.SIGKILL)
        line_of(process.stderr, rf"worker {victim} was killed by SIGKILL; starting another")
        assert get(url).text == "Hello, world!"  # the other one goes on meanwhile
        until(lambda: len(set(children(process.pid)) - {victim}) == 2, "a second worker")
        new = set(children(process.pid)) - before
        assert len(new) == 1
        until(lambda: int(get(f"{url}/pid").text) in new, "an answer from the new worker")


@needs_fork
@needs_proc
@pytest.mark.parametrize("app", ["slow_flask:app", "asgi_apps:app"])
def test_a_worker_that_is_told_to_stop_shuts_the_door_for_nobody_else(app):
    with served("--workers", "2", "--graceful-timeout", "2", app=app) as (process, url):
        until(lambda: len(children(process.pid)) == 2, "two workers")
        before = set(children(process.pid))
        for victim in before:  # one after the other, as in a rolling restart
            os.kill(victim, signal.SIGTERM)
            until(lambda: not alive(victim), "the end of the worker")  # noqa: B023
            assert get(url).status_code == 200
        until(lambda: len(set(children(process.pid)) - before) == 2, "two new workers")
        assert get(url).status_code == 200


class Waiting:
    """A shell that serves until it is told to stop, for 10 s at most."""

    def __init__(self):
        self.told = threading.Event()
        self.stop = self.told.set

    def serve(self, listener, ready):
        ready()
        if not self.told.wait(10):
            os._exit(9)


@needs_fork
def test_a_newborn_hears_its_signal():
    family = processes.Processes(Waiting, 1)
    before = signal.signal(signal.SIGTERM, lambda number, frame: family.stop())
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            for _ in range(20):
                pid = family._start(listener)
                os.kill(pid, signal.SIGTERM)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
                os.close(family._born.pop(pid).reader)
    finally:
        signal.signal(signal.SIGTERM, before)
        family._waker.close()
        for end in family._lifeline:
            os.close(end)


@needs_fork
def test_a_fork_that_fails_leaves_no_signal_unheard(monkeypatch):
    def fails():
        raise BlockingIOError("no more processes")

    family = processes.Processes(Waiting, 1)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    monkeypatch.setattr(os, "fork", fails)
    with pytest.raises(BlockingIOError):
        family._start(None)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    family._waker.close()


@needs_fork
@needs_proc
def test_a_view_that_ends_its_process_ends_a_worker_whatever_the_status():
    with served(*SHELLS["processes"]) as (process, url):
        until(lambda: len(children(process.pid)) == 2, "two workers")
        with pytest.raises(httpx.TransportError):
            get(f"{url}/exit?status={processes.CANNOT_START}")
        line_of(process.stderr, r"worker \d+ ended with status 3; starting another")
        assert get(url).text == "Hello, world!"


@needs_fork
@needs_proc
def test_workers_end_when_their_parent_is_killed():
    with served(*SHELLS["processes"]) as (process, url):
        until(lambda: len(children(process.pid)) == 2, "two workers")
        workers = children(process.pid)
        process.kill()
        process.wait(PATIENCE)
        until(lambda: not any(alive(worker) for worker in workers), "the workers to end")
        assert refuses(url)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_the_access_log_has_a_line_for_each_request():
    with served("--access-log", "-") as (process, url):
        get(f"{url}/?page=2")
        get(f"{url}/nowhere")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
        # A line is written behind its answer, by the thread that gave it: in any order.
        first, second = sorted(out.decode().splitlines(), key=lambda line: "nowhere" in line)
        assert re.fullmatch(
            r'127\.0\.0\.1 - - \[.+\] "GET /\?page=2 HTTP/1\.1" 200 13 \d+\.\dms', first
        )
        assert '"GET /nowhere HTTP/1.1" 404 ' in second


def run(*arguments, cwd=APPS):
    """Run a command line that is expected to fail; return what it says."""
    command = [sys.executable, "-m", "handmade", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nosuch:app"], "no module 'nosuch' here"),
        (["slow_flask:nope"], "slow_flask has no 'nope'; it has "),
        (["slow_flask:request.args"], "RuntimeError"),
        (["os:sep"], "os:sep is not callable but of type str"),
        (["os"], "os has neither app nor application: say os:name"),
        (["a b"], "is not of the form module:name"),
        (["broken_syntax:app"], "broken_syntax.py, line 3"),
        (["broken_import:app"], "needs the module 'no_such_package'"),
        (["broken_raise:app"], "ValueError: no settings"),
        (["slow_flask:app", "--port", "70000"], "whole number from 0 to 65535"),
        (["slow_flask:app", "--engine", "steam"], "invalid choice"),
        (["slow_flask:app", "--threads", "0"], "whole number from 1"),
        (["slow_flask:app", "--keep-alive", "soon"], "a time in seconds"),
        (["slow_flask:app", "--bind", "nonsense"], "say HOST:PORT"),
        (["slow_flask:app", "--chdir", "no/such/dir"], "cannot go to --chdir"),
        (["slow_flask:app", "--access-log", "no/such/file"], "cannot write --access-log"),
        (["slow_flask:app", "--host", "256.1.1.1", "--port", "0"], "cannot listen on"),
        (["slow_flask:nope", "--workers", "3"], "slow_flask has no 'nope'"),
        ([], "see handmade serve --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_is_told_in_one_line(arguments, says, tmp_path):
    (tmp_path / "broken_syntax.py").write_text("\n\ndef app(:\n")
    (tmp_path / "broken_import.py").write_text("import no_such_package\n")
    (tmp_path / "broken_raise.py").write_text("raise ValueError('no settings')\n")
    broken = bool(arguments) and arguments[0].startswith("broken")
    assert says in run("serve", *arguments, cwd=tmp_path if broken else APPS)


def test_a_port_in_use_is_told_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert "another program has it" in run("serve", "slow_flask:app", "--port", port)


@needs_proc
def test_running_out_of_files_neither_ends_nor_spins_the_server():
    """With 40 descriptors and 60 clients the server waits for some to leave, and then goes on."""
    limit = "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (40, 40)); "
    with ExitStack() as stack:
        process, url = stack.enter_context(served("--keep-alive", "600", before=limit))
        clients = [socket.create_connection(address_of(url)) for _ in range(60)]
        for client in clients:
            stack.enter_context(client)
        line_of(process.stderr, "cannot accept a client: ")
        used = cpu_seconds(process.pid)
        threading.Event().wait(1.0)
        assert cpu_seconds(process.pid) - used < 0.5
        for client in clients:
            client.close()
        assert get(url).text == "Hello, world!"


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_who_serves_wsgi_imports_nothing_that_serves_asgi():
    code = "import sys, handmade.cli; print({'asyncio', 'h11', 'hpack'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n"
