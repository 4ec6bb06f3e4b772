"""Does the X-ray record all that happens, in order, and change nothing of it?"""

from __future__ import annotations

import io
from wsgiref.validate import validator

import pytest

from workbench.lanes import Happening, swimlanes
from workbench.running import fixed, running
from workbench.xray import xray

GET = b"GET /hello?a=1 HTTP/1.1\r\nHost: a\r\n\r\n"


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def echo(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield environ["wsgi.input"].read()


def labels(x):
    return [f"{row.source[0]}>{row.target[0]} {row.label}" for row in x.rows]


def test_one_request_from_bytes_to_bytes():
    assert repr(xray(hello, GET, title="One request")) == (
        r"""
One request
    client   socket       engine      gateway         application
  1    │──recv─▶│            │           │                 │   36 bytes: GET /hello?a=1 HTTP/1.1\r\…
  2    │        │──receive──▶│           │                 │   36 bytes
  3    │        │            │──Request─▶│                 │   GET /hello?a=1, 1 field
  4    │        │            │────End───▶│                 │
  5    │        │            │           │───────call─────▶│   REQUEST_METHOD GET, PATH_INFO /hello…
  6    │        │            │           │◀─start_response─│   200 OK, 1 header
  7    │        │            │           │◀─────return─────│   list of 1: hello
  8    │        │            │◀─Response─│                 │   200, 3 fields
  9    │        │◀──bytes────│           │                 │   101 bytes: HTTP/1.1 200 OK\r\nConten…
 10    │        │            │◀───Data───│                 │   5 bytes: hello
 11    │        │◀──bytes────│           │                 │   5 bytes: hello
 12    │        │            │◀───End────│                 │
 13    │◀─send──│            │           │                 │   106 bytes: HTTP/1.1 200 OK\r\nConten…
 14    │        │◀NEED_DATA──│           │                 │""".lstrip("\n")
    )


def test_it_is_the_same_every_time_and_fits_the_page():
    one, other = xray(hello, GET), xray(hello, GET)
    assert one.rows == other.rows
    assert repr(one) == repr(other)
    assert one.picture()._repr_png_() == other.picture()._repr_png_()
    assert max(map(len, repr(one).splitlines())) <= 100
    assert b"Tue, 15 Nov 1994 08:12:31 GMT" in one.rows[-2].data


def test_the_picture_has_an_alt_text():
    data, metadata = xray(hello, GET)._repr_mimebundle_()
    assert set(data) == {"text/plain", "image/png"}
    alt = metadata["image/png"]["alt"]
    assert alt.startswith("Swimlanes client, socket, engine, gateway, application, 14 rows: client")


def test_a_split_request_and_a_streamed_body():
    head = b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    x = xray(echo, [head[:9], head[9:], b"5\r\nwor", b"ld\r\n0\r\n\r\n"])
    assert labels(x)[:6] == [
        "c>s recv",
        "s>e receive",
        "e>s NEED_DATA",
        "c>s recv",
        "s>e receive",
        "e>g Request",
    ]
    assert labels(x).index("g>a call") < labels(x).index("a>g return") < labels(x).index("g>a next")
    assert [row.detail for row in x.rows if row.label == "input"] == ["5 bytes"]
    assert [row.data for row in x.rows if row.label == "yield"] == [b"world"]
    assert labels(x).count("a>g read") == 1


def test_pipelined_requests_are_answered_in_order():
    x = xray(hello, GET + GET.replace(b"hello", b"second"), half_close=True)
    calls = [row.detail for row in x.rows if row.label == "call"]
    assert ["/hello" in calls[0], "/second" in calls[1]] == [True, True]
    assert labels(x)[-4:] == ["c>s end", "s>e receive", "e>g Closed", "s>c close"]


def test_a_failure_is_marked_and_logged():
    x = xray(lambda environ, start_response: 1 / 0, GET, engine="h11")
    (row,) = [row for row in x.rows if row.bad]
    assert (row.label, row.detail) == ("raise", "ZeroDivisionError: division by zero")
    assert "✗ ZeroDivisionError" in repr(x)
    assert x.log.lines[-1] == "ZeroDivisionError: division by zero"


def test_a_broken_request_is_seen_to_be_refused():
    x = xray(hello, b"GET / HTTP/1.1\r\n\r\n")
    assert labels(x)[2] == "e>g PeerError"
    assert x.rows[2].bad
    assert b"400 Bad Request" in x.rows[-3].data
    assert labels(x)[-2:] == ["s>c shutdown", "s>c close"]


def test_write_close_and_exc_info_go_through():
    closed = []

    class Body:
        def __iter__(self):
            return iter([b"b"])

        def close(self):
            closed.append(True)

    def app(environ, start_response):
        start_response("200 OK", [], None)(b"a")
        return Body()

    x = xray(app, GET)
    assert closed == [True]
    assert [label for label in labels(x) if "a" in label.split()[0]] == [
        "g>a call",
        "a>g start_response",
        "a>g write",
        "a>g return",
        "g>a next",
        "a>g yield",
        "g>a next",
        "a>g StopIteration",
        "g>a close",
    ]


def test_the_validator_finds_nothing_to_complain_of():
    sent = [row.data for row in xray(validator(hello), GET).rows if row.label == "send"]
    assert sent[0].startswith(b"HTTP/1.1 200 OK")


def test_no_secret_is_recorded_where_it_can_be_seen():
    raw = GET[:-2] + b"Authorization: Basic SECRET\r\n\r\n"
    x = xray(hello, raw, environ=("HTTP_AUTHORIZATION",))
    seen = repr(x) + repr(x.table()) + x.table()._repr_html_() + x.picture().alt
    assert "SECRET" not in seen
    assert "HTTP_AUTHORIZATION <hidden>" in repr(x)


def test_steps_lie_upon_each_other():
    x = xray(hello, GET)
    assert repr(x).startswith(repr(x.step(5)))
    assert len(repr(x.step(5)).splitlines()) == 6
    assert x.step(3, 14)._repr_png_()[:4] == b"\x89PNG"


def test_the_slider_is_there_when_widgets_are():
    slider, image = xray(hello, GET).play().children
    before = image.value
    slider.value = 5
    assert image.value != before


def test_the_table_has_every_byte():
    table = xray(hello, GET).table()
    assert r"client > socket: recv GET /hello?a=1 HTTP/1.1\r\nHost: a\r\n\r\n" in repr(table)
    assert "<td" in table._repr_html_()


@pytest.mark.parametrize("engine", ["handmade", "h11"])
def test_a_real_server_is_tapped_and_does_the_same(engine):
    x = xray()
    with running(echo, tap=x, engine=engine, clock=fixed) as tapped:
        one = tapped.talk(GET)
    with running(echo, engine=engine, clock=fixed) as plain:
        assert plain.talk(GET) == one
    expected = labels(xray(echo, GET, engine=engine))
    assert labels(x)[: len(expected) - 1] == expected[:-1]
    assert x.rows[0].connection == 1


def test_two_clients_of_a_real_server_are_told_apart():
    x = xray()
    with running(hello, tap=x) as server:
        server.talk(GET)
        server.talk(GET)
    assert {row.connection for row in x.rows} == {1, 2}
    assert [row.connection for row in x.rows if row.label == "call"] == [1, 2]
    assert "#2 " in repr(x)


def test_a_learners_own_handler_is_tapped():
    x = xray()

    def handler(sock):
        sock.sendall(sock.recv(100).upper())

    with running(handler=handler, tap=x) as server:
        assert server.talk(b"hello") == b"HELLO"
    assert labels(x) == ["c>s recv", "s>c send", "s>c close"]


def test_other_lanes_can_be_drawn():
    rows = [
        Happening("server", "app", "scope", "http"),
        Happening("app", "app", "awaits", "the loop runs others"),
        Happening("app", "client", "send", "past the server"),
    ]
    picture = swimlanes(["client", "server", "app"], rows)
    assert repr(picture) == (
        "    client   server     app\n"
        "  1    │        │─scope─▶│         http\n"
        "  2    │        │        ● awaits  the loop runs others\n"
        "  3    │◀──────send──────│         past the server"
    )
    assert picture._repr_png_()[:4] == b"\x89PNG"


def test_what_the_application_reads_is_what_was_sent():
    got = io.BytesIO()

    def app(environ, start_response):
        for line in environ["wsgi.input"]:
            got.write(line)
        start_response("204 No Content", [])
        return []

    xray(app, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\na\nb\nc\nd")
    assert got.getvalue() == b"a\nb\nc\nd"
