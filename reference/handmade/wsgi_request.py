"""What a WSGI application is given: environ, wsgi.input, and wsgi.file_wrapper.

A request's events come in; a dict comes out, as PEP 3333 (environ Variables) describes it.  Nothing
here calls an application.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TextIO
from urllib.parse import unquote_to_bytes

from .events import End, Fields, PeerError, Request
from .gateway import Channel
from .grammar import split_target

Environ = dict[str, Any]

SERVER_SOFTWARE = "handmade"


@dataclass(frozen=True, slots=True)
class Server:
    """What a gateway tells the application about the server it runs in."""

    host: str = "127.0.0.1"
    port: int = 80
    scheme: str = "http"
    script_name: str = ""
    multithread: bool = False
    multiprocess: bool = False
    errors: TextIO | None = None


def base_environ(server: Server) -> Environ:
    """Return the part of environ that is the same for every request (PEP 3333, environ Variables).

    ``wsgi.input_terminated`` is an agreement beyond the PEP: it tells that reading to the end is
    safe without a CONTENT_LENGTH, so an application can take a chunked body.
    """
    return {
        "SCRIPT_NAME": server.script_name,
        "SERVER_NAME": server.host,
        "SERVER_PORT": str(server.port),
        "SERVER_SOFTWARE": SERVER_SOFTWARE,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": server.scheme,
        "wsgi.errors": server.errors or sys.stderr,
        "wsgi.multithread": server.multithread,
        "wsgi.multiprocess": server.multiprocess,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.input_terminated": True,
    }


def request_environ(request: Request, base: Environ, script_name: str) -> Environ:
    """Return a new environ: ``base``, and what the request makes (PEP 3333, environ Variables)."""
    environ = base.copy()
    environ.update(field_environ(tuple(request.fields)))
    environ.update(target_environ(request.target, script_name))
    environ["REQUEST_METHOD"] = request.method.decode("ascii")
    environ["SERVER_PROTOCOL"] = "HTTP/" + request.version.decode("ascii")
    return environ


@lru_cache(maxsize=256)
def target_environ(target: bytes, script_name: str) -> dict[str, str]:
    """Return the variables that come from the request-target; callers copy, never change it.

    PATH_INFO is percent-decoded, and then bytes dressed up as text (PEP 3333, Unicode Issues).
    """
    path, query = split_target(target)
    path_info = unquote_to_bytes(path).decode("latin-1")
    if script_name and (path_info + "/").startswith(script_name + "/"):
        path_info = path_info[len(script_name) :]
    return {
        "PATH_INFO": path_info,
        "QUERY_STRING": query.decode("latin-1"),
        "REQUEST_URI": target.decode("latin-1"),
    }


@lru_cache(maxsize=64)
def field_environ(fields: Fields) -> dict[str, str]:
    """Return the HTTP_ variables for a request's fields; callers copy, never change it.

    A repeated field is joined as RFC 9110 §5.3 allows: none of its values is lost.
    """
    environ: dict[str, str] = {}
    for name, value in fields:
        key = environ_key(name)
        if key is None:
            continue
        text = value.decode("latin-1")
        if key in environ:
            # RFC 6265 §5.4: Cookie is the one field whose values a comma would not part.
            text = environ[key] + ("; " if key == "HTTP_COOKIE" else ", ") + text
        environ[key] = text
    return environ


@lru_cache(maxsize=512)
def environ_key(name: bytes) -> str | None:
    """Return the variable for a field name, or None for a field that must not get in.

    A name with an underscore would arrive under the same key as the one with a hyphen, which is how
    X-Forwarded-For is forged behind a careful proxy.  In CGI the environ is that of the process,
    where HTTP_PROXY is a setting to HTTP clients (httpoxy, CVE-2016-1000110); here it does harm
    only when somebody copies it there.  HTTP_CONTENT_TYPE and HTTP_CONTENT_LENGTH do not exist.
    """
    if b"_" in name or name == b"proxy":
        return None
    key = name.decode("ascii").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key


# ---------------------------------------------------------------- wsgi.input and file_wrapper


class Body(io.RawIOBase):
    """Read a request's body from the channel, when the application asks and not before.

    ``io.BufferedReader`` around it gives the methods of PEP 3333, Input and Error Streams.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.error: PeerError | None = None
        self._rest = b""
        self._ended = False

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` with what has come, 0 bytes at the end of the body.

        Raise OSError when the rest will not come: an application must not take half for the whole.
        """
        while not self._rest and not self._ended:
            self._rest = self._receive()
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _receive(self) -> bytes:
        """Return the next piece of content, empty at the end."""
        if self.error:
            raise OSError(self.error.reason) from self.error
        try:
            event = self.channel.receive()
        except PeerError as error:
            self.error = error
            raise OSError(error.reason) from error
        self._ended = isinstance(event, End)
        return b"" if isinstance(event, End) else event.data


class Readable(Protocol):
    """Anything with ``read(size)``, and perhaps ``close()``."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes."""


class FileWrapper:
    """Turn a file into blocks (PEP 3333, Optional Platform-Specific File Handling)."""

    def __init__(self, filelike: Readable, blksize: int = 65536) -> None:
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> FileWrapper:
        """Return itself: a file is read once."""
        return self

    def __next__(self) -> bytes:
        """Return the next block."""
        if block := self.filelike.read(self.blksize):
            return block
        raise StopIteration
