"""Chapter 9, what an application is told of a request: the scope."""

from __future__ import annotations

import re
from typing import Any

from . import case
from .asgi_probes import App, Receive, Scope, Send, answer, hello, scope_of, up, value_of
from .probes import expect, same
from .wire import request

SCOPE = "ASGI HTTP 2.5, HTTP Connection Scope"


@case("asgi", "one answer", SCOPE, 9)
def one_answer(server: Any) -> None:
    """A GET reaches the application, and its status, headers and body reach the client."""
    with up(server, hello()) as connect:
        got = connect().send(request()).response()
    same(got.status, 200, "the status is not the application's")
    same(got.value("content-type"), "text/plain", "a header of the application is missing")
    same(got.body, b"ok", "the body is not the application's")


@case("asgi", "the scope's types", SCOPE, 9)
def the_scopes_types(server: Any) -> None:
    """Every key of the scope has exactly the type that the specification says."""
    scope = scope_of(server, request("/a?b=c", "X: y"))
    kinds: dict[str, type] = {
        "type": str, "asgi": dict, "http_version": str, "method": str, "scheme": str,
        "path": str, "raw_path": bytes, "query_string": bytes, "root_path": str,
    }  # fmt: skip
    for key, kind in kinds.items():
        expect(type(scope.get(key)) is kind, f"scope[{key!r}] is {scope.get(key)!r}, no {kind}")
    for name, value in scope["headers"]:
        expect(type(name) is bytes and type(value) is bytes, "a header is not two byte strings")
    for key in ("client", "server"):
        host, port = scope[key]
        expect(type(host) is str and type(port) is int, f"scope[{key!r}] is {scope[key]!r}")


@case("asgi", "the versions", SCOPE, 9)
def the_versions(server: Any) -> None:
    """The scope is an http scope of ASGI 3, and tells which version of the HTTP document it is."""
    scope = scope_of(server, request())
    same(scope["type"], "http", "the scope's type")
    same(scope["asgi"]["version"], "3.0", "the version of ASGI")
    version = scope["asgi"].get("spec_version", "2.0")
    expect(re.fullmatch("2[.][0-5]", version), f"there is no version {version!r} of it")


@case("asgi", "the method", SCOPE, 9)
def the_method(server: Any) -> None:
    """Any method reaches the application, in upper case."""
    for method in ("GET", "DELETE", "PATCH", "OPTIONS", "PROPFIND"):
        value_of(server, request(method=method), "method", method)


@case("asgi", "the path", SCOPE, 9)
def the_path(server: Any) -> None:
    """``path`` is text, percent-decoded as UTF-8, and ends where the query begins."""
    for target, path in (
        ("/", "/"),
        ("/caf%C3%A9/%E2%82%AC?x=%2F", "/caf\xe9/\u20ac"),
        ("/a%2Fb", "/a/b"),
        ("/a+b%20c%3Fd", "/a+b c?d"),
        ("//a/../b/./", "//a/../b/./"),
    ):
        value_of(server, request(target), "path", path)


@case("asgi", "the raw path", SCOPE, 9)
def the_raw_path(server: Any) -> None:
    """``raw_path`` is the path byte for byte as it came, without the query."""
    for target in ("/", "/caf%C3%A9", "/a%2Fb", "/A%2fB%7E~", "/%ff"):
        value_of(server, request(target + "?q=1"), "raw_path", target.encode())


@case("asgi", "a path beyond UTF-8", SCOPE, 9)
def a_path_beyond_utf_8(server: Any) -> None:
    """Bytes that are no UTF-8 are the application's to refuse: the server must not fail."""
    scope = scope_of(server, request("/%ff%fe"))
    expect(type(scope["path"]) is str and len(scope["path"]) > 1, f"path is {scope['path']!r}")


@case("asgi", "the query", SCOPE, 9)
def the_query(server: Any) -> None:
    """``query_string`` is what stands behind the first question mark, still encoded."""
    for target, query in (("/a", b""), ("/a?", b""), ("/a?b=%20&c?d", b"b=%20&c?d")):
        value_of(server, request(target), "query_string", query)


