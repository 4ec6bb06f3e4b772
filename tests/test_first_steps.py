"""What the first two notebooks lean on: the map, the pictures of TCP, the look at the set-up."""

from __future__ import annotations

import threading
import urllib.request

import pytest

from workbench import setup, visit
from workbench.errors import own
from workbench.maps import PARTS, TO_COME, course_map
from workbench.places import ROOT
from workbench.tcp import connected, sequence, tape
from workbench.waits import two_ways_to_wait

GET = b"GET /posts HTTP/1.1\r\nHost: board.example\r\n\r\n"


@pytest.mark.parametrize("lit", [layer.name for part in PARTS for layer in part.layers])
def test_each_layer_can_be_lit(lit):
    picture = course_map(lit)
    assert f"{lit}]" in picture.text
    assert f"You are at {picture.text.split('you are here: ')[1][:2]}, {lit}." in picture.alt


def test_a_layer_is_found_by_its_chapter_too():
    assert course_map(3).text == course_map("03").text == course_map("framing").text


def test_the_whole_map_lights_nothing():
    picture = course_map()
    assert "[" not in picture.text
    assert "Part II" in picture.text


def test_the_map_tells_which_chapters_are_to_come():
    here = {path.name[:2] for path in (ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb")}
    assert not TO_COME & here, "take them off maps.TO_COME, then build notebook 00"
    for layer in (layer for part in PARTS for layer in part.layers):
        marked = f"({layer.chapter} {layer.name})" in course_map().text
        assert marked == (layer.chapter in TO_COME)
    assert "(" not in course_map("WSGI").text


def test_an_unknown_layer_is_told():
    with pytest.raises(LookupError, match="there are socket, parsing"):
        course_map("sockets")


@pytest.mark.parametrize(
    "picture",
    [
        course_map(),
        course_map("framing"),
        tape([b"one", b"two"], [b"onet", b"wo", b""], "title"),
        tape([], []),
        sequence([("client:", "connect"), ("client", "SYN"), "a remark", ("server", "RST")], "t"),
        two_ways_to_wait(),
    ],
    ids=range(6),
)
def test_pictures_are_drawn_and_told(picture):
    data, metadata = picture._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"]
    assert max(map(len, data["text/plain"].splitlines())) <= 100


def test_a_tape_says_where_the_stream_was_cut():
    assert repr(tape([GET[:8], GET[8:]], [GET[:8], b""])) == (
        "sends    |GET /pos|ts HTTP/1.1\\r\\nHost: board.example\\r\\n\\r\\n|\n"
        "stream   |GET /posts HTTP/1.1\\r\\nHost: board.example\\r\\n\\r\\n|  44 bytes\n"
        "recvs    |GET /pos|(end)|"
    )


def test_a_pair_is_connected_and_the_client_may_have_little_room():
    client, sock = connected(room=4096)
    with client, sock:
        assert client.getsockname() == sock.getpeername()
        sock.setblocking(False)
        assert 0 < sock.send(b"x" * 30_000_000) < 30_000_000


def test_the_report_says_that_all_is_ready():
    report = setup.setup_report()
    assert report.ok, repr(report)
    assert repr(report).endswith("All is ready.")
    assert "✗" not in report._repr_html_()


def test_the_report_says_what_to_do(monkeypatch):
    monkeypatch.setattr(setup, "_is_installed", lambda name: name != "httpx")
    report = setup.setup_report()
    assert "✗ packages  Missing: httpx. Close Jupyter" in repr(report)
    assert repr(report).endswith("1 line needs mending; what to do stands beside it.")


def test_a_check_that_fails_does_not_stop_the_report(monkeypatch):
    def fails():
        raise ValueError("odd")

    monkeypatch.setattr(setup, "CHECKS", (("a", "fine", lambda: None), ("b", "fine", fails)))
    report = setup.setup_report()
    assert repr(report).startswith("✓ a  fine\n✗ b  ValueError: odd.")


def test_a_requirement_has_a_name():
    assert [setup._name(r) for r in ("httpx[http2]>=1", "h11", "PyYAML>=6")] == [
        "httpx",
        "h11",
        "PyYAML",
    ]


def test_nobody_is_waited_for_unless_it_is_asked(capsys):
    visit.visit(handler=print)
    assert "seconds=20" in capsys.readouterr().out


def test_a_browser_is_waited_for(capsys, monkeypatch):
    def greet(sock):
        sock.recv(1024)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    real = visit.running

    def running(**options):
        host = real(**options)
        enter = host.__enter__

        def and_visit():
            server = enter()
            fetch = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
            threading.Thread(target=lambda: fetch(server.url(), timeout=2).close()).start()
            return server

        host.__class__ = type("Host", (host.__class__,), {"__enter__": lambda self: and_visit()})
        return host

    monkeypatch.setattr(visit, "running", running)
    visit.visit(handler=greet, seconds=5)
    said = capsys.readouterr().out
    assert said.startswith("Open http://127.0.0.1:")
    assert said.endswith("Your browser was here.\n")


def test_a_traceback_keeps_the_learners_frames_alone():
    import json

    try:
        json.loads("{")
    except ValueError as error:
        kept = own(error.__traceback__)
        assert kept is not None
        assert kept.tb_frame.f_code.co_filename == __file__
        assert kept.tb_next is None
