"""WSGI: what PEP 3333 promises to an application."""

from __future__ import annotations

from functools import partial
from typing import Any

from .asking import Asking, Broken, Miss, expect, request, same
from .model import check

wsgi = partial(check, group="wsgi", interface="wsgi")
VARIABLES = "PEP 3333, environ Variables"
UNICODE = "PEP 3333, Unicode Issues"
DETAILS = "PEP 3333, Specification Details"
STREAMS = "PEP 3333, Input and Error Streams"
START = "PEP 3333, The start_response() Callable"
LENGTH = "PEP 3333, Handling the Content-Length Header"
BUFFERING = "PEP 3333, Buffering and Streaming"
LINES = b"one\ntwo\n\nno end"


def environ(it: Asking, *fields: str, target: str = "/facts", **how: Any) -> dict[str, Any]:
    """Return the environ of a request."""
    found: dict[str, Any] = it.facts(*fields, target=target, **how)["environ"]
    return found


def variable(it: Asking, key: str, wanted: str, *fields: str, **how: Any) -> None:
    """Demand the value of one variable."""
    same(environ(it, *fields, **how).get(key, "(not there)"), wanted, f"environ[{key!r}]")


# ---------------------------------------------------------------- environ


@wsgi("environ is a dict", DETAILS, 4)
def environ_is_a_dict(it: Asking) -> None:
    """Environ must be a builtin dict, no subclass and no likeness."""
    same(it.facts()["own"], "dict", "the type of environ")


@wsgi("environ is fresh", DETAILS, 4)
def environ_is_fresh(it: Asking) -> None:
    """An application may change environ as it likes: the next request does not see it."""
    it.facts()
    expect("probe.mark" not in it.facts()["environ"], "what another request left in environ")


@wsgi("required variables", VARIABLES, 4)
def required_variables(it: Asking) -> None:
    """These must be present: method, server's name, port and protocol, and not empty."""
    found = environ(it)
    for key in ("REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"):
        expect(found.get(key), f"environ[{key!r}] is missing or empty", got=found.get(key))


@wsgi("required wsgi. variables", VARIABLES, 4)
def required_wsgi_variables(it: Asking) -> None:
    """These must be present, of their types: version, scheme, streams and three flags."""
    facts = it.facts()
    found, types = facts["environ"], facts["types"]
    same(found.get("wsgi.version"), [1, 0], "environ['wsgi.version']")
    same(types.get("wsgi.version"), "tuple", "the type of environ['wsgi.version']")
    same(found.get("wsgi.url_scheme"), "http", "environ['wsgi.url_scheme']")
    for key in ("input", "errors", "multithread", "multiprocess", "run_once"):
        expect(f"wsgi.{key}" in found, f"environ['wsgi.{key}'] is missing")


@wsgi("native strings", UNICODE, 4)
def native_strings(it: Asking) -> None:
    """CGI variables must be native strings: a str, and no int for the port."""
    facts = it.facts("X-Latin: caf\xe9", "Content-Type: a/b", method="POST", body=b"hello")
    for key, kind in facts["types"].items():
        if key.isupper() and "." not in key:
            same(kind, "str", f"the type of environ[{key!r}]")


@wsgi("REQUEST_METHOD", VARIABLES, 4)
def request_method(it: Asking) -> None:
    """Any method reaches the application, spelled as it came."""
    variable(it, "REQUEST_METHOD", "PATCH", method="PATCH")


@wsgi("PATH_INFO is decoded", UNICODE, 4)
def path_info(it: Asking) -> None:
    """PATH_INFO is percent-decoded once; its bytes stand as characters of Latin-1."""
    answer = it.ask(request("/%66acts"))
    same(answer.status, 200, "the status of /%66acts, which is /facts", request("/%66acts"))
    found = it.read(it.ask(request("/facts?%41")))["environ"]
    same((found["PATH_INFO"], found["QUERY_STRING"]), ("/facts", "%41"), "path and query")


@wsgi("QUERY_STRING", VARIABLES, 4)
def query_string(it: Asking) -> None:
    """QUERY_STRING is what follows the first question mark, as it came."""
    variable(it, "QUERY_STRING", "a=%C3%A9+b&c=d?e", target="/facts?a=%C3%A9+b&c=d?e")


