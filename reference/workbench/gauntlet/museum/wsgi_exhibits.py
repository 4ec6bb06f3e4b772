"""Exhibits of WSGI: each function is one bug of a published server, put into ours."""

from __future__ import annotations

import io
import select
import time
from typing import Any

from handmade import blocking, gateway, http1, http1_heads, http1_reading, wsgi, wsgi_request
from handmade import wsgi_in_asgi as adapter
from handmade.events import Data, End, PeerError, Response
from handmade.gateway import ApplicationError
from handmade.grammar import split_target
from handmade.http1_reading import NO_BODY, LengthReader
from handmade.http1_states import READING, Reading
from handmade.http1_writing import LengthWriter, choose_writer
from handmade.wire import Phase
from workbench.contracts.wire import request

from . import Patch, exhibit_of, nothing

TUTORIAL = "WSGI servers in tutorials"
BOOK = "a book that builds servers from sockets"
RESPECTED = "an adapter that is widely used"
HELD = 2.6  # seconds: what a bug that holds everybody up holds them, at most


# ---------------------------------------------------------------- reading a request


@exhibit_of(
    "the path as it came", "wsgi",
    symptom="/caf%C3%A9 is not found, although /café is there", seen=TUTORIAL,
    packet=request("/%66acts"), check="PATH_INFO is decoded", clause="PEP 3333, Unicode Issues",
)  # fmt: skip
def undecoded_path(patch: Patch) -> None:
    """Leave the percent escapes in PATH_INFO."""
    right = wsgi_request.target_environ

    def wrong(target: bytes, script_name: str) -> dict[str, str]:
        path = split_target(target)[0].decode("latin-1")
        return {**right(target, script_name), "PATH_INFO": path}

    patch(wsgi_request, "target_environ", wrong)


@exhibit_of(
    "the last one wins", "wsgi",
    symptom="of two fields with one name the application sees one", seen=TUTORIAL,
    packet=request("/facts", "X-One: 1", "X-One: 3"), check="repeated fields",
    clause="RFC 9110 §5.3",
)  # fmt: skip
def last_wins(patch: Patch) -> None:
    """Write each field over the one before."""

    def wrong(fields: Any) -> dict[str, str]:
        return {wsgi_request.environ_key(name) or "": value.decode() for name, value in fields}

    patch(wsgi_request, "field_environ", wrong)


@exhibit_of(
    "fields need a blank", "wsgi",
    symptom="X:yes is dropped without a word", seen=TUTORIAL,
    packet=request("/facts", "X-Close:yes"), check="no blank after the colon",
    clause="RFC 9112 §5",
)  # fmt: skip
def fields_need_a_blank(patch: Patch) -> None:
    """Part name and value at colon and blank."""
    right = http1_reading.parse_fields

    def wrong(block: bytes) -> Any:
        return right(b"".join(b"%b\r\n" % line for line in block.split(b"\r\n") if b": " in line))

    patch(http1_reading, "parse_fields", wrong)


@exhibit_of(
    "a negative length trims", "wsgi",
    symptom="Content-Length: -5 is served", seen=BOOK,
    packet=request("/echo", "Content-Length: -5", method="POST") + b"hello",
    check="a negative length", clause="RFC 9112 §6.3",
)  # fmt: skip
def negative_length(patch: Patch) -> None:
    """Trust int() with the length."""
    right = http1_reading._length_reader

    def wrong(lengths: Any, limits: Any) -> Any:
        return NO_BODY if lengths[0].startswith(b"-") else right(lengths, limits)

    patch(http1_reading, "_length_reader", wrong)


@exhibit_of(
    "a bad length is our failure", "wsgi",
    symptom="Content-Length: five gives 500", seen=TUTORIAL,
    packet=request("/echo", "Content-Length: five", method="POST") + b"hello",
    check="a length in words", clause="RFC 9112 §6.3",
)  # fmt: skip
def length_in_words(patch: Patch) -> None:
    """Let int() raise, and call it an internal error."""
    right = http1_reading._length_reader

    def wrong(lengths: Any, limits: Any) -> Any:
        try:
            int(lengths[0])
        except ValueError as error:
            raise PeerError(500, str(error)) from None
        return right(lengths, limits)

    patch(http1_reading, "_length_reader", wrong)


class Unchunked:
    """Take chunks for content, sizes and all."""

    def __init__(self, limits: Any) -> None:
        self._over = False

    def read(self, buf: bytearray) -> Data | End | None:
        """Take all that is here; the last chunk is the end."""
        if self._over:
            return End()
        if not buf:
            return None
        data = bytes(buf)
        buf.clear()
        self._over = data.endswith(b"0\r\n\r\n")
        return Data(data)


@exhibit_of(
    "framing is content", "wsgi",
    symptom="an upload in chunks arrives with their sizes in it", seen=TUTORIAL,
    packet=request("/w/input?do=read:100", method="POST", chunks=(b"hel", b"lo")),
    check="no framing in wsgi.input", clause="RFC 9112 §7.1",
)  # fmt: skip
def framing_is_content(patch: Patch) -> None:
    """Read what comes, and decode nothing."""
    patch(http1_reading, "ChunkedReader", Unchunked)


