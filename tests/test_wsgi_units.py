"""The pieces of the WSGI gateway, each by itself: what goes in, what comes out."""

from __future__ import annotations

import io
import socket
import sys

import pytest

from handmade import waiting
from handmade.events import Data, End, OurError, PeerError, Request
from handmade.gateway import ApplicationError, Disconnected, HttpDate, error_response
from handmade.wsgi import Gateway
from handmade.wsgi_request import (
    Body,
    FileWrapper,
    Server,
    base_environ,
    environ_key,
    field_environ,
    request_environ,
)
from handmade.wsgi_response import checked_headers, checked_status


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (b"host", "HTTP_HOST"),
        (b"x-some-thing", "HTTP_X_SOME_THING"),
        (b"content-type", "CONTENT_TYPE"),
        (b"content-length", "CONTENT_LENGTH"),
        (b"x_real_ip", None),
        (b"content_length", None),
        (b"proxy", None),
        (b"proxy-authorization", "HTTP_PROXY_AUTHORIZATION"),
        (b"x-!#$", "HTTP_X_!#$"),
    ],
)
def test_environ_key(name, key):
    assert environ_key(name) == key


def test_fields_are_joined_in_their_order():
    fields = ((b"accept", b"a"), (b"cookie", b"x=1"), (b"accept", b"b"), (b"cookie", b"y=2"))
    assert field_environ(fields) == {"HTTP_ACCEPT": "a, b", "HTTP_COOKIE": "x=1; y=2"}


def test_an_empty_field_is_a_field():
    assert field_environ(((b"x-empty", b""),)) == {"HTTP_X_EMPTY": ""}


@pytest.mark.parametrize(
    ("target", "script_name", "path_info", "query"),
    [
        (b"/", "", "/", ""),
        (b"/a%20b?c%20d", "", "/a b", "c%20d"),
        (b"/%E2%82%AC", "", "/\xe2\x82\xac", ""),
        (b"/100%", "", "/100%", ""),
        (b"/%zz", "", "/%zz", ""),
        (b"*", "", "", ""),
        (b"http://a.example?q", "", "/", "q"),
        (b"/mounted/x", "/mounted", "/x", ""),
        (b"/mounted", "/mounted", "", ""),
        (b"/mountedly", "/mounted", "/mountedly", ""),
        (b"/elsewhere", "/mounted", "/elsewhere", ""),
    ],
)
def test_a_target_becomes_path_and_query(target, script_name, path_info, query):
    environ = request_environ(Request(b"GET", target, ()), {}, script_name)
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == (path_info, query)


def test_a_byte_over_127_in_the_path_is_one_character():
    environ = request_environ(Request(b"GET", b"/%ff%00", ()), {}, "")
    assert environ["PATH_INFO"] == "/\xff\x00"


def test_the_base_of_environ_says_what_the_server_is():
    errors = io.StringIO()
    server = Server("host", 8000, "https", "/app", multithread=True, errors=errors)
    environ = base_environ(server)
    assert environ["SERVER_PORT"] == "8000"
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["SCRIPT_NAME"] == "/app"
    assert environ["wsgi.multithread"] is True
    assert environ["wsgi.multiprocess"] is False
    assert environ["wsgi.errors"] is errors
    assert base_environ(Server())["wsgi.errors"] is sys.stderr


# --- start_response ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "checked"),
    [
        ("200 OK", (200, b"OK")),
        ("404 Not Found", (404, b"Not Found")),
        ("299 Tr\xe8s bien", (299, b"Tr\xe8s bien")),
        ("599 x", (599, b"x")),
    ],
)
def test_a_good_status(status, checked):
    assert checked_status(status) == checked


@pytest.mark.parametrize(
    "status",
    [200, b"200 OK", None, "", "200", "200 ", "OK", "99 Low", "100 Continue", "600 High",
     "200  ", "2000 OK", "200 OK\r\nX: y", "200 OK\n", "200 \u20ac", "\u0662\u0660\u0660 OK"],
    ids=repr,
)  # fmt: skip
def test_a_bad_status(status):
    with pytest.raises(ApplicationError, match="status must"):
        checked_status(status)


