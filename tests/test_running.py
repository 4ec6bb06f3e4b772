"""Does `running` run anything, and is everything gone afterwards?"""

# ruff: noqa: SIM117, PT012  # what is expected to fail stands in a block of its own

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import nbformat
import pytest
from nbclient import NotebookClient

from workbench import deadline as deadlines
from workbench import hosts
from workbench.deadline import TookTooLong, deadline
from workbench.load import load
from workbench.running import fixed, running
from workbench.talk import NoAnswer, StillWaiting, methods_of, missing

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
BYE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbye"

CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbye\r\n"


def app(environ, start_response):
    body = environ["wsgi.input"].read() or environ["PATH_INFO"].encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]


LEFT_BEHIND = set()


@pytest.fixture(autouse=True)
def left_by_others():
    """A test elsewhere may have left a server that hangs behind: it is none of ours."""
    LEFT_BEHIND.update(threading.enumerate())


def no_server_threads():
    names = {thread.name for thread in set(threading.enumerate()) - LEFT_BEHIND}
    return not any(name.startswith(("server-", "worker-")) for name in names)


def is_refused(server):
    try:
        socket.create_connection(server.address, 1).close()
    except ConnectionRefusedError:
        return True
    return False


# --- A WSGI application -----------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["one", "threads"])
@pytest.mark.parametrize("engine", ["handmade", "h11"])
def test_an_application_is_served_and_gone(shell, engine):
    with running(app, shell=shell, engine=engine, clock=fixed) as server:
        answer = server.talk(GET)
        assert server.get("/hello").text == "/hello"
        assert server.request("POST", content=b"x").content == b"x"
        assert server.pid == os.getpid()
    assert answer == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ndate: Tue, 15 Nov 1994 08:12:31 GMT\r\n"
        b"content-length: 1\r\n\r\n/"
    )
    assert no_server_threads()
    assert is_refused(server)
    assert server.log == []


def test_an_idle_client_does_not_hold_it_up():
    with running(app) as server, socket.create_connection(server.address) as client:
        client.sendall(GET)
        assert client.recv(65536)
        began = time.monotonic()
    assert time.monotonic() - began < 2


def test_half_a_request_does_not_hold_it_up():
    with socket.socket() as client:
        with running(app, shell="one", patience=1) as server:
            client.connect(server.address)
            client.sendall(GET[:10])
            assert server.talk(GET).startswith(b"HTTP/1.1 200")
        assert no_server_threads()


def test_the_log_has_what_the_application_says(capfd):
    def failing(environ, start_response):
        environ["wsgi.errors"].write("about to fail\n")
        return 1 / 0

    with running(failing, access=True) as server:
        assert server.talk(GET).startswith(b"HTTP/1.1 500")
        deadline_for(lambda: len(server.log) > 5)
    assert server.log[:3] == [
        "about to fail",
        "ERROR: GET / failed: division by zero:",
        "Traceback (most recent call last):",
    ]
    assert server.log[-2] == "ZeroDivisionError: division by zero"
    assert server.log[-1].startswith("GET / 500 ")
    assert "tests/test_running.py" in server.log[3]
    assert "reference/" not in server.log_text()
    assert capfd.readouterr() == ("", "")


def deadline_for(condition):
    with deadline(5):
        while not condition():
            os.sched_yield() if hasattr(os, "sched_yield") else None


def test_an_application_that_hangs_is_named_and_left(capsys):
    release = threading.Event()

    def hanging(environ, start_response):
        LEFT_BEHIND.add(threading.current_thread())
        release.wait(60)

    with running(hanging, patience=0.2) as server, pytest.raises(StillWaiting):
        server.talk(GET, timeout=0.1)
    said = capsys.readouterr().out
    assert said.startswith("the server did not stop; it hangs at line ")
    assert "of tests/test_running.py, in hanging: release.wait(60). Its sockets" in said
    assert is_refused(server)


def test_two_servers_at_a_time():
    with running(app) as one, running(app) as two:
        assert one.port != two.port
        assert one.get("/a").text + two.get("/b").text == "/a/b"


def test_load_takes_a_server():
    with running(app) as server:
        assert len(load(server, clients=2, requests=10).answered) == 10