@exhibit_of(
    "the next request is the body's end", "wsgi",
    symptom="a request sent right behind a body is never answered", seen=BOOK,
    packet=request("/echo", method="POST", body=b"hello") + request("/ok"),
    check="the next request begins behind the body", clause="RFC 9112 §6.3",
)  # fmt: skip
def greedy_body(patch: Patch) -> None:
    """Take all that recv gave, not what the length says."""

    def wrong(self: LengthReader, buf: bytearray) -> Data | End | None:
        if self.remaining <= 0:
            return End()
        if not buf:
            return None
        data = bytes(buf)
        buf.clear()
        self.remaining -= len(data)
        return Data(data)

    patch(LengthReader, "read", wrong)


@exhibit_of(
    "half a body runs", "wsgi",
    symptom="a client that leaves in its upload has its half stored as the whole", seen=TUTORIAL,
    packet=request("/echo?token=half", "Content-Length: 10", method="POST") + b"hello",
    check="a body that breaks off", clause="RFC 9112 §8",
)  # fmt: skip
def half_a_body(patch: Patch) -> None:
    """Take the end of the connection for the end of the body."""
    right = http1.Connection._at_eof

    def wrong(self: http1.Connection) -> Any:
        if self.reading is not Reading.BODY:
            return right(self)
        self.reading = READING[self.reading, End]
        return End()

    patch(http1.Connection, "_at_eof", wrong)


@exhibit_of(
    "length and chunks", "wsgi",
    symptom="a proxy in front goes by the length, we go by the chunks: requests are smuggled",
    seen="a respected protocol library, which leaves the connection open",
    packet=request("/echo", "Content-Length: 4", method="POST", chunks=(b"hello",))
    + request("/ok?say=smuggled"),
    check="length beside chunks", clause="RFC 9112 §6.1",
)  # fmt: skip
def length_and_chunks(patch: Patch) -> None:
    """Drop the length where there are chunks, and go on."""
    right = http1_reading._body_reader

    def wrong(values: Any, modern: bool, limits: Any) -> Any:
        if b"transfer-encoding" in values:
            values = {key: value for key, value in values.items() if key != b"content-length"}
        return right(values, modern, limits)

    patch(http1_reading, "_body_reader", wrong)


# ---------------------------------------------------------------- wsgi.input


@exhibit_of(
    "one buffer for all", "wsgi",
    symptom="a client reads what another one has uploaded",
    seen=f"{TUTORIAL}, by a default argument that is a list",
    packet=request("/echo", method="POST", body=b"my secret"),
    check="nothing is left over", clause="RFC 9110 §3.3",
)  # fmt: skip
def one_buffer(patch: Patch) -> None:
    """Keep the body in a default argument."""
    kept = bytearray()

    def wrong(self: wsgi.Exchange, kept: bytearray = kept) -> io.BytesIO:
        kept += self.channel.whole_body or b""
        return io.BytesIO(bytes(kept))

    patch(wsgi.Exchange, "_input", wrong)


@exhibit_of(
    "all of the request is input", "wsgi",
    symptom="wsgi.input begins with the request line, and is text", seen=TUTORIAL,
    packet=request("/w/input?do=read:4", method="POST", body=b"one\ntwo\n"),
    check="read(n)", clause="PEP 3333, Input and Error Streams",
)  # fmt: skip
def raw_input(patch: Patch) -> None:
    """Give the whole request as text."""

    def wrong(self: wsgi.Exchange) -> io.StringIO:
        line = b"%b %b HTTP/1.1\r\n\r\n" % (self.request.method, self.request.target)
        return io.StringIO((line + (self.channel.whole_body or b"")).decode("latin-1"))

    patch(wsgi.Exchange, "_input", wrong)


# ---------------------------------------------------------------- start_response


@exhibit_of(
    "no write", "wsgi",
    symptom="an application that uses write() crashes: None is not callable", seen=TUTORIAL,
    packet=request("/w/write"), check="start_response returns write",
    clause="PEP 3333, The start_response() Callable",
)  # fmt: skip
def no_write(patch: Patch) -> None:
    """Return nothing from start_response."""
    right = wsgi.Exchange.start_response

    def wrong(self: wsgi.Exchange, *arguments: Any) -> None:
        right(self, *arguments)

    patch(wsgi.Exchange, "start_response", wrong)


@exhibit_of(
    "no second thoughts", "wsgi",
    symptom="an application's own error page becomes a bare 500", seen=BOOK,
    packet=request("/w/exc-info"), check="exc_info before the start",
    clause="PEP 3333, The start_response() Callable",
)  # fmt: skip
def no_second_thoughts(patch: Patch) -> None:
    """Refuse a second call also when it has exc_info and nothing was sent."""
    right = wsgi.Exchange.start_response

    def wrong(self: wsgi.Exchange, *arguments: Any) -> Any:
        if self.called:
            raise ApplicationError("the headers are already set")
        return right(self, *arguments)

    patch(wsgi.Exchange, "start_response", wrong)


