"""Chapter 4, what goes in: the environ (PEP 3333, environ Variables)."""

from __future__ import annotations

from typing import Any

from . import case
from .probes import Probe, environ_of, expect, holds, lacks, ok, raw, same, variable, view_of
from .wire import request, up

VARIABLES = "PEP 3333, environ Variables"
UNICODE = "PEP 3333, Unicode Issues"


@case("server", "environ is a dict", "PEP 3333, Specification Details", 4)
def environ_is_a_dict(server: Any) -> None:
    """Environ is a plain dict, so that an application may change it as it likes."""
    kinds: list[str] = []

    @raw
    def app(environ: Any, start_response: Any) -> list[bytes]:
        kinds.append(type(environ).__name__)
        return ok(start_response)

    with up(server, app) as connect:
        connect().send(request()).response()
    same(kinds, ["dict"], "environ is not a plain dict")


@case("server", "environ is fresh", "PEP 3333, Specification Details", 4)
def environ_is_fresh(server: Any) -> None:
    """What one request puts into environ, or takes out, the next request does not see."""
    leftovers: list[bool] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        leftovers.append("my.key" in environ or environ["wsgi.url_scheme"] != "http")
        leftovers.append(environ["PATH_INFO"] == "/second" and "HTTP_X_FIRST" in environ)
        environ["my.key"] = "mine"
        environ["wsgi.url_scheme"] = "https"
        del environ["QUERY_STRING"]
        return ok(start_response)

    with up(server, app) as connect:
        wire = connect()
        wire.send(request("/", "X-First: yes")).response()
        answer = wire.send(request("/second")).response()
    same(answer.status, 200, "the second request lacks what the first one deleted")
    expect(not any(leftovers), "the second request sees what the first one left in environ")


@case("server", "native strings", UNICODE, 4)
def native_strings(server: Any) -> None:
    """Every variable without a dot in its name is a str, of characters up to U+00FF."""
    sent = request("/caf%C3%A9?q=%E2%82%AC", "X-Latin: caf\xe9", method="POST", body=b"hello")
    for key, value in environ_of(server, sent).items():
        if "." not in key:
            expect(type(value) is str, f"environ[{key!r}] is {value!r}, not a str", sent=sent)
            expect(all(c <= "\xff" for c in value), f"environ[{key!r}] is {value!r}", sent=sent)


@case("server", "required keys", VARIABLES, 4)
def required_keys(server: Any) -> None:
    """The variables that must always be there are there, and not empty where that is said."""
    environ = environ_of(server, request())
    for key in ("REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"):
        expect(environ.get(key), f"environ[{key!r}] is missing or empty")
    for key in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"):
        expect(key in environ, f"environ[{key!r}] is missing; it may be empty")


@case("server", "REQUEST_METHOD", VARIABLES, 4)
def request_method(server: Any) -> None:
    """Any method reaches the application, spelled as it came."""
    for method in ("DELETE", "PATCH", "OPTIONS"):
        variable(server, "REQUEST_METHOD", method, request(method=method))


@case("server", "PATH_INFO is decoded", UNICODE, 4)
def path_info_is_decoded(server: Any) -> None:
    """PATH_INFO is percent-decoded; its bytes stand as Latin-1 characters."""
    variable(server, "PATH_INFO", "/caf\xc3\xa9 au lait", request("/caf%C3%A9%20au%20lait"))


@case("server", "PATH_INFO is decoded once", UNICODE, 4)
def path_info_is_decoded_once(server: Any) -> None:
    """``%2541`` means ``%41`` and not ``A``; ``+`` means itself."""
    variable(server, "PATH_INFO", "/%41+b", request("/%2541+b"))


@case("server", "an encoded slash", UNICODE, 4)
def an_encoded_slash(server: Any) -> None:
    """``%2F`` is decoded like any other byte, and ``%3F`` begins no query."""
    variable(server, "PATH_INFO", "/a/b?c", request("/a%2Fb%3Fc"))


@case("server", "QUERY_STRING", VARIABLES, 4)
def query_string(server: Any) -> None:
    """QUERY_STRING is what follows the first question mark, left as it is."""
    variable(server, "QUERY_STRING", "a=%C3%A9+b&c=d?e", request("/path?a=%C3%A9+b&c=d?e"))
    variable(server, "PATH_INFO", "/path", request("/path?a=b"))


