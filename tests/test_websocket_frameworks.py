"""Unmodified Starlette, FastAPI, Quart and Django Channels, by the websockets library, on ours."""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

import pytest
from contracts.async_shells import logged, serving
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

APPS = Path(__file__).parent / "apps"
SERVERS = [("asyncio", "http1"), ("asyncio", "h11"), ("uvloop", "http1"), ("loop", "http1")]
NEEDS_ASYNCIO = {"quart", "channels"}  # they ask asyncio for its loop, as the course explains
PAIRS = [
    (name, *server)
    for name in ("starlette", "fastapi", "quart", "channels")
    for server in SERVERS
    if server[0] != "loop" or name not in NEEDS_ASYNCIO
]
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def rooms():
    sys.path.insert(0, str(APPS))
    yield importlib.import_module("websocket_apps")
    sys.path.remove(str(APPS))


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def room(request, rooms):
    name, shell, engine = request.param
    app, left = rooms.ROOMS[name]()
    lines = []
    with logged(lines), serving(app, shell, engine, lifespan="off") as server:
        server.name, server.left, server.lines = name, left, lines
        server.denials = rooms.DENIALS[name]
        yield server


def talk(room, path, **how):
    host, port = room.address
    return connect(f"ws://{host}:{port}{path}", proxy=None, open_timeout=20, **how)


def test_echo(room):
    with talk(room, "/echo", subprotocols=["board", "chat"]) as client:
        assert client.subprotocol == "board"
        for text in ("", "hello", "\u00e9\U0001f355" * 50_000):
            client.send(text)
            assert client.recv(20) == text
        if room.name != "fastapi":  # its iterator is for text alone
            client.send(bytes(range(256)) * 1000)
            assert client.recv(20) == bytes(range(256)) * 1000
        client.send(["in ", "three ", "fragments"])
        assert client.recv(20) == "in three fragments"
        assert client.ping().wait(20)


def test_a_client_that_leaves_is_told(room):
    room.left.clear()
    with talk(room, "/echo") as client:
        client.send("x")
        client.recv(20)
        client.close(4002, "enough")
    # An earlier client's end may be told late, so this one's code is looked for among them.
    wanted = 4002 if room.name in ("starlette", "channels") else 1000
    end = time.monotonic() + 20
    while wanted not in [code for code, _ in room.left]:
        assert time.monotonic() < end, f"still waiting for {wanted}: {room.left}"
        time.sleep(0.01)


def test_a_close_with_a_reason_and_a_field(room):
    with talk(room, "/goodbye?name=ada") as client:
        assert client.response.headers["x-room"] == "lobby"
        assert json.loads(client.recv(20)) == {"hello": "ada"}
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(20)
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "the room closes")


def test_denials(room):
    for path, status in room.denials.items():
        with pytest.raises(InvalidStatus) as denied, talk(room, path):
            pass
        assert denied.value.response.status_code == status, path


def test_an_application_that_fails(room):
    with talk(room, "/fail") as client:
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(20)
        assert closed.value.rcvd.code in (1000, 1011)
    assert room.name == "quart" or any("in the room" in line for line in room.lines)