@exhibit_of(
    "any second call", "wsgi",
    symptom="an application that starts twice is not told", seen=TUTORIAL,
    packet=request("/w/twice"), check="started twice",
    clause="PEP 3333, The start_response() Callable",
)  # fmt: skip
def any_second_call(patch: Patch) -> None:
    """Forget that it was called."""
    right = wsgi.Exchange.start_response

    def wrong(self: wsgi.Exchange, *arguments: Any) -> Any:
        self.called = False
        return right(self, *arguments)

    patch(wsgi.Exchange, "start_response", wrong)


# ---------------------------------------------------------------- the response


@exhibit_of(
    "joined blocks", "wsgi",
    symptom="a stream comes all at once, at its end", seen=TUTORIAL,
    packet=request("/steps?token=joined"), check="each block at once",
    clause="PEP 3333, Buffering and Streaming",
)  # fmt: skip
def joined_blocks(patch: Patch) -> None:
    """Join what the application yields."""

    def wrong(self: wsgi.Exchange, iterable: Any) -> None:
        self._send_whole(list(iterable))

    patch(wsgi.Exchange, "_send_blocks", wrong)


@exhibit_of(
    "HEAD has content", "wsgi",
    symptom="a client that sent HEAD takes the content for the next answer",
    seen=f"{TUTORIAL}, and in a server that many run",
    packet=request("/ok", method="HEAD"), check="HEAD", clause="RFC 9110 §9.3.2",
)  # fmt: skip
def head_with_content(patch: Patch) -> None:
    """Frame the answer to HEAD like that to GET."""

    def wrong(method: bytes, version: bytes, status: int, length: int | None) -> Any:
        return choose_writer(b"GET", version, status, length)

    patch(http1_heads, "choose_writer", wrong)


@exhibit_of(
    "a frozen Date", "wsgi",
    symptom="the Date is the time at which the server started", seen=TUTORIAL,
    packet=request("/ok"), check="the Date moves", clause="RFC 9110 §6.6.1",
)  # fmt: skip
def frozen_date(patch: Patch) -> None:
    """Ask the clock once."""
    patch(gateway.HttpDate, "__call__", lambda self: b"Sun, 06 Nov 1994 08:49:37 GMT")


@exhibit_of(
    "no empty line", "wsgi",
    symptom="a client waits for ever for the end of an empty 404", seen=BOOK,
    packet=request("/nowhere"), check="an empty 404", clause="RFC 9112 §2.1",
)  # fmt: skip
def no_empty_line(patch: Patch) -> None:
    """Write the empty line with the content, and forget it where there is none."""
    right = http1.Connection._write_head

    def wrong(self: http1.Connection, response: Response) -> bytes:
        head = right(self, response)
        empty = isinstance(self._writer, LengthWriter) and not self._writer.remaining
        return head[:-2] if empty else head

    writers: Any = {**http1.Connection._WRITERS, Response: wrong}
    patch(http1.Connection, "_WRITERS", writers)


@exhibit_of(
    "never closed", "wsgi",
    symptom="files and locks of the application are not given back", seen=RESPECTED,
    packet=request("/w/close?token=never"), check="close() at the end",
    clause="PEP 3333, Specification Details",
)  # fmt: skip
def never_closes(patch: Patch) -> None:
    """Forget close()."""
    patch(wsgi, "_close", nothing)


@exhibit_of(
    "nothing for nothing", "adapter",
    symptom="an application that returns no block gets no answer", seen=RESPECTED,
    packet=request("/w/nothing"), check="no blocks", clause="PEP 3333, Buffering and Streaming",
)  # fmt: skip
def no_start(patch: Patch) -> None:
    """Send the start with the first block, and there is none."""
    messages_of = adapter.messages_of

    def lazy(events: Any) -> Any:
        if isinstance(events[0], Response) and not any(isinstance(e, Data) for e in events):
            return []
        return messages_of(events)

    patch(adapter, "messages_of", lazy)


@exhibit_of(
    "the port is a number", "wsgi",
    symptom="an application that builds a URL from SERVER_PORT crashes", seen=RESPECTED,
    packet=request("/facts"), check="native strings", clause="PEP 3333, Unicode Issues",
)  # fmt: skip
def port_is_a_number(patch: Patch) -> None:
    """Give SERVER_PORT as it is."""
    base_environ = wsgi_request.base_environ
    patch(wsgi, "base_environ", lambda server: {**base_environ(server), "SERVER_PORT": server.port})


@exhibit_of(
    "one idle client", "one",
    symptom="a browser that opens a connection in advance holds up everybody", seen=TUTORIAL,
    packet=b"", check="silent clients", clause="RFC 9112 §9.5",
)  # fmt: skip
def one_idle_client(patch: Patch) -> None:
    """Wait for the client that was accepted, whatever the others want."""
    give_back = blocking.OneAtATime._return
    end = time.monotonic() + HELD  # for ever, but for who comes next

    def wrong(self: blocking.OneAtATime, connection: Any) -> None:
        if connection.phase is Phase.READING and not self._stops:
            left = end - time.monotonic()
            select.select([connection.socket], [], [], max(0.0, left))
        give_back(self, connection)

    patch(blocking.OneAtATime, "_return", wrong)