@case("server", "no query", VARIABLES, 4)
def no_query(server: Any) -> None:
    """Without a question mark QUERY_STRING is empty."""
    variable(server, "QUERY_STRING", "", request("/path"))


@case("server", "absolute target", "RFC 9112 §3.2.2", 4)
def absolute_target(server: Any) -> None:
    """A target with scheme and host gives the same path and query, and its host is the Host."""
    environ = environ_of(server, request("http://other.example/a%20b?c=d"))
    same(environ["PATH_INFO"], "/a b", "PATH_INFO of an absolute target")
    same(environ["QUERY_STRING"], "c=d", "QUERY_STRING of an absolute target")
    same(environ["HTTP_HOST"], "other.example", "the target's host overrides Host")


@case("server", "SCRIPT_NAME at the root", VARIABLES, 4)
def script_name_at_the_root(server: Any) -> None:
    """An application at the root has an empty SCRIPT_NAME, and never ``/``."""
    variable(server, "SCRIPT_NAME", "", request("/"))
    variable(server, "PATH_INFO", "/", request("/"))


@case("server", "SCRIPT_NAME mounted", VARIABLES, 4, needs={"script name"})
def script_name_mounted(server: Any) -> None:
    """A mounted application finds its prefix in SCRIPT_NAME and the rest in PATH_INFO."""
    for target, path in (("/mounted/a%20b", "/a b"), ("/mounted", ""), ("/mounted/", "/")):
        environ = environ_of(server, request(target), script_name="/mounted")
        same(environ["SCRIPT_NAME"], "/mounted", f"SCRIPT_NAME for {target}")
        same(environ["PATH_INFO"], path, f"PATH_INFO for {target}")


@case("server", "SERVER_NAME and SERVER_PORT", VARIABLES, 4)
def server_name_and_port(server: Any) -> None:
    """Both are str, and the port is the one that was connected to."""
    probe = Probe()
    with up(server, probe) as connect:
        wire = connect()
        wire.send(request()).response()
        port = wire.socket.getpeername()[1]
    expect(type(probe.calls[0]["SERVER_NAME"]) is str, "SERVER_NAME is not a str")
    same(probe.calls[0]["SERVER_PORT"], str(port), "SERVER_PORT")


@case("server", "SERVER_PROTOCOL", VARIABLES, 4)
def server_protocol(server: Any) -> None:
    """SERVER_PROTOCOL is the version of the request, in spite of its name."""
    variable(server, "SERVER_PROTOCOL", "HTTP/1.1", request())
    variable(server, "SERVER_PROTOCOL", "HTTP/1.0", request(version="1.0"))


@case("server", "REMOTE_ADDR", "RFC 3875 §4.1.8", 4)
def remote_addr(server: Any) -> None:
    """REMOTE_ADDR is the client's address, as a str."""
    variable(server, "REMOTE_ADDR", "127.0.0.1", request())


@case("server", "HTTP_ variables", VARIABLES, 4)
def http_variables(server: Any) -> None:
    """A field X-Some-Thing arrives as HTTP_X_SOME_THING, its value unchanged."""
    variable(server, "HTTP_X_SOME_THING", 'a "b"; c', request("/", 'x-sOmE-thing: a "b"; c'))


@case("server", "Host", VARIABLES, 4)
def host(server: Any) -> None:
    """Host arrives as HTTP_HOST, with its port."""
    sent = b"GET / HTTP/1.1\r\nHost: example.org:8000\r\n\r\n"
    variable(server, "HTTP_HOST", "example.org:8000", sent)


@case("server", "Latin-1 values", UNICODE, 4)
def latin_1_values(server: Any) -> None:
    """A byte over 127 in a field arrives as the Latin-1 character of that number."""
    variable(server, "HTTP_X_NAME", "caf\xe9", request("/", "X-Name: caf\xe9"))


@case("server", "repeated fields", "RFC 9110 §5.3", 4)
def repeated_fields(server: Any) -> None:
    """A field that comes twice is joined by a comma in the order of the wire; none is lost."""
    sent = request("/", "Accept: a", "X-Other: x", "accept: b")
    variable(server, "HTTP_ACCEPT", "a, b", sent)


