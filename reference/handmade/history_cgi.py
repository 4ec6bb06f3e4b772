"""CGI from both sides: a request as environment variables and a stream, a response as lines.

From the server's side WSGI's environ comes in and the variables of a program go out; the program's
output comes in, status and headers go out.  From the program's side it is the other way round: a
WSGI application runs in a process of its own, once.  No process is started here.

Cited as RFC 3875, which wrote down in 2004 what servers had done since 1993.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, TextIO

from .gateway import ApplicationError
from .grammar import FIELD_NAME
from .http1_writing import REASONS
from .wsgi import Application, ExcInfo
from .wsgi_request import Environ

HEAD_LIMIT = 65536
# RFC 3875 §4.1.18: a server "SHOULD remove" what carries authentication, for other users of the
# machine may read the environment of a process.
SECRET = ("HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION")
# RFC 3875 §6.3: these speak to the server; each comes once at most, and one must come.
CGI_FIELDS = ("content-type", "location", "status")

# ---------------------------------------------------------------- the server's side


def meta_variables(environ: Environ, length: int) -> dict[str, str]:
    """Return the environment of a CGI program for a request (RFC 3875 §4.1).

    ``length`` is that of the body, which is known by now however it was sent: a program must not
    read further (§4.2), and knows nothing of chunks.
    """
    variables = {
        name: os.fsdecode(value.encode("latin-1"))
        for name, value in environ.items()
        if type(value) is str and "." not in name and name not in SECRET
    }
    variables.pop("HTTP_TRANSFER_ENCODING", None)  # it is undone
    variables["GATEWAY_INTERFACE"] = "CGI/1.1"
    if length or "CONTENT_LENGTH" in variables:
        variables["CONTENT_LENGTH"] = str(length)
    if environ["wsgi.url_scheme"] == "https":
        variables["HTTPS"] = "on"  # in no RFC, but where programs look
    return variables


def read_head(readline: Callable[[int], bytes]) -> tuple[str, list[tuple[str, str]]]:
    """Read the head of a CGI response; return status and headers as ``start_response`` takes them.

    Raise ApplicationError for what is none (RFC 3875 §6.2 and §6.3).  ``readline`` is that of the
    program's output, and is left at the first byte of the body.

    >>> read_head(io.BytesIO(b"Status: 404 Not Found\\nContent-Type: text/plain\\n\\n").readline)
    ('404 Not Found', [('Content-Type', 'text/plain')])
    """
    fields: list[tuple[str, str]] = []
    left = HEAD_LIMIT
    while (line := readline(left)).endswith(b"\n"):
        left -= len(line)
        if line in (b"\n", b"\r\n"):  # §7.2: LF, and "servers should also accept CR LF"
            return _interpret(fields)
        name, colon, value = line.partition(b":")
        if not colon or not FIELD_NAME.fullmatch(name):
            raise ApplicationError(f"a CGI program wrote {line[:80]!r} where a field belongs")
        fields.append((name.decode("ascii"), value.strip().decode("latin-1")))
    raise ApplicationError("the output of a CGI program ended before the empty line of its head")


def _interpret(fields: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """Return status and headers; ``Status`` is for us, and does not go to the client."""
    ours = [name.lower() for name, _ in fields if name.lower() in CGI_FIELDS]
    if not ours or len(set(ours)) < len(ours):
        raise ApplicationError("a CGI response has Content-Type, Location or Status, each once")
    named = {name.lower(): value for name, value in fields}
    status = named.get("status", "302 Found" if "location" in named else "200 OK")
    if "status" not in named and named.get("location", "").startswith("/"):
        # §6.2.2: the server would have to ask itself for this path, as if it were the client.
        raise ApplicationError("a local redirect of a CGI program is left out here")
    if status.isdigit() and int(status) in REASONS:
        status += " " + REASONS[int(status)].decode()
    return status, [(name, value) for name, value in fields if name.lower() != "status"]


# ---------------------------------------------------------------- the program's side


def environ_of(
    variables: Mapping[str, str], stdin: BinaryIO | Any, stderr: TextIO | Any
) -> Environ:
    """Return the environ of the one request that this process is here for (PEP 3333)."""
    environ: Environ = {
        name: os.fsencode(value).decode("latin-1") for name, value in variables.items()
    }
    body = stdin.read(int(environ.get("CONTENT_LENGTH") or 0))
    secure = environ.get("HTTPS", "off").lower() in ("on", "1")
    environ["wsgi.version"] = (1, 0)
    environ["wsgi.url_scheme"] = "https" if secure else "http"
    environ["wsgi.input"] = io.BytesIO(body)
    environ["wsgi.errors"] = stderr
    environ["wsgi.multithread"] = False
    environ["wsgi.multiprocess"] = True
    environ["wsgi.run_once"] = True
    return environ


class CgiResponse:
    """Write a WSGI application's response to standard output (PEP 3333, The Server/Gateway Side).

    >>> response = CgiResponse(out := io.BytesIO())
    >>> response.start("200 OK", [("Content-Type", "text/plain")])(b"hello")
    >>> out.getvalue()
    b'Status: 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\nhello'
    """

    def __init__(self, stdout: BinaryIO | Any) -> None:
        self.stdout = stdout
        self.head = b""
        self.started = False

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """Be ``start_response``: note the head; it can still change."""
        if exc_info is not None and self.started:
            raise exc_info[1].with_traceback(exc_info[2])
        if exc_info is None and self.head:
            raise ApplicationError("start_response was called again without exc_info")
        lines = [f"Status: {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
        self.head = "\r\n".join(lines).encode("latin-1")
        return self.write

    def write(self, block: bytes) -> None:
        """Write a block at once, and before the first one the head."""
        if not self.head:
            raise ApplicationError("the application never called start_response")
        self.stdout.write(block if self.started else self.head + block)
        self.started = True
        self.stdout.flush()


def run_as_cgi(
    app: Application,
    variables: Mapping[str, str],
    stdin: BinaryIO | Any,
    stdout: BinaryIO | Any,
    stderr: TextIO | Any,
) -> None:
    """Run a WSGI application as a CGI program: one request, and the process may end.

    In a program of its own this is ``run_as_cgi(app, os.environ, sys.stdin.buffer,
    sys.stdout.buffer, sys.stderr)``.  What the application raises is raised here; the process ends
    with it, and the server answers 500.
    """
    response = CgiResponse(stdout)
    blocks = app(environ_of(variables, stdin, stderr), response.start)
    try:
        for block in blocks:
            if block:
                response.write(block)
        if not response.started:
            response.write(b"")
    finally:
        if hasattr(blocks, "close"):
            blocks.close()