def test_the_link_knows_of_a_hub(monkeypatch):
    with running(app) as server:
        monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
        assert server.link == f"http://127.0.0.1:{server.port}/"
        monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
        assert server.link == f"/user/ada/proxy/{server.port}/"


def test_one_thing_is_run():
    with pytest.raises(TypeError, match="one of"), running():
        pass
    with pytest.raises(TypeError, match="one of"), running(app, command="x"):
        pass


# --- A function that talks with one socket ----------------------------------------------------


def test_a_handler_gets_a_socket():
    def handler(sock):
        sock.sendall(sock.recv(100).upper())

    with running(handler=handler) as server:
        assert server.talk(b"hello") == b"HELLO"
        assert server.talk(b"again") == b"AGAIN"
    assert no_server_threads()


def test_a_handler_may_ask_for_the_address():
    def handler(sock, address):
        sock.sendall(address[0].encode())

    with running(handler=handler, each="thread") as server:
        assert server.talk(b"") == b"127.0.0.1"


def test_the_way_to_serve_is_checked():
    with pytest.raises(ValueError, match="each"), running(handler=print, each="two"):
        pass
    with pytest.raises(TypeError, match="shell"), running(handler=print, shell="one"):
        pass


def test_one_at_a_time_or_a_thread_each():
    def handler(sock):
        sock.sendall(sock.recv(100))

    for each, fits in (("one", False), ("thread", True)):
        with running(handler=handler, each=each) as server:
            with socket.create_connection(server.address):  # says nothing
                with contextlib.nullcontext() if fits else pytest.raises(StillWaiting):
                    assert server.talk(b"x", timeout=5 if fits else 0.1) == b"x"
        assert no_server_threads()


def test_a_handler_that_fails_is_told_of():
    def handler(sock):
        sock.recv(100)
        raise ValueError("no idea")

    with running(handler=handler) as server:
        with pytest.raises(NoAnswer, match="its last error is ValueError: no idea"):
            server.talk(GET)
    assert server.log[0] == "the handler failed:"
    assert server.log[-1] == "ValueError: no idea"


def test_a_handler_that_waits_is_ended(capsys):
    def handler(sock):
        sock.recv(100)
        while sock.recv(100):
            pass

    with running(handler=handler) as server, pytest.raises(StillWaiting):
        server.talk(GET, timeout=0.05)
    assert no_server_threads()
    assert capsys.readouterr().out == ""


def test_pieces_arrive_as_pieces():
    reads = []

    def handler(sock):
        while data := sock.recv(100):
            reads.append(data)
        sock.sendall(BYE)

    pieces = [b"a", b"bc", b"def", b"g"] * 5
    with running(handler=handler) as server:
        assert server.talk(pieces, half_close=True) == BYE
    assert reads == pieces


