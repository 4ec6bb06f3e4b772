"""The grammar of HTTP/1.1 as regular expressions, each below the ABNF that it is.

Bytes come in; a match or no match goes out.  What a match *means* is decided elsewhere: this
module knows no state, no limit and no status code.

Three habits keep the patterns fast and safe.  ``*+`` and ``++`` are possessive: what they took they
never give back, so no input makes them backtrack.  Only a class of bytes is repeated so, never a
group: Python before 3.11.5 does not step back when a turn of a possessive group fails halfway, and
takes ``5;`` for ``5`` and a whole extension.  And one pattern covers a whole head: a regular
expression that runs once over 600 bytes is cheaper than fifteen that run over 40.
"""

from __future__ import annotations

import re
from functools import lru_cache

# RFC 9110 §5.6.2: token = 1*tchar
TCHAR = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
TOKEN = TCHAR + rb"++"

# RFC 9110 §5.6.3: OWS = *( SP / HTAB )
OWS = rb"[ \t]*+"

# RFC 9110 §5.5: field-value = *field-content; field-vchar = VCHAR / obs-text
# CR, LF and NUL are what response splitting is made of.  The section lets us keep other control
# characters "within a safe context"; we know of none that needs them, so none is in the class.
FIELD_VALUE = rb"[\t -~\x80-\xff]*+"

# RFC 9112 §5: field-line = field-name ":" OWS field-value OWS; its CRLF is here, too
# No blank between name and colon: §5.1 calls for 400, because two parsers that disagree about
# "Content-Length :" disagree about where the next request begins.
FIELD_LINE = TOKEN + rb":" + FIELD_VALUE + rb"\r\n"

# RFC 9112 §3.2: request-target, here as any visible ASCII but "#".
# Stricter by the letter of RFC 3986 would refuse real browsers: they send | [ ] { } as they are.
# A fragment is never sent (RFC 9110 §7.1), and parsers that see one disagree about the path.
TARGET = rb"[!\"$-~]++"

# RFC 9112 §3: request-line = method SP request-target SP HTTP-version; its CRLF is here, too
# RFC 9112 §2.1: HTTP-message = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]
REQUEST_LINE = rb"(" + TOKEN + rb") (" + TARGET + rb") HTTP/([0-9]\.[0-9])\r\n"
HEAD = re.compile(REQUEST_LINE + rb"((?:" + FIELD_LINE + rb")*)\r\n")

FIELD_BLOCK = re.compile(rb"((?:" + FIELD_LINE + rb")*)\r\n")
FIELD_NAME = re.compile(TOKEN)
VALUE = re.compile(FIELD_VALUE)
METHOD_BEGUN = re.compile(TCHAR + rb"*+(?: |\Z)")

# A line feed without its carriage return.  RFC 9112 §2.2 would let us take it as a line's end;
# we do not, because a proxy before us may read on to the next CRLF and see another request.
BARE_LF = re.compile(rb"(?<!\r)\n")

# RFC 9110 §5.6.4: quoted-string
QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]++|\\[\t -~\x80-\xff])*"'

# RFC 9112 §7.1: chunk-size = 1*HEXDIG; §7.1.1: chunk-ext
# = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ); BWS is OWS by another name.
CHUNK_VALUE = OWS + rb"=" + OWS + rb"(?:" + TOKEN + rb"|" + QUOTED + rb")"
CHUNK_EXTENSION = OWS + rb";" + OWS + TOKEN + rb"(?:" + CHUNK_VALUE + rb")?"
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]++)(?:" + CHUNK_EXTENSION + rb")*\r\n")

# RFC 9110 §8.6: Content-Length = 1*DIGIT.  Nothing else: int() would take "+5", "-5" and "5_0".
CONTENT_LENGTH = re.compile(rb"[0-9]++")

# RFC 9110 §7.2: Host = uri-host [ ":" port ], uri-host as in RFC 3986 §3.2.2
# A name may be empty in the field, for a URI without authority has none (RFC 9112 §3.2).
REG_NAME = rb"(?:[!$&'()*+,;=\-._~0-9A-Za-z]|%[0-9A-Fa-f]{2})"
HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]++\]|" + REG_NAME + rb"*)(?::[0-9]*+)?")

# RFC 9112 §3.2.2: absolute-form = absolute-URI, as far as an origin server needs it.
# The host is never empty in an http URI (RFC 9110 §4.2.1), and there is nobody before an "@":
# "http://good.example@evil.example/" is one of those addresses (§4.2.4).
ABSOLUTE = re.compile(rb"https?://([^/?@:][^/?@]*+)((?:/[^?]*+)?)(?:\?(.*+))?", re.IGNORECASE)


@lru_cache(maxsize=256)
def is_host(value: bytes) -> bool:
    """Tell whether a Host field is ``uri-host [":" port]``; a client always sends the same one."""
    return HOST.fullmatch(value) is not None


def split_fields(block: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Return name in lower case and value of each line that FIELD_LINE has accepted (RFC 9112 §5).

    >>> split_fields(b"Host: a\\r\\nX:1 \\r\\n")
    ((b'host', b'a'), (b'x', b'1'))
    """
    # The grammar lets no white space but SP and HTAB into a line, so a plain strip() is right.
    lines = [line.split(b":", 1) for line in block.splitlines()]
    return tuple([(name.lower(), value.strip()) for name, value in lines])


def split_list(value: bytes) -> list[bytes]:
    """Return the elements of a comma-separated field value in lower case (RFC 9110 §5.6.1).

    >>> split_list(b"Keep-Alive, ,Upgrade")
    [b'keep-alive', b'upgrade']
    """
    parts = [part.strip(b" \t").lower() for part in value.split(b",")]
    return [part for part in parts if part]


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Return path and query of a request-target in any form (RFC 9112 §3.2).

    The path is still percent-encoded.  ``*`` has no path; an empty absolute path means ``/``.

    >>> split_target(b"/posts?page=2"), split_target(b"http://a.example?q")
    ((b'/posts', b'page=2'), (b'/', b'q'))
    """
    if target.startswith(b"/"):
        path, _, query = target.partition(b"?")
        return path, query
    if absolute := ABSOLUTE.fullmatch(target):
        return absolute[2] or b"/", absolute[3] or b""
    return b"", b""