def test_headers_are_encoded_and_read():
    headers = checked_headers(
        [("Content-Length", "5"), ("Date", "now"), ("X", "caf\xe9")],
    )
    assert headers.length == 5
    assert headers.dated
    assert (b"X", b"caf\xe9") in tuple(headers.fields)
    plain = checked_headers([])
    assert (plain.length, plain.dated, tuple(plain.fields)) == (None, False, ())


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ((("A", "b"),), "must be a list"),
        ({"A": "b"}, "must be a list"),
        (None, "must be a list"),
        ([["A", "b"]], "tuple of two str"),
        ([("A",)], "tuple of two str"),
        ([("A", 5)], "tuple of two str"),
        ([(b"A", b"b")], "tuple of two str"),
        ([("A", ["b"])], "tuple of two str"),
        ([("A", "\u20ac")], "ISO-8859-1"),
        ([("Ä", "b")], "ISO-8859-1"),
        ([("A", "b\r\nC: d")], "control character"),
        ([("A", "b\0")], "control character"),
        ([("A B", "c")], "not a field name"),
        ([("", "c")], "not a field name"),
        ([("Content-Length", "five")], "not a number"),
        ([("Content-Length", "-5")], "not a number"),
        ([("Content-Length", "5"), ("Content-Length", "6")], "two different"),
        ([("Connection", "close")], "server's to set"),
        ([("transfer-encoding", "chunked")], "server's to set"),
        ([("Upgrade", "h2c")], "server's to set"),
    ],
    ids=repr,
)
def test_bad_headers(headers, words):
    with pytest.raises(ApplicationError, match=words):
        checked_headers(headers)


def test_a_str_of_a_kind_of_its_own_is_a_str():
    class Text(str):
        __slots__ = ()

    assert checked_headers([("X-Kind", Text("yes"))]).length is None
    assert checked_status(Text("200 OK")) == (200, b"OK")


# --- wsgi.input -------------------------------------------------------------------------------


class Feed:
    """A channel that gives what it was given, and counts how often it was asked."""

    whole_body = None
    client = ("127.0.0.1", 1)

    def __init__(self, *events):
        self.events = list(events)
        self.asked = 0

    def receive(self):
        self.asked += 1
        event = self.events.pop(0)
        if isinstance(event, Exception):
            raise event
        return event


def test_the_body_is_read_when_it_is_asked_for_and_not_before():
    feed = Feed(Data(b"hello"), Data(b" world"), End())
    body = io.BufferedReader(Body(feed))
    assert feed.asked == 0
    assert body.readline() == b"hello world"
    assert (body.read(), body.read(5)) == (b"", b"")
    assert feed.events == []


def test_the_end_of_the_body_is_asked_for_once():
    feed = Feed(End())
    body = io.BufferedReader(Body(feed))
    assert [body.read(1), body.read(1), body.readline(), list(body)] == [b"", b"", b"", []]
    assert feed.asked == 1


def test_an_empty_piece_is_not_the_end():
    assert io.BufferedReader(Body(Feed(Data(b""), Data(b"x"), End()))).read() == b"x"


def test_a_broken_body_is_an_error_each_time_it_is_read():
    body = Body(Feed(Data(b"hel"), PeerError(400, "it broke off")))
    reader = io.BufferedReader(body)
    for _ in range(2):
        with pytest.raises(OSError, match="it broke off"):
            reader.read()
    assert body.error.status == 400


def test_a_client_that_left_is_an_oserror():
    with pytest.raises(Disconnected):
        io.BufferedReader(Body(Feed(Disconnected("gone")))).read(1)


# --- the rest ---------------------------------------------------------------------------------


def test_file_wrapper_reads_blocks_and_closes():
    file = io.BytesIO(b"abcdefg")
    wrapper = FileWrapper(file, 3)
    assert iter(wrapper) is wrapper
    assert list(wrapper) == [b"abc", b"def", b"g"]
    wrapper.close()
    assert file.closed


def test_file_wrapper_has_no_close_where_the_file_has_none():
    class Reader:
        def read(self, size):
            return b""

    assert not hasattr(FileWrapper(Reader()), "close")
    assert list(FileWrapper(Reader())) == []


def test_the_date_is_formatted_once_a_second():
    times = iter([0.0, 0.9, 1.0, 784111777.0])
    date = HttpDate(lambda: next(times))
    first, second = date(), date()
    assert first is second
    assert first == b"Thu, 01 Jan 1970 00:00:00 GMT"
    assert date() == b"Thu, 01 Jan 1970 00:00:01 GMT"
    assert date() == b"Sun, 06 Nov 1994 08:49:37 GMT"


