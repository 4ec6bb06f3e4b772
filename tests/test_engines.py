"""What chapter 15 measures and measures with: servers, clients, an upstream, ratios, pictures."""

from __future__ import annotations

import math
import socket
from itertools import chain, repeat

import httpx
import psutil
import pytest

from workbench.board.upstream import upstream
from workbench.contracts import Broken
from workbench.engine_pictures import ceiling, lineup, scoreboard
from workbench.engines import ALL, ENGINES, SIX, Engine, Seen, fleet
from workbench.exercises.measuring import faster
from workbench.load import LoadResult, Record
from workbench.running import running
from workbench.small_board import SmallBoard
from workbench.small_client import content_of
from workbench.strict_upstream import strict_upstream

CALLBACKS = ENGINES["callbacks"].command


@pytest.fixture(scope="module")
def slow_service():
    with upstream(0.02) as url:
        yield url


@pytest.fixture(scope="module")
def callbacks(slow_service):
    with running(command=CALLBACKS, env={"BOARD_UPSTREAM": slow_service}) as server:
        yield server


# --- Servers ----------------------------------------------------------------------------------


def test_callbacks_answer_the_two_routes(callbacks):
    assert callbacks.get("/slow?wait=0.01").json() == {"waited": 0.01}
    assert callbacks.get("/slow?wait=0.01&ms=5").json() == {"waited": 0.01}
    assert callbacks.get("/cpu?ms=5").json()["rounds"] > 0
    assert callbacks.get("/posts").json() == []


def test_callbacks_answer_what_is_pipelined_in_order(callbacks):
    head = " HTTP/1.1\r\nHost: board.example\r\n"
    asked = f"GET /slow?wait=0.05{head}\r\nGET /posts{head}Connection: close\r\n\r\n"
    came = callbacks.talk(asked.encode(), until=b"")
    assert came.index(b'{"waited": 0.05}') < came.index(b"[]")


def test_callbacks_serve_others_when_a_client_leaves_or_errs(callbacks):
    with pytest.raises(httpx.ReadTimeout):
        callbacks.get("/slow?wait=0.3", timeout=0.05)
    assert callbacks.talk(b"NO SENSE\r\n\r\n", until=b"") == b""
    assert callbacks.get("/slow?wait=0.01").status_code == 200


@pytest.mark.parametrize("shell", ["asyncio", "loop"])
def test_the_small_client_asks_on_both_loops(slow_service, shell):
    with running(SmallBoard(slow_service), shell=shell) as server:
        for _ in range(2):  # the second one finds a connection
            assert server.get("/slow?wait=0.01").json() == {"waited": 0.01}


def test_the_small_client_tells_of_an_upstream_that_closes():
    with running(handler=lambda sock: sock.recv(1000)) as silent:
        board = SmallBoard(f"http://127.0.0.1:{silent.port}")
        with running(board) as server:
            assert server.get("/slow").status_code == 500
            assert "closed in the middle" in server.log_text()


def test_content_of_an_answer():
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"
    for end in range(len(whole)):
        assert content_of(whole[:end]) is None
    assert content_of(whole) == b"yes"
    with pytest.raises(ValueError, match="no Content-Length"):
        content_of(b"HTTP/1.1 200 OK\r\n\r\n")


def test_a_fleet_is_measured_in_turns():
    with fleet(("callbacks", "loop by hand")) as engines:
        seen = engines.measure(clients=2, seconds=None, requests=4, wait=0.02, rounds=2)
        servers = list(engines.servers.values())
    assert list(seen) == ["callbacks", "loop by hand"]
    for one in seen.values():
        assert one.best.statuses == {200: 4}
        assert one.cpu > 0
    for server in servers:
        with pytest.raises(httpx.ConnectError):
            server.get("/")


# --- The upstream with a memory ---------------------------------------------------------------


def test_a_strict_upstream_counts_and_refuses():
    with strict_upstream(0.2, most=1) as up, httpx.Client(trust_env=False) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.get(f"{up.url}/long?wait=30", timeout=0.1)  # who leaves gives the place back
        assert client.get(f"{up.url}/one?wait=0").json() == {"waited": 0}
        assert client.get(f"{up.url}/one?wait=0").status_code == 200
        seen = up.stats()
    assert seen["paths"] == {"/long": 1, "/one": 2}
    assert (seen["requests"], seen["peak"], seen["refused"], seen["now"]) == (3, 1, 0, 0)
    assert seen["connections"] == 2