def test_what_is_missing_is_named():
    came = iter([b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", b""])

    def handler(sock):
        sock.recv(100)
        sock.sendall(next(came))
        sock.recv(100)

    with running(handler=handler) as server:
        for what in (
            "the end of the head after 0.1 s; so far came b'HTTP/1.1 200'",
            "3 more bytes of the body after",
            "an answer after 0.1 s; so far came nothing",
        ):
            with pytest.raises(StillWaiting, match=f"still waiting for {what}"):
                server.talk(GET, timeout=0.1)


def test_reading_ends_where_it_is_told():
    def handler(sock):
        sock.recv(100)
        sock.sendall(BYE + BYE)
        sock.recv(100)

    with running(handler=handler) as server:
        assert server.talk(GET + GET) == BYE + BYE
        assert server.talk(GET, until=2) == BYE + BYE
        assert server.talk(GET, until=lambda came: came.count(b"bye") == 2) == BYE + BYE
        assert server.talk(GET, until=b"byeHTTP").startswith(BYE)
        with pytest.raises(StillWaiting, match="the connection to close"):
            server.talk(GET, until=b"", timeout=0.1)


def test_a_reset_says_what_came_before():
    def handler(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with running(handler=handler) as server:
        for pieces in (GET, [GET[:5], GET[5:]]):  # the second finds out while it sends
            with pytest.raises(ConnectionResetError, match="before that came nothing"):
                server.talk(pieces)


@pytest.mark.parametrize(
    ("came", "method", "what"),
    [
        (b"", b"GET", "an answer"),
        (BYE, b"GET", ""),
        (BYE[:-1], b"GET", "1 more bytes of the body"),
        (BYE[:-3], b"HEAD", ""),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", b"GET", "the connection to close"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"GET", ""),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"GET", "the end of the head"),
        (CHUNKS, b"GET", "the last chunk"),
        (b"hello", b"GET", "the connection to close"),
    ],
)  # fmt: skip
def test_an_answer_is_complete_or_not(came, method, what):
    assert missing(came, [method]) == what


def test_the_requests_are_counted():
    assert methods_of(GET + GET.replace(b"GET", b"HEAD")) == [b"GET", b"HEAD"]
    assert methods_of(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxnonsense") == [
        b"POST"
    ]
    assert methods_of(b"bad\r\n\r\n") == [b"GET"]


# --- A function that serves a listening socket ------------------------------------------------


def serve(listener):
    while True:
        sock, _ = listener.accept()
        with sock:
            sock.recv(1000)
            sock.sendall(BYE)


def test_a_servers_own_accept_loop_is_ended():
    with running(serve=serve) as server:
        assert server.talk(GET) == BYE
    assert no_server_threads()
    assert server.log == []


def test_a_coroutine_is_run_in_a_loop():
    async def client(reader, writer):
        await reader.read(100)
        writer.write(BYE)
        writer.close()
        await writer.wait_closed()

    async def serve(listener):
        async with await asyncio.start_server(client, sock=listener) as server:
            await server.serve_forever()

    with running(serve=serve) as server:
        assert server.talk(GET) == BYE
    assert no_server_threads()


def test_a_loop_of_ones_own_is_asked_to_stop():
    stopped = threading.Event()

    with running(serve=lambda listener: stopped.wait(60), stop=stopped.set):
        pass
    assert no_server_threads()


def test_what_does_not_stop_is_named_and_left(capsys):
    released = threading.Event()

    def serve(listener):
        released.wait(60)

    with running(serve=serve, patience=0.1):
        pass
    said = capsys.readouterr().out
    assert "test_running.py, in serve: released.wait(60). Its sockets are closed" in said
    released.set()


def test_a_server_that_ends_at_once_refuses_clients():
    with running(serve=lambda listener: 1 / 0) as server:
        deadline_for(lambda: server.log)
        with pytest.raises(ConnectionRefusedError):
            server.talk(GET)
    assert server.log[0] == "the server ended with an error:"
    assert server.log[-1] == "ZeroDivisionError: division by zero"


# --- A command --------------------------------------------------------------------------------


def test_a_command_is_run_and_gone():
    command = "{python} -m http.server {port} --bind {host}"
    with running(command=command, cwd=os.path.dirname(__file__), patience=20) as server:
        assert server.get("/test_running.py").status_code == 200
        assert server.pid != os.getpid()
        assert any("GET /test_running.py" in line for line in server.log)
    assert is_refused(server)
    assert "GET /test_running.py" in server.log_text()


def test_a_command_that_fails_has_the_last_word():
    words = r"the server ended with 3 after it said: no such luck"
    with pytest.raises(RuntimeError, match=words):
        with running(command="{python} -c 'import sys; print(\"no such luck\"); sys.exit(3)'"):
            pass


# --- The deadline -----------------------------------------------------------------------------


def test_an_endless_loop_is_ended():
    with pytest.raises(TookTooLong, match=r"the block took more than 0.1 s; it was at line \d+ of"):
        with deadline(0.1):
            while True:
                pass


def test_a_blocked_accept_is_ended_and_named():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(TookTooLong, match=r"listener\.accept"):
            with deadline(0.1):
                listener.accept()


def test_except_exception_does_not_swallow_it():
    @deadline(0.1)
    def stubborn():
        while True:
            try:
                time.sleep(0.01)  # what a learner's loop may wait with
            except Exception:
                pass

    with pytest.raises(TookTooLong, match="in stubborn"):
        stubborn()


def test_a_deadline_that_is_kept_leaves_nothing_behind():
    with deadline(0.05):
        pass
    with deadline(5), deadline(5):
        pass
    assert deadlines.signal.getitimer(deadlines.signal.ITIMER_REAL) == (0, 0)


def test_the_outer_deadline_goes_on_after_the_inner():
    with pytest.raises(TookTooLong, match="the outer"):
        with deadline(0.1, "the outer"):
            with deadline(5):
                pass
            while True:
                pass


def test_an_await_is_ended():
    async def main():
        with deadline(0.1):
            await asyncio.Event().wait()

    with pytest.raises(TookTooLong, match=r"await asyncio.Event\(\).wait\(\)"):
        asyncio.run(main())


def test_a_thread_is_ended_too():
    caught = []

    def work():
        try:
            with deadline(0.1):
                while True:
                    pass
        except TookTooLong as error:
            caught.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    assert "the block took more than 0.1 s; it was at line" in caught[0]


CELLS = """\
import asyncio
import socket
from workbench.deadline import limit, start
from workbench.running import running
start()
limit(1)
---
while True:
    pass
---
listener = socket.create_server(("127.0.0.1", 0))
listener.accept()
---
listener.close()
while True:
    try:
        1 / 0
    except Exception:
        pass
---
await asyncio.Event().wait()
---
async def forever():
    while True:
        pass
await forever()
---
def serve(listener):
    listener.accept()[0].recv(5)
with running(serve=serve) as server:
    socket.create_connection(server.address).recv(1)
---
limit(None)
print("alive")
"""


def test_every_cell_of_a_notebook_ends_and_the_kernel_lives(monkeypatch):
    folder = os.path.join(os.path.dirname(__file__), "..", "reference")
    monkeypatch.setenv("PYTHONPATH", os.path.abspath(folder))
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS.split("---\n")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    with quiet_client():
        NotebookClient(notebook, timeout=60, allow_errors=True, kernel_name="python3").execute()
    errors = [
        next((f"{o.ename}: {o.evalue}" for o in cell.outputs if o.output_type == "error"), "")
        for cell in notebook.cells
    ]
    took = "this cell took more than 1 s; it was at line"
    assert errors[0] == errors[-1] == ""
    assert errors[1].startswith(f"TookTooLong: {took} ")
    assert errors[2] == f"TookTooLong: {took} 2 of the cell: listener.accept()"
    assert errors[3].startswith(f"TookTooLong: {took}")
    assert errors[4] == f"CancelledError: {took} 1 of the cell: await asyncio.Event().wait()"
    assert errors[5].startswith(f"TookTooLong: {took}")
    assert "of the cell, in forever" in errors[5]
    assert "4 of the cell: socket.create_connection" in errors[6]
    assert notebook.cells[-1].outputs[0].text == "alive\n"


@contextlib.contextmanager
def quiet_client():
    """Let nbclient's own warnings about its platform pass."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_start_does_nothing_outside_of_a_notebook():
    code = (
        "import workbench.deadline as d, sys, json; d.start(); d.limit(1); "
        "print(json.dumps([d._GUARD.installed, 'IPython' in sys.modules]))"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, timeout=60)
    assert json.loads(done.stdout) == [False, False]


def test_a_free_port_is_looked_for_without_listening_there(monkeypatch):
    """A socket that listens, copied by a fork of another thread, would accept for a server."""
    monkeypatch.setattr(socket.socket, "listen", lambda *args: pytest.fail("it listens"))
    port, sign = hosts._free_port()
    assert port in hosts.LOW_PORTS
    with socket.socket() as sock:
        assert sock.connect_ex((hosts.HOST, port)) != 0
    if sign is not None:
        sign.close()


@pytest.mark.skipif(sys.platform != "linux", reason="needs all of 127.0.0.0/8")
def test_a_port_is_chosen_once_until_it_is_let_go(monkeypatch):
    """A server that shares its port would answer for another that has chosen the same."""
    monkeypatch.setattr(hosts, "LOW_PORTS", range(19_990, 19_992))
    with ExitStack() as stack:
        ports = set()
        for _ in range(2):
            port, sign = hosts._free_port()
            stack.enter_context(sign)
            ports.add(port)
        assert ports == {19_990, 19_991}
        with pytest.raises(OSError, match="no free port"):
            hosts._free_port()
    port, sign = hosts._free_port()
    sign.close()
    assert port in ports


def test_a_command_that_cannot_be_started_leaves_nothing():
    with pytest.raises(FileNotFoundError), running(command="no-such-command {port}"):
        pass