@case("server", "repeated Cookie", "RFC 6265 §5.4", 4)
def repeated_cookie(server: Any) -> None:
    """Cookie is the exception: its values are joined by a semicolon."""
    variable(server, "HTTP_COOKIE", "a=1; b=2", request("/", "Cookie: a=1", "Cookie: b=2"))


@case("server", "CONTENT_TYPE and CONTENT_LENGTH", VARIABLES, 4)
def content_type_and_length(server: Any) -> None:
    """Both come without HTTP_, as str."""
    sent = request("/", "Content-Type: text/x", method="POST", body=b"hello")
    environ = environ_of(server, sent)
    for key, wanted in (("CONTENT_TYPE", "text/x"), ("CONTENT_LENGTH", "5")):
        lacks(environ, f"HTTP_{key}", f"it is called {key}", sent)
        holds(environ, key, wanted, sent)


@case("server", "no CONTENT_LENGTH", VARIABLES, 4)
def no_content_length(server: Any) -> None:
    """A request without content has no CONTENT_LENGTH, or an empty one, or 0."""
    length = environ_of(server, request()).get("CONTENT_LENGTH", "")
    expect(length in ("", "0"), f"CONTENT_LENGTH is {length!r} for a GET")


@case("server", "underscores", "RFC 3875 §4.1.18", 4)
def underscores(server: Any) -> None:
    """``X_Real_IP`` may not pass for ``X-Real-IP``: a proxy in front checks only the latter."""
    sent = request("/", "X-Real-IP: 10.0.0.1", "X_Real_IP: forged", "X_Admin: yes")
    holds(environ_of(server, sent), "HTTP_X_REAL_IP", "10.0.0.1", sent)


@case("server", "Proxy", "CVE-2016-1000110", 4)
def proxy(server: Any) -> None:
    """A field named Proxy does not become HTTP_PROXY, a setting to whoever runs us as CGI."""
    sent = request("/", "Proxy: http://evil.example")
    lacks(environ_of(server, sent), "HTTP_PROXY", "whoever asks would choose a proxy for us", sent)


@case("server", "wsgi.version", VARIABLES, 4)
def wsgi_version(server: Any) -> None:
    """wsgi.version is the tuple (1, 0)."""
    variable(server, "wsgi.version", (1, 0), request())


@case("server", "wsgi.url_scheme", VARIABLES, 4)
def wsgi_url_scheme(server: Any) -> None:
    """wsgi.url_scheme is http on a plain connection."""
    variable(server, "wsgi.url_scheme", "http", request())


@case("server", "wsgi flags", VARIABLES, 4)
def wsgi_flags(server: Any) -> None:
    """wsgi.multithread, multiprocess and run_once are there; run_once is false in a server."""
    environ = environ_of(server, request())
    for key in ("wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once"):
        expect(key in environ, f"environ[{key!r}] is missing")
    expect(not environ["wsgi.run_once"], "the application will be called again")


@case("server", "wsgi.multithread is true", VARIABLES, 5, needs={"threads"})
def wsgi_multithread_is_true(server: Any) -> None:
    """A server that runs several requests at a time says so."""
    expect(environ_of(server, request())["wsgi.multithread"], "wsgi.multithread is false")


@case("server", "wsgi.errors", "PEP 3333, Input and Error Streams", 4)
def wsgi_errors(server: Any) -> None:
    """wsgi.errors takes text: write(), writelines() and flush()."""

    def view(environ: Any) -> bytes:
        errors = environ["wsgi.errors"]
        errors.write("")
        errors.writelines(["", ""])
        errors.flush()
        return b"written"

    same(view_of(server, request(), view), b"written", "wsgi.errors")


@case("server", "wsgi.file_wrapper", "PEP 3333, Optional Platform-Specific File Handling", 4,
      needs={"file wrapper"})  # fmt: skip
def wsgi_file_wrapper(server: Any) -> None:
    """wsgi.file_wrapper turns a file into the response's blocks, and close() closes the file."""
    closed: list[bool] = []

    class File:
        blocks = [b"", b"second ", b"first "]

        def read(self, size: int) -> bytes:
            return self.blocks.pop()

        def close(self) -> None:
            closed.append(True)

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return environ["wsgi.file_wrapper"](File(), 10)

    with up(server, app) as connect:
        answer = connect().send(request()).response()
    same(answer.body, b"first second ", "the file's content")
    same(closed, [True], "the file was closed")