@case("asgi", "a whole URL", "RFC 9112 §3.2.2", 9)
def a_whole_url(server: Any) -> None:
    """The path of a target in absolute-form is its path, as a server must accept one."""
    scope = scope_of(server, request("http://test/a%20b?c"))
    same((scope["path"], scope["query_string"]), ("/a b", b"c"), "path and query")


@case("asgi", "the headers", SCOPE, 9)
def the_headers(server: Any) -> None:
    """Headers are pairs of bytes with names in lower case, in order, none joined or lost."""
    sent = request("/", "X-One: 1", "Cookie: a=b", "X-Two:2 ", "x-one: 3", "X-Empty:", "X: caf\xe9")
    got = [(name, value) for name, value in scope_of(server, sent)["headers"]]
    wanted = [
        (b"host", b"test"), (b"x-one", b"1"), (b"cookie", b"a=b"), (b"x-two", b"2"),
        (b"x-one", b"3"), (b"x-empty", b""), (b"x", b"caf\xe9"),
    ]  # fmt: skip
    same(got, wanted, "the headers", sent)


@case("asgi", "underscores", SCOPE, 9)
def underscores(server: Any) -> None:
    """A name with an underscore is another name than the one with a hyphen, and stays so."""
    headers = scope_of(server, request("/", "X_Name: a", "X-Name: b"))["headers"]
    got = [(name, value) for name, value in headers if name.startswith(b"x")]
    expect(got in ([(b"x_name", b"a"), (b"x-name", b"b")], [(b"x-name", b"b")]), f"{got}")


@case("asgi", "the version of HTTP", SCOPE, 9)
def the_version_of_http(server: Any) -> None:
    """``http_version`` tells HTTP/1.0 from HTTP/1.1."""
    value_of(server, request(), "http_version", "1.1")
    value_of(server, request(version="1.0"), "http_version", "1.0")


@case("asgi", "both addresses", SCOPE, 9)
def both_addresses(server: Any) -> None:
    """``client`` and ``server`` are host and port of the two ends of this very connection."""
    app = hello()
    with up(server, app) as connect:
        wire = connect().send(request())
        wire.response()
        here, there = wire.socket.getsockname(), wire.socket.getpeername()
    same(tuple(app.scopes[0]["client"]), here[:2], "the client's address")
    same(tuple(app.scopes[0]["server"]), there[:2], "the server's address")


@case("asgi", "no root path", SCOPE, 9)
def no_root_path(server: Any) -> None:
    """At the root of a server ``root_path`` is empty, and the scheme is http."""
    scope = scope_of(server, request())
    same((scope.get("root_path", ""), scope["scheme"]), ("", "http"), "root_path and scheme")


@case("asgi", "the root path", SCOPE, 9, needs={"root path"})
def the_root_path(server: Any) -> None:
    """Mounted below a prefix, ``path`` has it, whether the proxy in front took it off or not."""
    for target, path in (
        ("/a", "/mounted/a"),
        ("/mounted/a", "/mounted/a"),
        ("/", "/mounted/"),
        ("/mounted", "/mounted"),
        ("/mountedly", "/mounted/mountedly"),
    ):
        scope = scope_of(server, request(target), root_path="/mounted")
        same((scope["root_path"], scope["path"]), ("/mounted", path), f"the paths of {target}")


@case("asgi", "a scope each", SCOPE, 9)
def a_scope_each(server: Any) -> None:
    """What one request writes into its scope, the next one on its connection does not see."""
    seen: list[Scope] = []

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        copies = {"headers": list(scope["headers"]), "asgi": dict(scope["asgi"])}
        seen.append({**scope, **copies, "extensions": dict(scope.get("extensions") or {})})
        scope["user"] = "me"
        scope["path"] = "/changed"
        if isinstance(scope["headers"], list):
            scope["headers"].append((b"x-mine", b"1"))
        scope["asgi"]["mine"] = "1"
        scope.setdefault("extensions", {})["mine"] = {}
        await answer(send)

    with up(server, app) as connect:
        wire = connect()
        for _ in range(2):
            wire.send(request()).response()
    second = seen[1]
    expect("user" not in second, "a key of the first request's scope")
    same(second["path"], "/", "the second request's path")
    expect((b"x-mine", b"1") not in second["headers"], "a header that the first request added")
    expect("mine" not in second["asgi"], "what the first request wrote into scope['asgi']")
    expect("mine" not in second["extensions"], "an extension of the first request")
