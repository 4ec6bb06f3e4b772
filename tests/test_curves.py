"""Do the pictures of time say in text what they draw, and does a farewell see who hears what?"""

from __future__ import annotations

import socket

from workbench.curves import Span, curves, spans, watch
from workbench.farewell import farewell
from workbench.running import running
from workbench.tcp import connected, push, reset

POSTS = b"GET /posts HTTP/1.1\r\nHost: board.example\r\n\r\n"
SERVE = "{python} -m handmade serve workbench.board.asgi:app --port {port}"


def test_curves_tell_the_largest_number_of_each_stretch():
    picture = curves({"a": [(0.0, 1.0), (0.5, 9.0), (1.0, 2.0)]}, y="MiB", title="It grows")
    lines = repr(picture).splitlines()
    assert lines[0] == "It grows"
    assert lines[1].split() == ["seconds", "a", "MiB"]
    assert lines[2].split() == ["0.12", "1.0"]
    assert lines[5].split() == ["0.50", "9.0"]
    assert lines[-1].split() == ["1.00", "2.0"]
    assert "a up to 9" in picture.alt
    assert picture._repr_png_()[:4] == b"\x89PNG"


def test_curves_of_nothing_are_no_error():
    assert "nothing" in repr(curves({"nothing": []}, y="MiB"))


def test_spans_stand_where_they_begin_and_end():
    picture = spans(
        [Span("a", 0.0, 0.5, "works"), Span("b", 0.5, 1.0, "waits", "-")],
        [(0.5, "now")],
        columns=45,
    )
    mark, a, b, scale = repr(picture).splitlines()
    assert mark.index("▼") == b.index("-")
    assert a.rstrip().endswith("#")
    assert scale.split() == ["0", "s", "1.00", "s"]
    assert "a from 0.00 to 0.50 s works" in picture.alt
    assert picture._repr_png_()[:4] == b"\x89PNG"


def test_watch_looks_again_and_again():
    numbers = iter(range(1000))
    seen = watch(0.05, every=0.005, n=lambda: next(numbers))["n"]
    assert [value for _, value in seen] == list(range(len(seen)))
    assert 1 < len(seen) <= 10


def test_push_ends_when_nobody_reads():
    client, server = connected(room=4096)
    with client, server:
        went = push(server, bytes(50_000_000), quiet=0.05)
        assert 0 < went < 50_000_000
        assert server.gettimeout() is None
        reset(client)


def test_a_farewell_sees_who_is_answered_and_who_is_closed():
    with running(command=SERVE) as server:
        idle = socket.create_connection(server.address, 2)
        idle.sendall(POSTS)
        assert idle.recv(4096).startswith(b"HTTP/1.1 200")
        told = farewell(server, {"idle": idle})
    assert told.ends["idle"].said == b""
    assert told.ends["idle"].closed is not None
    assert told.shut is not None
    assert told.ended is not None
    assert "idle, then closed" in repr(told.picture())