def test_a_strict_upstream_refuses_who_is_too_many():
    with strict_upstream(0.3, most=1) as up, running(SmallBoard(up.url)) as server:
        address = server.address
        raw = b"GET /slow?wait=0.3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        with socket.create_connection(address) as one, socket.create_connection(address) as two:
            one.sendall(raw)
            two.sendall(raw)
            bodies = [sock.makefile("rb").read() for sock in (one, two)]
        assert up.stats()["refused"] == 1
    assert sorted(body.rpartition(b"\r\n")[2] for body in bodies) == [
        b"busy\n",
        b'{"waited": 0.3}\n',
    ]


# --- Ratios -----------------------------------------------------------------------------------


def test_a_ratio_that_is_reached_after_a_bad_moment_is_reached():
    yours, theirs = iter([2.0, 0.8, 0.4]), iter([1.0, 1.0, 1.0])
    faster(lambda: next(yours), lambda: next(theirs), 2.0, "eight", "the other")


def test_a_ratio_of_one_lucky_turn_is_not_reached():
    yours, theirs = chain([0.5], repeat(0.8)), chain([1.2], repeat(0.8))
    with pytest.raises(Broken, match=r"1\.6 times as fast"):
        faster(lambda: next(yours), lambda: next(theirs), 2.0, "eight", "the other")


def test_twice_the_ratio_is_believed_at_once():
    faster(iter([0.2]).__next__, iter([1.0]).__next__, 2.0, "eight", "the other")


def test_a_ratio_that_is_never_reached_is_told_with_both_numbers():
    with pytest.raises(Broken, match=r"1\.00 s, yours 0\.80 s .* 1\.2 times as fast; 2 is wanted"):
        faster(lambda: 0.8, lambda: 1.0, 2.0, "eight", "the other takes")


# --- Pictures ---------------------------------------------------------------------------------


def run_of(*latencies: float, rate: float | None = None) -> LoadResult:
    records = [Record(n, 0.0, 0.0, 0.0, t, t) for n, t in enumerate(latencies)]
    return LoadResult(records=records, elapsed=max(latencies), clients=len(latencies), target=rate)


def test_a_lineup_tells_who_stood_in_line():
    picture = lineup({"one": run_of(0.1, 0.2), "all": run_of(0.1, 0.1)}, 0.1, "Who")
    assert picture.text.splitlines() == [
        "Who",
        "one: 200 ms               all: 100 ms",
        "############              ############",
        "............############  ############",
        ". waits for others   # its own wait",
    ]
    assert "one: 1 of 2 stood in line, the last had its answer after 200 ms" in picture.alt
    assert picture._repr_png_().startswith(b"\x89PNG")


def test_a_scoreboard_tells_what_was_left_unanswered():
    left = Record(2, 0.0, 0.0, 0.0, -1.0, 0.3, error="unfinished")
    run = LoadResult(records=[*run_of(0.1, 0.2).records, left], elapsed=0.4, clients=3)
    seen = {"threads": Seen(ENGINES["threads"], run, 0.0015, 23.4)}
    picture = scoreboard(seen, "Three clients")
    words = picture.text.splitlines()[-1].split()
    assert words == ["threads", "5", "100", "ms", "200", "ms", "1", "1.50", "ms", "23", "MiB"]
    assert "5 answers a second, 1.5 ms of processor time each, 23 MiB" in picture.alt
    assert picture._repr_png_().startswith(b"\x89PNG")


def test_a_scoreboard_of_nothing_answered():
    run = LoadResult(records=[], elapsed=0.4, clients=3)
    picture = scoreboard({"asyncio": Seen(ENGINES["asyncio"], run, math.nan, math.nan)})
    assert picture._repr_png_().startswith(b"\x89PNG")


def test_a_ceiling_tells_both_numbers():
    picture = ceiling({"half": (40.0, 31.0), "all": (20.0, 18.0)}, "Shares")
    assert "half        40        31" in picture.text
    assert "half: 31 of 40; all: 18 of 20" in picture.alt
    assert picture._repr_png_().startswith(b"\x89PNG")


def test_the_engines_are_six_with_their_places():
    assert [ENGINES[name].places for name in SIX] == [1, 8, 4, 0, 0, 0]
    assert len(ALL) == 6


def test_when_one_engine_does_not_start_the_others_are_ended(monkeypatch):
    broken = Engine("broken", "{python} -c 'raise SystemExit(3)' {port}", 1, "nowhere", "nothing")
    monkeypatch.setitem(ENGINES, "broken", broken)
    before = set(psutil.Process().children())
    with pytest.raises(RuntimeError, match="ended with 3"), fleet(("callbacks", "broken")):
        pass
    assert set(psutil.Process().children()) == before