@wsgi("SCRIPT_NAME at the root", VARIABLES, 4)
def script_name(it: Asking) -> None:
    """An application at the root of a server has an empty SCRIPT_NAME."""
    same(environ(it).get("SCRIPT_NAME", ""), "", "environ['SCRIPT_NAME']")


@wsgi("SERVER_PROTOCOL", VARIABLES, 4)
def server_protocol(it: Asking) -> None:
    """SERVER_PROTOCOL is the version that the client used to send its request."""
    variable(it, "SERVER_PROTOCOL", "HTTP/1.1")
    variable(it, "SERVER_PROTOCOL", "HTTP/1.0", version="1.0")


@wsgi("SERVER_PORT", VARIABLES, 4)
def server_port(it: Asking) -> None:
    """SERVER_PORT is the port that was connected to."""
    variable(it, "SERVER_PORT", str(it.live.address[1]))


@wsgi("HTTP_ variables", VARIABLES, 4)
def http_variables(it: Asking) -> None:
    """A field X-Some-Thing arrives as HTTP_X_SOME_THING."""
    variable(it, "HTTP_X_SOME_THING", 'a "b"; c', 'x-sOmE-thing: a "b"; c')


@wsgi("Content-Type and Content-Length", VARIABLES, 4)
def content_variables(it: Asking) -> None:
    """Both arrive as CONTENT_TYPE and CONTENT_LENGTH, with no HTTP_ before them."""
    found = environ(it, "Content-Type: text/x-a", method="POST", body=b"hello")
    same((found.get("CONTENT_TYPE"), found.get("CONTENT_LENGTH")), ("text/x-a", "5"), "the two")


@wsgi("repeated fields", "RFC 9110 §5.3", 4)
def repeated_fields(it: Asking) -> None:
    """Fields of one name are one field with a list: joined by commas, none lost."""
    value = environ(it, "X-One: 1", "X-Two: 2", "X-One: 3").get("HTTP_X_ONE", "")
    same([part.strip() for part in value.split(",")], ["1", "3"], "environ['HTTP_X_ONE']")


@wsgi("no variables of a client's making", "RFC 3875 §4.1.18", 4, choice=True)
def no_httpoxy(it: Asking) -> None:
    """X_Name and X-Name fall together in environ, so the one with an underscore is dropped."""
    variable(it, "HTTP_X_NAME", "honest", "X_Name: forged", "X-Name: honest")


# ---------------------------------------------------------------- wsgi.input, wsgi.errors


def reads(it: Asking, script: str, wanted: list[Any], **how: Any) -> None:
    """Demand what a script of reads gives."""
    how = how or {"body": LINES}
    sent = request(f"/w/input?do={script}", method="POST", **how)
    same(it.told(sent), wanted, f"{script} of wsgi.input", sent)


@wsgi("read(n)", STREAMS, 4)
def read_some(it: Asking) -> None:
    """read(n) gives n bytes while there are so many."""
    reads(it, "read:4,read:9,read:2", ["one\n", "two\n\nno e", "nd"])


@wsgi("readline()", STREAMS, 4)
def read_line(it: Asking) -> None:
    """readline() gives one line with its end."""
    reads(it, "readline,readline,readline,read:6", ["one\n", "two\n", "\n", "no end"])


@wsgi("the end of wsgi.input", STREAMS, 4, choice=True)
def end_of_input(it: Asking) -> None:
    """Who reads past the body should find the end of a file, although the connection goes on."""
    reads(it, "read:100,read:1,readline", ["one\ntwo\n\nno end", "", ""])


@wsgi("read()", STREAMS, 4, choice=True)
def read_all(it: Asking) -> None:
    """read() without a number should give the rest of the body."""
    reads(it, "read:1,read,read", ["o", "ne\ntwo\n\nno end", ""])


@wsgi("readlines() and iteration", STREAMS, 4, choice=True)
def read_lines(it: Asking) -> None:
    """readlines() and iteration give the lines, and end with the body."""
    for script in ("readlines", "iterate"):
        reads(it, script, [["one\n", "two\n", "\n", "no end"]])


@wsgi("no body", STREAMS, 4, choice=True)
def no_body(it: Asking) -> None:
    """Without a body reading should give nothing at once, and not wait for the client."""
    sent = request("/w/input?do=read:10,readline,read")
    same(it.told(sent), ["", "", ""], "what was read of a GET", sent)