def test_an_error_response_is_short_plain_and_final():
    response, data, end = error_response(400, "no such thing", b"now")
    fields = dict(response.fields)
    assert data.data == b"400 Bad Request: no such thing\n"
    assert fields[b"content-length"] == b"%d" % len(data.data)
    assert (fields[b"connection"], fields[b"date"]) == (b"close", b"now")
    assert end == End()


class Channel:
    """A channel that notes what the gateway sends."""

    client = ("127.0.0.1", 50000)

    def __init__(self, whole_body=b""):
        self.whole_body = whole_body
        self.sent = []
        self.aborted = False

    def send(self, *events):
        self.sent.append(events)

    def abort(self):
        self.aborted = True


def responding(app, method=b"GET"):
    channel = Channel()
    gateway = Gateway(app, Server(), HttpDate(lambda: 0.0))
    result = gateway.respond(Request(method, b"/", ((b"host", b"test"),)), channel)
    return result, channel


def test_a_whole_answer_leaves_in_one_piece():
    def app(environ, start_response):
        start_response("200 OK", [])
        return [b"one", b"two"]

    result, channel = responding(app)
    assert result == (200, 6)
    assert len(channel.sent) == 1
    response, data, end = channel.sent[0]
    assert dict(response.fields)[b"content-length"] == b"6"
    assert (data, end) == (Data(b"onetwo"), End())


def test_the_first_block_leaves_with_the_head():
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"one"
        yield b"two"

    result, channel = responding(app)
    assert result == (200, 6)
    kinds = [[type(event).__name__ for event in events] for events in channel.sent]
    assert kinds == [["Response", "Data"], ["Data"], ["End"]]


def test_head_counts_no_content():
    def app(environ, start_response):
        start_response("200 OK", [])
        return [b"one"]

    result, channel = responding(app, b"HEAD")
    assert result == (200, 0)
    assert dict(channel.sent[0][0].fields)[b"content-length"] == b"3"


class Refusing(Channel):
    """A channel whose engine refuses the first ``times`` things that it is asked to send."""

    def __init__(self, times):
        super().__init__()
        self.times = times

    def send(self, *events):
        self.times -= 1
        if self.times >= 0:
            raise OurError("this cannot be written")
        super().send(*events)


def hello(environ, start_response):
    start_response("200 OK", [])
    return iter([b"hello"]) if environ["PATH_INFO"] == "/stream" else [b"hello"]


@pytest.mark.parametrize("target", [b"/whole", b"/stream"])
def test_what_the_engine_refuses_before_the_first_byte_is_answered_with_500(target):
    channel = Refusing(1)
    gateway = Gateway(hello, Server(), HttpDate(lambda: 0.0))
    status, _ = gateway.respond(Request(b"GET", target, ((b"host", b"test"),)), channel)
    assert status == 500
    assert [events[0].status for events in channel.sent] == [500]
    assert not channel.aborted


def test_an_engine_that_refuses_the_500_too_is_cut_off():
    channel = Refusing(2)
    gateway = Gateway(hello, Server(), HttpDate(lambda: 0.0))
    gateway.respond(Request(b"GET", b"/", ((b"host", b"test"),)), channel)
    assert channel.aborted
    assert channel.sent == []


def test_two_requests_do_not_share_their_environ():
    seen = []

    def app(environ, start_response):
        seen.append(environ)
        start_response("200 OK", [])
        return []

    gateway = Gateway(app, Server(), HttpDate(lambda: 0.0))
    request = Request(b"GET", b"/", ((b"host", b"test"),))
    gateway.respond(request, Channel())
    seen[0].clear()
    gateway.respond(request, Channel())
    assert seen[1]["HTTP_HOST"] == "test"
    assert type(seen[1]) is dict


def test_a_socket_that_was_closed_meanwhile_is_not_waited_for():
    sock, other = socket.socketpair()
    sock.close()
    other.close()
    assert waiting.wait(sock, waiting.READ, 5)
    assert waiting.wait(sock, waiting.WRITE, 5)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux filters a socket")
def test_who_is_in_line_gets_in_and_who_comes_later_does_not():
    listener = waiting.listen("127.0.0.1", 0)
    with listener, socket.create_connection(listener.getsockname()) as in_line:
        waiting.let_nobody_in(listener)
        with socket.socket() as late:
            late.setblocking(False)
            late.connect_ex(listener.getsockname())
            accepted, address = listener.accept()
            accepted.close()
            assert address == in_line.getsockname()
            with pytest.raises(BlockingIOError):
                listener.accept()
