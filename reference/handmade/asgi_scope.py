"""What an ASGI application is told about a request: the scope.

A request's head comes in; a dict comes out, as the ASGI HTTP specification, version 2.5, describes
it.  Every request gets objects of its own: an application may write into what it is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypedDict
from urllib.parse import unquote

from .events import Request
from .grammar import split_list, split_target

ASGI_VERSION, SPEC_VERSION = "3.0", "2.5"

Address = tuple[str, int]


class HttpScope(TypedDict, total=False):
    """The scope of one HTTP request (ASGI HTTP 2.5, HTTP Connection Scope)."""

    type: str
    asgi: dict[str, str]
    http_version: str
    method: str
    scheme: str
    path: str
    raw_path: bytes
    query_string: bytes
    root_path: str
    headers: list[tuple[bytes, bytes]]
    client: Address | None
    server: Address | None
    state: dict[str, Any]
    extensions: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Server:
    """What a gateway tells the application about the server it runs in.

    ``state`` is what the application stored at its start-up (ASGI Lifespan 2.0, Lifespan State),
    or None where it knows no lifespan.
    """

    address: Address | None = None
    scheme: str = "http"
    root_path: str = ""
    state: dict[str, Any] | None = None


def http_scope(request: Request, client: Address | None, server: Server) -> HttpScope:
    """Return the scope of a request.

    ``path`` is text, for people and routers; ``raw_path`` is what came, byte for byte, for who must
    know whether a slash was written as %2F.
    """
    path, raw_path, query = split_path(request.target, server.root_path)
    modern = request.version != b"1.0"
    scope: HttpScope = {
        "type": "http",
        "asgi": {"version": ASGI_VERSION, "spec_version": SPEC_VERSION},
        "http_version": request.version.decode("ascii"),
        "method": request.method.decode("ascii").upper(),
        "scheme": server.scheme,  # what we know ourselves; in HTTP/2 a client says it too
        "path": path,
        "raw_path": raw_path,
        "query_string": query,
        "root_path": server.root_path,
        "headers": list(request.fields),
        "client": client,
        "server": server.address,
        # HTTP/1.0 has neither interim responses nor a place behind the content (RFC 9110 §15.2).
        "extensions": {TRAILERS: {}, EARLY_HINT: {}} if modern else {},
    }
    if server.state is not None:
        scope["state"] = server.state.copy()
    return scope


TRAILERS, EARLY_HINT = "http.response.trailers", "http.response.early_hint"


def takes_trailers(request: Request) -> bool:
    """Tell whether the client has said that it will not lose trailers (RFC 9110 §10.1.4).

    A server sends them to nobody else (ASGI Extensions, HTTP Trailers).

    >>> takes_trailers(Request(b"GET", b"/", ((b"te", b"deflate;q=0.5, trailers"),)))
    True
    """
    values = [value for name, value in request.fields if name == b"te"]
    return b"trailers" in split_list(b",".join(values))


@lru_cache(maxsize=256)
def split_path(target: bytes, root_path: str) -> tuple[str, bytes, bytes]:
    """Return path, raw path and query of a request-target.

    A proxy in front may have taken the prefix ``root_path`` off; ``path`` always has it, as routers
    expect.  Bytes that are no UTF-8 become U+FFFD in ``path``; ``raw_path`` keeps them.

    >>> split_path(b"/caf%C3%A9?x=1", "")
    ('/café', b'/caf%C3%A9', b'x=1')
    >>> split_path(b"/posts", "/board")[0]
    '/board/posts'
    """
    raw_path, query = split_target(target)
    path = unquote(raw_path.decode("latin-1"), errors="replace")
    if root_path and not (path + "/").startswith(root_path + "/"):
        path = root_path + path
    return path, raw_path, query