@wsgi("chunked input", STREAMS, 4, choice=True)
def chunked_input(it: Asking) -> None:
    """The body of a chunked request is in wsgi.input, decoded; PEP 3333 knows no such thing."""
    reads(it, "read", ["hello"], chunks=(b"hel", b"lo"))


@wsgi("no framing in wsgi.input", "RFC 9112 §7.1", 4)
def no_framing_in_input(it: Asking) -> None:
    """A chunked body is refused or decoded: its sizes are never given out as its content."""
    sent = request("/w/input?do=read:100", method="POST", chunks=(b"hel", b"lo"))
    answer = it.connect().send(sent).response(whole=False)
    if answer.status == 200:
        got = it.read(answer, sent)
        expect("3\r\n" not in "".join(got), "the sizes of the chunks are content", sent, got[0])


@wsgi("a body that breaks off", "RFC 9112 §8", 4, choice=True)
def a_body_that_breaks_off(it: Asking) -> None:
    """When the client leaves in the middle of its body the half is not served as the whole."""
    token = it.token()
    sent = request(f"/echo?token={token}", "Content-Length: 10", method="POST") + b"hello"
    wire = it.connect().send(sent).half_close()
    came = wire.closed("the rest of the body will never come")
    whole = [each for each in it.notes(token) if "body" in each]
    expect(not whole, "the application took five bytes of ten for the whole body", sent, came, 9)


@wsgi("wsgi.errors", STREAMS, 4)
def errors(it: Asking) -> None:
    """wsgi.errors must have write, writelines and flush."""
    same(it.ask(request("/w/errors")).status, 200, "the status", request("/w/errors"))


# ---------------------------------------------------------------- start_response and write


@wsgi("start_response returns write", START, 4)
def write_works(it: Asking) -> None:
    """start_response must return write(body), whose bytes come before those of the iterable."""
    same(it.ask(request("/w/write")).body, b"one two three", "written and returned blocks")


@wsgi("started twice", START, 4)
def started_twice(it: Asking) -> None:
    """A second call without exc_info is a fatal error, and must raise in the application."""
    answer = it.ask(request("/w/twice"), whole=False)
    expect(answer.body != b"took it", "the second call was taken", request("/w/twice"), answer.body)


@wsgi("exc_info before the start", START, 4)
def exc_info_before(it: Asking) -> None:
    """While nothing was sent, exc_info lets the application replace status and fields."""
    sent = request("/w/exc-info")
    answer = it.ask(sent, whole=False)
    same((answer.status, answer.body), (503, b"sorry"), "the answer", sent)
    same(answer.values("x-first"), [], "a field of the first call", sent)


@wsgi("exc_info after the start", START, 4)
def exc_info_after(it: Asking) -> None:
    """When something was sent, start_response must raise the exception of exc_info again."""
    token = it.token()
    sent = request(f"/w/exc-info?when=after&token={token}")
    it.ask(sent, whole=False)
    same(
        it.noted(token, "raised", "start_response to raise", sent), "LookupError", "what it raised"
    )


@wsgi("a lazy start", START, 4)
def a_lazy_start(it: Asking) -> None:
    """A server must not assume that start_response was called before the first iteration."""
    sent = request("/w/lazy")
    answer = it.ask(sent)
    same((answer.status, answer.body), (202, b"later"), "the answer", sent)


@wsgi("a reason of its own", START, 4)
def a_reason(it: Asking) -> None:
    """Status and reason phrase arrive as the application wrote them."""
    answer = it.ask(request("/status?code=299&body=x"))
    same((answer.status, answer.reason), (299, b"Odd"), "the status line")


@wsgi("fields of a response", START, 4)
def fields_of_a_response(it: Asking) -> None:
    """All fields arrive, in order; Set-Cookie is not joined."""
    answer = it.ask(request("/fields"))
    same(answer.values("set-cookie"), ["a=1", "b=2"], "Set-Cookie")
    same([answer.value(f"x-{number}") for number in range(30)], [str(n) for n in range(30)], "X-n")


