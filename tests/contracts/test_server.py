"""The contract of a WSGI server, on each of our shells with each of our engines."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

import pytest
from contracts.shells import ENGINES, SHELLS, Ours

from workbench.contracts import Broken, cases, find
from workbench.contracts.server import cases_for

SERVERS = [Ours(shell, engine) for shell in SHELLS for engine in ENGINES]
# Chapter 4 once more on each engine, with wsgiref's validator between, which watches both sides.
VALIDATED = [Ours("threads", engine, validated=True) for engine in ENGINES]


def name_of(value):
    if isinstance(value, Ours):
        return f"{value.shell}-{value.engine}" + ("-validated" if value.validated else "")
    return value.name.replace(" ", "_")


@pytest.mark.parametrize(
    ("server", "case"),
    [
        *((server, case) for server in SERVERS for case in cases_for(server)),
        *(
            (server, case)
            for server in VALIDATED
            for case in cases_for(server)
            if case.chapter == 4
        ),
    ],
    ids=name_of,
)
def test_keeps_the_contract(server, case):
    case.run(server)


def test_every_case_applies_to_one_of_our_servers():
    offered = [case.name for server in SERVERS for case in cases_for(server)]
    assert {case.name for case in cases("server")} == set(offered)


def test_cases_are_told_apart_and_cite_their_clause():
    names = [case.name for case in cases("server")]
    assert len(names) == len(set(names)) >= 60
    for case in cases("server"):
        assert case.sentence.endswith("."), case.name
        # "Course": no document asks for it, and the course does.
        assert case.clause.startswith(("RFC ", "PEP ", "CVE-", "Course, ")), case.name
        assert case.chapter in range(1, 6), case.name


# --- Servers that are wrong, and the words in which a case says it -----------------------------


class Answers:
    """A server whose every answer is the same bytes, whatever was asked."""

    patience = 0.3
    provides = frozenset()

    def __init__(self, *answer):
        self.answer = answer

    @contextmanager
    def serve(self, app):
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def run():
                with listener.accept()[0] as client:
                    client.recv(65536)
                    for part in self.answer:
                        client.sendall(part)
                    if not self.answer:
                        client.recv(65536)

            thread = threading.Thread(target=run, daemon=True)
            thread.start()
            yield listener.getsockname()
            thread.join(5)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((), "still waiting for the empty line that ends the head of a response after 0.3 s"),
        ((b"",), "the connection ended before the empty line that ends the head"),
        ((b"hello\r\n\r\n",), "does not begin with 'HTTP/1.1 200 OK'"),
        ((b"HTTP/1.1 200 OK\r\nbad line\r\n\r\n",), "is no field: b'bad line'"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok",), "in the middle of the response"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok",), "not a number"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nok\r\n",), "not with its size"),
        ((b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nok",), "not the application's"),
    ],
    ids=lambda value: "" if isinstance(value, tuple) else value.replace(" ", "_"),
)
def test_a_case_says_what_is_wrong(answer, words):
    with pytest.raises(Broken) as info:
        find("server", "one answer").run(Answers(*answer))
    assert words in str(info.value)
