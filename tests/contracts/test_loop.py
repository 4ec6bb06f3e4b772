"""The loop by hand keeps the contract of a loop; servers on it keep the tiny one."""

from __future__ import annotations

import pytest

from handmade.loop import Loop
from workbench import contracts


@pytest.mark.parametrize("case", contracts.cases("loop"), ids=lambda case: case.name)
def test_loop(case):
    case.run(Loop)


def serve(listener):
    """Be chapter 08's fifth server."""
    listener.setblocking(False)
    loop = Loop()

    async def talk(sock):
        buf = b""
        with sock:
            while data := await loop.sock_recv(sock, 1000):
                *heads, buf = (buf + data).split(b"\r\n\r\n")
                answer = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
                await loop.sock_sendall(sock, answer * len(heads))

    async def welcome():
        while True:
            sock, _ = await loop.sock_accept(listener)
            loop.create_task(talk(sock))

    loop.run(welcome())


@pytest.mark.parametrize("case", contracts.cases("tiny"), ids=lambda case: case.name)
def test_a_server_on_it(case):
    case.run(serve)