@wsgi("never started", START, 4, choice=True)
def never_started(it: Asking) -> None:
    """An application that never calls start_response is answered for with 500."""
    same(it.ask(request("/w/never"), whole=False).status, 500, "the status")


@wsgi("hop-by-hop fields", "PEP 3333, Other HTTP Features", 4, choice=True)
def hop_by_hop(it: Asking) -> None:
    """Connection is the server's field; an application's is an error, and should be told."""
    same(it.ask(request("/w/wrong?what=hop-by-hop"), whole=False).status, 500, "the status")


@wsgi("a status that is no str", START, 4, choice=True)
def a_status_that_is_no_str(it: Asking) -> None:
    """A status of int or bytes is the application's error, and 500."""
    for what in ("status-int", "status-bytes"):
        same(it.ask(request(f"/w/wrong?what={what}"), whole=False).status, 500, what)


@wsgi("str is not bytes", UNICODE, 4, choice=True)
def str_is_not_bytes(it: Asking) -> None:
    """A str among the blocks is refused: nobody guesses an encoding."""
    answer = it.ask(request("/w/wrong?what=str"), whole=False)
    expect(answer.status == 500 or not answer.complete, "text was sent as if it were bytes",
           got=answer.body)  # fmt: skip


# ---------------------------------------------------------------- the iterable


@wsgi("close() at the end", DETAILS, 4)
def close_at_the_end(it: Asking) -> None:
    """The server must call close() when the request is complete; once."""
    closes(it, "end")


@wsgi("close() after an error", DETAILS, 4)
def close_after_an_error(it: Asking) -> None:
    """The server must call close() also when the iteration has failed; once."""
    closes(it, "error")


def closes(it: Asking, how: str) -> None:
    """Demand one call of close()."""
    token = it.token()
    sent = request(f"/w/close?how={how}&token={token}", "Connection: close")
    it.ask(sent, whole=False)
    it.noted(token, "close", "close() of the iterable to be called", sent)
    same(len(it.notes(token)), 1, "the number of calls of close()", sent)


@wsgi("empty blocks", BUFFERING, 4)
def empty_blocks(it: Asking) -> None:
    """An empty block is nothing; above all it is not the last chunk."""
    sent = request("/stream?blocks=,one,,,two,")
    same(it.ask(sent).body, b"onetwo", "the content", sent)


@wsgi("no blocks", BUFFERING, 4)
def no_blocks(it: Asking) -> None:
    """An iterable without a block is an empty, whole response."""
    sent = request("/w/nothing")
    answer = it.ask(sent)
    same((answer.status, answer.body), (201, b""), "the answer", sent)


@wsgi("length of one block", LENGTH, 4, choice=True)
def length_of_one_block(it: Asking) -> None:
    """For one block the server can tell the length, and add it."""
    same(it.ask(request("/w/block")).values("content-length"), ["5"], "Content-Length")


@wsgi("not a byte beyond the length", LENGTH, 4)
def not_beyond_the_length(it: Asking) -> None:
    """A server must not send more bytes than the application's Content-Length allows."""
    sent = request("/length?says=5&blocks=hel,lo%20and%20more,and%20more")
    wire = it.connect().send(sent)
    answer = wire.response(whole=False)
    if answer.status == 200:
        same(answer.body, b"hello", "the content", sent)
    wire.send(request("/ok", "Connection: close"))
    try:
        rest = wire.closed("the next response is the last")
    except Broken as broken:
        raise Miss(broken.problem, sent=sent, got=answer.head) from None
    expect(not rest or rest.startswith(b"HTTP/1.1 "), "bytes behind the content", sent, rest, 0)


@wsgi("a body that is too short", LENGTH, 4, choice=True)
def a_short_body(it: Asking) -> None:
    """When less comes than was promised the connection should be closed, so the client can tell."""
    sent = request("/length?says=100&blocks=hello")
    wire = it.connect().send(sent)
    wire.response(whole=False)
    wire.closed("the promised content will never come")


@wsgi("wsgi.file_wrapper", "PEP 3333, Optional Platform-Specific File Handling", 4)
def file_wrapper(it: Asking) -> None:
    """A wrapped file is sent from its position to its end, as by an iterable of blocks."""
    body = it.ask(request("/w/file")).body
    same(len(body), 9995, "the number of bytes of a file, from its byte 5 on")
