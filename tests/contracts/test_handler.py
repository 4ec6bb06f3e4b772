"""The handler contract judges right: the mirror holds it, each fault breaks the case for it."""

from __future__ import annotations

import socket

import pytest

from workbench.contracts import Broken, cases, find

SAYS_CLOSE = b"Connection: close\r\n"


def answer(sock, body, fields=SAYS_CLOSE, length=True):
    length = b"Content-Length: %d\r\n" % len(body) if length else b""
    sock.sendall(b"HTTP/1.1 200 OK\r\n" + fields + length + b"\r\n" + body)


def read_head(sock):
    buf = b""
    while b"\r\n\r\n" not in buf:
        data = sock.recv(1024)
        if not data:
            return b""
        buf += data
    return buf[: buf.index(b"\r\n\r\n") + 4]


def part(sock):
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(65536):
        pass


def mirror(sock):
    if head := read_head(sock):
        answer(sock, head)
        part(sock)


def one_recv(sock):
    answer(sock, sock.recv(1024))
    part(sock)


def no_end(sock):
    buf = b""
    while b"\r\n\r\n" not in buf:
        buf += sock.recv(1024)
    answer(sock, buf)
    part(sock)


def newest_piece(sock):
    buf = b""
    while data := sock.recv(1024):
        buf += data
        if b"\r\n\r\n" in data:
            answer(sock, buf)
            return part(sock)


def abrupt(sock):
    if head := read_head(sock):
        answer(sock, head)


def no_length(sock):
    if head := read_head(sock):
        answer(sock, head, length=False)
        part(sock)


def no_close(sock):
    if head := read_head(sock):
        answer(sock, head, fields=b"")
        part(sock)


def no_empty_line(sock):
    if head := read_head(sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\n" + SAYS_CLOSE + head)
        part(sock)


def until_the_end(sock):
    buf = b""
    while data := sock.recv(1024):
        buf += data
    if b"\r\n\r\n" in buf:
        answer(sock, buf)


def takes_the_end_for_a_hang_up(sock):
    head = read_head(sock)
    sock.settimeout(0.05)
    try:
        if sock.recv(1, socket.MSG_PEEK) == b"":
            return
    except TimeoutError:
        sock.settimeout(None)
    answer(sock, head)
    part(sock)


@pytest.mark.parametrize("case", cases("handler"), ids=lambda case: case.name)
def test_the_mirror_of_chapter_1_holds(case):
    case.run(mirror)


@pytest.mark.parametrize(
    ("handler", "name", "words"),
    [
        (one_recv, "split reads", "after 8 of 44 bytes"),
        (one_recv, "byte by byte", "after 1 of 44 bytes"),
        (one_recv, "bytes behind the head", "should be the head"),
        (newest_piece, "byte by byte", ""),
        (no_end, "client leaves early", "for ever"),
        (no_end, "bytes behind the head", "should be the head"),
        (abrupt, "unread bytes", "reset"),
        (no_length, "whole answer", "Content-Length"),
        (no_close, "whole answer", "Connection: close"),
        (no_empty_line, "whole answer", "is no field"),
        (until_the_end, "whole answer", "still waiting"),
        (takes_the_end_for_a_hang_up, "half-close", "ended before"),
    ],
)
def test_a_fault_breaks_the_case_that_is_meant_for_it(handler, name, words):
    with pytest.raises(Broken) as caught:
        find("handler", name).run(handler)
    assert words in str(caught.value)


def test_a_handler_that_fails_is_told():
    def fails(sock):
        raise RuntimeError("no")

    with pytest.raises(Broken) as caught:
        find("handler", "whole answer").run(fails)
    assert "RuntimeError: no" in str(caught.value)
