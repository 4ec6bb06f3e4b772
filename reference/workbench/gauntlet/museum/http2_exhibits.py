"""Exhibits of HTTP/2: each function is one bug of a published server, put into ours.

Those of servers with a version were seen by the gauntlet on that very version: see ``confirmed``.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from h2 import events as h2_events

from handmade import (
    http2,
    http2_fields,
    http2_frames,
    http2_reading,
    http2_stream,
    protocol_http2,
    protocol_http2_stream,
)
from handmade.events import End
from handmade.http2_events import Code, ConnectionFailed
from workbench.contracts.http2_client import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    Pairs,
    frame,
    head,
)

from . import Patch, exhibit_of, nothing

HANDS = "HTTP/2 servers written on top of h2, in tutorials"
GREETING = PREFACE + frame(SETTINGS)


def asking(fields: Pairs | str, flags: int = END_STREAM, stream: int = 1) -> bytes:
    """Return the HEADERS frame of a request, its fields written without any table."""
    pairs = head(fields) if isinstance(fields, str) else fields
    block = b"".join(
        b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in pairs
    )
    return frame(HEADERS, END_HEADERS | flags, stream, block)


# ---------------------------------------------------------------- streams


@exhibit_of(
    "one for all", "asgi",
    symptom="who leaves one picture of a page loses all the others", seen=HANDS,
    packet=GREETING + asking("/ok", 0) + frame(RST_STREAM, 0, 1, bytes((0, 0, 0, 8))),
    check="a reset stream", clause="RFC 9113 §6.4",
)  # fmt: skip
def one_for_all(patch: Patch) -> None:
    """End the connection with a stream."""

    def end(self: Any, event: Any) -> None:
        raise ConnectionFailed(Code.CANCEL, "a stream was reset")

    translate = {**http2_reading.Reader._TRANSLATE, h2_events.StreamReset: end}
    patch(http2_reading.Reader, "_TRANSLATE", translate)


@exhibit_of(
    "a window never opened", "asgi",
    symptom="uploads stop at some size, always the same, and nobody says anything", seen=HANDS,
    packet=GREETING, check="the window is given back", clause="RFC 9113 §6.9.1",
)  # fmt: skip
def never_opened(patch: Patch) -> None:
    """Read content, and tell nobody that it was read."""
    patch(http2.Connection, "acknowledge", nothing)


@exhibit_of(
    "half is whole", "asgi",
    symptom="a cache keeps half a page for the whole of it", seen=HANDS,
    packet=GREETING + asking("/fail?when=after"),
    check="an answer that fails over HTTP/2", clause="ASGI 3.0, Error Handling",
)  # fmt: skip
def half_is_whole(patch: Patch) -> None:
    """End a stream in order when its application has failed."""

    def end(self: Any) -> None:
        if not self.gone and self.id in self.engine.streams:
            self.engine.put(End(), self.id)
            self.wire.flush_soon()

    patch(protocol_http2_stream.StreamChannel, "abort", end)


@exhibit_of(
    "rapid reset", "asgi",
    symptom="one client, with hardly any traffic, keeps all the processors busy",
    seen="nearly every server of HTTP/2 before October 2023 (CVE-2023-44487)",
    packet=GREETING, check="rapid reset", clause="RFC 9113 §10.5",
)  # fmt: skip
def rapid_reset(patch: Patch) -> None:
    """Count the streams that are open, and neither resets nor what still runs for them."""
    patch(http2_frames.FrameReader, "spend", nothing)
    patch(protocol_http2.Http2Protocol, "_too_many", lambda self: False)


# ---------------------------------------------------------------- fields


@exhibit_of(
    "crumbs", "asgi",
    symptom="who has two cookies is logged out in some browsers, by HTTP/2 alone",
    seen="granian 2.8.7",
    packet=GREETING + asking(head("/facts", (b"cookie", b"a=1"), (b"cookie", b"b=2"))),
    check="one cookie", clause="RFC 9113 §8.2.3",
)  # fmt: skip
def crumbs(patch: Patch) -> None:
    """Pass cookies on as they come."""
    patch(http2_fields, "_with_one_cookie", tuple)


@exhibit_of(
    "no host", "asgi",
    symptom="400 from every framework that looks at its allowed hosts", seen=HANDS,
    packet=GREETING + asking("/facts"), check="pseudo-header fields are not headers",
    clause="ASGI HTTP 2.5, HTTP Connection Scope",
)  # fmt: skip
def no_host(patch: Patch) -> None:
    """Remove the pseudo-header fields, :authority with them."""
    patch(http2_fields, "_with_host", lambda pseudo, fields: tuple(fields))


@exhibit_of(
    "capitals", "asgi",
    symptom="a rule for x-admin does not see X-Admin", seen=HANDS,
    packet=GREETING + asking(head("/ok", (b"X-Upper", b"1"))),
    check="names in capitals", clause="RFC 9113 §8.2.1",
)  # fmt: skip
def capitals(patch: Patch) -> None:
    """Take any name that HTTP/1.1 would take."""
    patch(http2_fields, "NAME", re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-zA-Z]++"))


# ---------------------------------------------------------------- content


@exhibit_of(
    "content behind HEAD", "asgi",
    symptom="who asks how large a download is gets the download", seen="granian 2.8.7",
    packet=GREETING + asking(head("/ok", method=b"HEAD")), check="HEAD over HTTP/2",
    clause="RFC 9110 §9.3.2",
)  # fmt: skip
def content_behind_head(patch: Patch) -> None:
    """Send what the application sends, whatever was asked."""
    patch(http2_stream.Stream, "content", lambda self, data: data)


@exhibit_of(
    "a promise nobody keeps", "asgi",
    symptom="a proxy in HTTP/1.1 behind it waits for content that never comes",
    seen="hypercorn 0.18.0",
    packet=GREETING + asking(head("/ok", (b"content-length", b"5"))),
    check="a length and no content", clause="RFC 9113 §8.1.1",
)  # fmt: skip
def nobody_keeps(patch: Patch) -> None:
    """Believe the frames, and never look at Content-Length."""
    read_head = http2_fields.read_head

    def lengthless(fields: Any, limits: Any) -> Any:
        return dataclasses.replace(read_head(fields, limits), length=None)

    patch(http2_reading, "read_head", lengthless)


@exhibit_of(
    "padding is content", "asgi",
    symptom="uploads of careful clients, which pad them, arrive with zeros in them", seen=HANDS,
    packet=GREETING + asking(head("/echo", method=b"POST"), 0)
    + frame(DATA, END_STREAM | 8, 1, b"\x03hello\0\0\0"),
    check="content in many frames", clause="ASGI HTTP 2.5, Request",
)  # fmt: skip
def padding_is_content(patch: Patch) -> None:
    """Take all of a DATA frame's payload for content."""
    on_data = http2_reading.Reader._on_data

    def all_of_it(self: Any, event: Any) -> None:
        event.data += bytes(event.flow_controlled_length - len(event.data))
        on_data(self, event)

    translate = {**http2_reading.Reader._TRANSLATE, h2_events.DataReceived: all_of_it}
    patch(http2_reading.Reader, "_TRANSLATE", translate)
