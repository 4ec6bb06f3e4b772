"""Clients that ask without end, read slowly but steadily, or send on after they were refused."""

from __future__ import annotations

import contextvars
import socket
import threading
import time
from dataclasses import replace

import pytest
from contracts.async_shells import PATIENT, serving
from contracts.shells import serving as serving_wsgi

from handmade.events import Limits
from handmade.loop import Loop
from handmade.loop_time import sleep

SHELLS = ["asyncio", "loop"]
ENGINES = ["http1", "h11"]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
SOON = replace(PATIENT, write=0.6, slowest=500)
BIG = 12_000_000  # bytes: far more than the system's buffers hold


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hi"})


async def big(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(BIG)})


def big_wsgi(environ, start_response):
    start_response("200 OK", [])
    return [bytes(BIG)]


def streamed_wsgi(environ, start_response):
    start_response("200 OK", [])
    return (bytes(65536) for _ in range(BIG // 65536))


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("engine", ENGINES)
def test_who_asks_without_end_is_read_from_only_as_fast_as_it_is_answered(shell, engine):
    with serving(hello, shell, engine) as server, socket.create_connection(server.address) as sock:
        held, over = [], threading.Event()

        def ask():
            block = GET * 2000
            try:
                while not over.is_set():
                    sock.sendall(block)
            except OSError:
                pass

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            sock.recv(65536)
            held += [len(each.engine._buf) for each in list(server.shell._open)]
        over.set()
        sock.shutdown(socket.SHUT_RDWR)
        asking.join(10)
    assert max(held) <= 3 * 65536


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("engine", ENGINES)
def test_an_upload_that_is_refused_hears_why_and_no_reset(shell, engine):
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n"
    with (
        serving(hello, shell, engine, limits=Limits(body=1000)) as server,
        socket.create_connection(server.address, timeout=10) as sock,
    ):
        sock.sendall(head)
        answer = sock.recv(65536)
        for _ in range(10):  # a client that has not looked yet
            sock.sendall(bytes(10_000))
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"".join(iter(lambda: sock.recv(65536), b"")) == b""


def read_steadily(address):
    """Read about 1.5 MB a second, less than the system's buffers in the time a reader has."""
    count = 0
    with socket.create_connection(address, timeout=10) as sock:
        sock.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        until = time.monotonic() + 2.0
        while time.monotonic() < until:
            count += len(sock.recv(65536))
            threading.Event().wait(0.04)
        while data := sock.recv(1 << 20):
            count += len(data)
    return count


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="the system does not tell what it holds")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_slow_but_steady_reader_is_no_reader_that_stalls(shell):
    with serving(big, shell, timeouts=SOON) as server:
        assert read_steadily(server.address) > BIG


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="the system does not tell what it holds")
@pytest.mark.parametrize("app", [big_wsgi, streamed_wsgi])
def test_nor_is_it_one_for_the_blocking_shells(app):
    with serving_wsgi(app, timeouts=SOON) as address:
        assert read_steadily(address) > BIG - 65536


def test_a_task_of_the_loop_by_hand_keeps_its_context():
    variable = contextvars.ContextVar("variable")

    async def work():
        token = variable.set(1)
        await sleep(0.001)
        variable.reset(token)  # ValueError in another context
        return variable.get("unset")

    assert Loop().run(work()) == "unset"
