"""Fetch a page's resources as a browser does, over each version of HTTP, and note when what came.

    fetch(address, paths)                    HTTP/1.1, on one connection, one after the other
    fetch(address, paths, connections=6)     the same on six, as browsers do
    fetch2(address, paths)                   HTTP/2: all at once, a stream each
    await answers3(address, paths, ca)       HTTP/3: the same over QUIC, by aioquic

``answers3`` returns the answers; each of the others a `workbench.load.LoadResult` with one record a
resource, for `waterfall`. ``feeds2`` and ``feeds3`` tell when each piece of each answer came. All
resources are wanted at the start; what waits for a connection says so.
"""

from __future__ import annotations

import asyncio
import http.client
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from workbench.http2_client import Answer, Http2Client
from workbench.load_result import LoadResult, Record

Address = tuple[str, int]
PATIENCE = 8.0  # seconds for all


def fetch(address: Address, paths: Sequence[str], connections: int = 1) -> LoadResult:
    """Fetch over HTTP/1.1, on so many connections, each of which carries one after the other."""
    began = time.perf_counter()
    left = list(enumerate(paths))[::-1]
    lock, found, failed = threading.Lock(), dict[int, Record](), list[BaseException]()

    def work(client: int) -> None:
        connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
        try:
            while True:
                with lock:
                    if not left or failed:
                        return
                    number, path = left.pop()
                found[number] = _one(connection, path, began, client)
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    if failed:
        raise failed[0]
    return _result([found[number] for number in sorted(found)], connections)


def _one(connection: http.client.HTTPConnection, path: str, began: float, client: int) -> Record:
    sent = time.perf_counter() - began
    connection.request("GET", path)
    response = connection.getresponse()
    first = time.perf_counter() - began
    size = len(response.read())
    done = time.perf_counter() - began
    return Record(client, 0.0, sent, sent, first, done, response.status, size)


def fetch2(
    address: Address,
    paths: Sequence[str],
    *,
    window: int | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> LoadResult:
    """Fetch over HTTP/2 on one connection, all at once. ``meanwhile`` is called when all is asked.

    ``window`` is how much the client takes of a stream before it says so; None: 65,535 bytes.
    """
    began = time.perf_counter()
    answers = _all2(address, paths, window, meanwhile)
    return _result([_record(0, began, each) for each in answers], 1)


def feeds2(
    address: Address,
    paths: Sequence[str],
    meanwhile: Callable[[], object] | None = None,
    tls: ssl.SSLContext | None = None,
) -> list[list[float]]:
    """Return when each piece of each answer came, over HTTP/2; in seconds since the first question.

    ``tls`` is a context that offers "h2"; without it HTTP/2 is spoken by prior knowledge.
    """
    answers = _all2(address, paths, None, meanwhile, tls)
    return [[when - answers[0].asked for when in each.arrivals] for each in answers]


def _all2(
    address: Address,
    paths: Sequence[str],
    window: int | None,
    meanwhile: Callable[[], object] | None,
    tls: ssl.SSLContext | None = None,
) -> list[Answer]:
    with Http2Client(address, window=window, patience=PATIENCE, tls=tls) as client:
        streams = [client.ask(path) for path in paths]
        if meanwhile is not None:
            meanwhile()
        client.until(*streams)
        return [client.answers[stream] for stream in streams]


def _record(client: int, began: float, answer: Answer) -> Record:
    sent, first, done = answer.asked - began, answer.first - began, answer.done - began
    return Record(client, 0.0, sent, sent, first, done, answer.status, len(answer.body))


def _result(records: list[Record], clients: int) -> LoadResult:
    elapsed = max((record.done for record in records), default=0.0)
    return LoadResult(records, elapsed, clients, ended="all was there")


async def feeds3(
    address: Address,
    paths: Sequence[str],
    ca: str,
    meanwhile: Callable[[], object] | None = None,
) -> list[list[float]]:
    """Return when each piece of each answer came, over HTTP/3; in seconds as `feeds2` does."""
    answers = await answers3(address, paths, ca, meanwhile)
    return [[when - answers[0].asked for when in each.arrivals] for each in answers]


async def answers3(
    address: Address,
    paths: Sequence[str],
    ca: str,
    meanwhile: Callable[[], object] | None = None,
) -> list[Answer]:
    """Fetch over HTTP/3 on one QUIC connection, all at once; return whole answers, in order.

    ``ca`` is the path of whom we trust.  ``meanwhile`` is called when the connection stands and
    before anything is asked.
    """
    from aioquic.asyncio.client import connect
    from aioquic.h3.connection import H3_ALPN
    from aioquic.quic.configuration import QuicConfiguration

    how = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=True, server_name="localhost")
    how.load_verify_locations(ca)
    async with asyncio.timeout(PATIENCE):
        async with connect(*address, configuration=how, create_protocol=_protocol()) as client:
            if meanwhile is not None:
                meanwhile()
            answers: list[Answer] = await client.fetch(paths)  # type: ignore[attr-defined]  # ours
    return answers


def _protocol() -> Any:
    """Return the class of our client; aioquic is loaded when it is wanted."""
    from aioquic.asyncio.protocol import QuicConnectionProtocol
    from aioquic.h3.connection import H3Connection
    from aioquic.h3.events import DataReceived, HeadersReceived

    class Client(QuicConnectionProtocol):
        """One connection, and what came on each of its streams."""

        def __init__(self, *args: Any, **how: Any) -> None:
            super().__init__(*args, **how)
            self._http = H3Connection(self._quic)
            self._answers: dict[int, Answer] = {}
            self._over = asyncio.Event()

        async def fetch(self, paths: Sequence[str]) -> list[Answer]:
            """Ask for all, and return when all is there."""
            for path in paths:
                stream = self._quic.get_next_available_stream_id()
                head = {":method": "GET", ":scheme": "https", ":authority": "localhost"}
                pairs = [(n.encode(), v.encode()) for n, v in {**head, ":path": path}.items()]
                self._http.send_headers(stream, pairs, end_stream=True)
                self._answers[stream] = Answer(path, time.perf_counter())
            self.transmit()
            await self._over.wait()
            return list(self._answers.values())

        def quic_event_received(self, event: Any) -> None:
            """Note what has come of which stream."""
            for each in self._http.handle_event(event):
                if not isinstance(each, HeadersReceived | DataReceived):
                    continue
                answer, now = self._answers[each.stream_id], time.perf_counter()
                if isinstance(each, HeadersReceived):
                    pairs = [(name.decode(), value.decode()) for name, value in each.headers]
                    answer.first, answer.status = now, int(dict(pairs)[":status"])
                    answer.fields = [pair for pair in pairs if pair[0][:1] != ":"]
                elif each.data:
                    answer.body += each.data
                    answer.arrivals.append(now)
                if each.stream_ended:
                    answer.done = now
            if self._answers and all(answer.over for answer in self._answers.values()):
                self._over.set()

    return Client
