"""What was confirmed by hand on real servers: raw bytes sent, and what came, where a check is red.

By the name of the check, by the name of the target.  Versions: uvicorn 0.54.0 with httptools 0.9.0
or h11 0.16.0, and websockets 17.4 or wsproto 1.3.2; hypercorn 0.18.0 with wsproto and h2 4.4.1,
daphne 4.2.3, granian 2.8.7, gunicorn 27.0.1, waitress 3.0.2, wsgiref of CPython 3.11.7, uWSGI
2.0.30 by --http-socket, mod_wsgi 4.9.4 in Apache 2.4.71.  Probe anew before you quote it: servers
move.
"""

from __future__ import annotations

VERSIONS = {
    "uvicorn": "uvicorn 0.54.0, httptools 0.9.0, websockets 17.4",
    "uvicorn-h11": "uvicorn 0.54.0, h11 0.16.0, websockets 17.4",
    "uvicorn-wsproto": "uvicorn 0.54.0, httptools 0.9.0, wsproto 1.3.2",
    "hypercorn": "hypercorn 0.18.0",
    "daphne": "daphne 4.2.3",
    "granian": "granian 2.8.7",
    "gunicorn": "gunicorn 27.0.1, sync",
    "gunicorn-gthread": "gunicorn 27.0.1, gthread",
    "waitress": "waitress 3.0.2",
    "wsgiref": "wsgiref of CPython 3.11.7",
    "uwsgi": "uWSGI 2.0.30, --http-socket",
    "mod_wsgi": "mod_wsgi 4.9.4 in Apache 2.4.71",
}

SERVED = "200 and the application's content, connection kept"
BOTH = "200 and the body, then 200 and the content of the request behind it, connection kept"
OPENED = "101 Switching Protocols"
UNKNOWN = "Transfer-Encoding means nothing to it: the application waits for bytes, and we for it"

CONFIRMED: dict[str, dict[str, str]] = {
    "no Host": {
        "uvicorn": SERVED, "daphne": SERVED, "granian": SERVED, "waitress": SERVED,
        "gunicorn": "200, closed", "gunicorn-gthread": SERVED, "wsgiref": "200, closed",
    },
    "two Hosts": {
        "uvicorn": SERVED, "daphne": SERVED, "granian": SERVED, "waitress": SERVED,
        "wsgiref": "200, closed",
    },
    "a bad Host": {
        "uvicorn": SERVED, "uvicorn-h11": SERVED, "hypercorn": SERVED, "daphne": SERVED,
        "granian": SERVED, "waitress": SERVED, "gunicorn": "200, closed",
        "gunicorn-gthread": SERVED, "wsgiref": "200, closed",
    },
    "a whole URL": {
        "uvicorn-h11": "404: the path is the whole URL", "hypercorn": "404, likewise",
        "daphne": "404, likewise", "wsgiref": "404, likewise",
    },
    "no blank after the colon": {"uvicorn": "a blank behind the value is part of it: 'wide\\t '"},
    "the headers": {"uvicorn": "a blank behind the value is part of it: '2 '"},
    "a folded field": {"wsgiref": "the application is given 'one\\r\\n two', line end and all"},
    "length beside chunks": {
        "uvicorn-h11": BOTH, "hypercorn": BOTH, "waitress": BOTH, "wsgiref": UNKNOWN,
    },
    "a smuggled request": {
        "daphne": "chunked and identity in two fields: 200, then the request behind the body ran",
    },
    "chunks in HTTP/1.0": {
        "waitress": "200 with Connection: Keep-Alive and an empty body, then 400 for the chunks",
        "wsgiref": UNKNOWN,
    },
    "HEAD": {"waitress": "'ok' behind the head", "wsgiref": "'ok' behind the head"},
    "HEAD of a stream": {
        "waitress": "all chunks of the content behind the head",
        "daphne": "'two' behind the head, in no framing at all",
        "wsgiref": "'onetwo' behind the head",
    },
    "after HEAD, 204 and 304": {
        "waitress": "'ok' of the HEAD stands where the next answer should begin",
        "wsgiref": "204 and 304 with Content-Length: 7 and 'content'",
    },
    "204 has no content": {"wsgiref": "204 with Content-Length: 7 and 'content'"},
    "304 has no content": {"wsgiref": "304 with Content-Length: 7 and 'content'"},
    "no chunks for HTTP/1.0": {"uvicorn": "Transfer-Encoding: chunked, and chunks, to HTTP/1.0"},
    "Date": {"daphne": "200 with Content-Type, Content-Length and Server, and no Date"},
    "one Date": {
        "uvicorn": "its own date first, the application's behind", "uvicorn-h11": "likewise",
        "hypercorn": "the application's date first, its own behind",
    },
    "no 100 for HTTP/1.0": {"uvicorn": "HTTP/1.1 100 Continue, then 200"},
    "414 for a long target": {
        "uvicorn": "400 Bad Request for a target of 300,000 bytes", "uvicorn-h11": "400",
        "hypercorn": "431", "waitress": "431", "daphne": "closed without a word",
    },
    "close in a list": {
        "gunicorn-gthread": "200 with Connection: keep-alive, and the next request was answered",
        "waitress": "200, and the next request was answered",
    },
    "exc_info before the start": {
        "gunicorn": "503 with the fields of both calls: X-First, and Content-Type twice",
        "gunicorn-gthread": "503, likewise",
    },
    "a blank before the colon": {"wsgiref": "200, and the field is lost"},
    "a bare CR in a field": {"wsgiref": "the application is given 'a': the rest is another line"},
    "a NUL in a field": {"wsgiref": "the application is given 'a\\x00b'"},
    "a negative length": {"wsgiref": "the application is given '-5': 500"},
    "a length in words": {"wsgiref": "the application is given 'five': 500"},
    "a length with a plus": {"wsgiref": "the application is given '+5': 200"},
    "a length with an underscore": {"wsgiref": "the application is given '5_0', and waits"},
    "two lengths": {"wsgiref": "the application is given the first one: 200"},
    "a list of lengths": {"wsgiref": "the application is given '5, 6': 500"},
    "not a byte beyond the length": {
        "daphne": "Content-Length: 5 and 'hello and moreand more'", "wsgiref": "likewise",
    },
    "no response splitting": {"wsgiref": "a line X-Evil: yes of its own"},
    "any iterable of pairs": {
        "daphne": "an iterator is used up before it is read: 200 without x-a and x-b",
        "granian": "a start without headers: 500",
    },
    "an error ends the connection": {
        "daphne": "an error behind the start: nothing for 6 s, and the connection stays open",
    },
    "a stream that fails": {"daphne": "the first chunk, and nothing more for 6 s"},
    "the version of HTTP": {"granian": "http_version '1' for HTTP/1.0"},
    "both addresses": {"granian": "the ports are str: ['127.0.0.1', '60598']"},
    "the lifespan scope": {"granian": "spec_version 2.3, which is the HTTP document's"},
}  # fmt: skip

for _seen in CONFIRMED.values():
    if "uvicorn" in _seen:  # its HTTP/1.1 is the same: what differs is who reads the frames
        _seen["uvicorn-wsproto"] = _seen["uvicorn"]

for _name, _server, _came in (
    ("no Host", "uwsgi", "200, closed"),
    ("two Hosts", "uwsgi", "200, closed"),
    ("a whole URL", "uwsgi", "404: the path is the whole URL"),
    ("a negative length", "uwsgi", "200 for Content-Length: -5, the body is empty"),
    ("two lengths", "uwsgi", "closed without a word"),
    ("chunks are decoded", "uwsgi", "200, and the body is empty: nothing of the chunks is read"),
    ("chunks are decoded", "mod_wsgi", "411 Length Required, closed"),
    ("HEAD", "uwsgi", "'ok' behind the head"),
    ("204 has no content", "uwsgi", "'content' behind the head of 204"),
    ("100 when it is wanted", "uwsgi", "nothing, and the connection stays open"),
    ("414 for a long target", "uwsgi", "a reset, without a word"),
    ("started twice", "uwsgi", "the second start counts: 201 and 'took it'"),
    ("started twice", "mod_wsgi", "likewise"),
    ("a stream that fails", "mod_wsgi", "'first' in a chunk, and a last chunk: it looks whole"),
    ("an error replaces the start", "uwsgi", "200 OK with X-First, and no content"),
    ("not a byte beyond the length", "uwsgi", "Content-Length: 5 and 'hello and moreand more'"),
    ("no response splitting", "uwsgi", "a line X-Evil: yes of its own"),
):
    CONFIRMED.setdefault(_name, {})[_server] = _came

CONFIRMED |= {
    "another version": {
        "uvicorn": "400 without Sec-WebSocket-Version for version 14", "uvicorn-h11": "likewise",
        "hypercorn": "likewise", "granian": "likewise",
    },
    "a handshake in HTTP/1.0": {
        "uvicorn": OPENED, "uvicorn-h11": OPENED, "uvicorn-wsproto": OPENED, "daphne": OPENED,
        "granian": "HTTP/1.0 101 Switching Protocols",
    },
    "a handshake without Host": {"uvicorn": OPENED, "granian": OPENED},
    "a handshake by POST": {"granian": OPENED},
    "a wrong key": {
        "uvicorn-wsproto": "101 for the key 'c2hvcnQ='", "hypercorn": "likewise",
        "granian": "likewise",
    },
    "two keys": {
        "uvicorn-wsproto": "101, and Sec-WebSocket-Accept is that of both together",
        "hypercorn": "101, and it is that of one of them", "granian": "likewise",
    },
    "subprotocols in the scope": {
        "hypercorn": "of 'b' in one field and 'a' in the next the scope has ['a']",
    },
    "offers that are wrong": {
        "uvicorn-wsproto": "permessage-deflate; x_unknown: agreed to", "hypercorn": "likewise",
    },
    "a ping in a compressed message": {
        "uvicorn-wsproto": "a pong, and behind it the rest of the message is taken for plain "
        "text: garbage comes back, or the connection ends",
        "hypercorn": "likewise",
    },
    "empty messages": {"daphne": "81 80 and a mask: nothing comes back"},
    "fragments": {"daphne": "two empty fragments of one text: nothing comes back"},
    "messages of any size": {"daphne": "an empty text of the application is not sent"},
    "the client's code is told": {"hypercorn": "1000 and a reason: websocket.disconnect says 1006"},
    "the application's code": {"daphne": "websocket.close with 1008: 1011 goes onto the wire"},
    "the headers of a WebSocket": {"daphne": "two X-One fields come as one, '1,2'"},
    "fields of an accept": {
        "daphne": "x-a and set-cookie are not in the answer", "granian": "likewise",
    },
    "a denial of the application's": {
        "granian": "the extension is offered, and 401 with content goes out as 403 with none",
    },
    "no settings first": {
        "hypercorn": "a preface, a ping and a request without SETTINGS: pong, and 200",
        "granian": "likewise",
    },
    "settings of another length": {
        "hypercorn": "an acknowledgement of 6 bytes: GOAWAY 1, PROTOCOL_ERROR",
        "granian": "5 bytes: GOAWAY 1, PROTOCOL_ERROR",
    },
    "values that no setting has": {"granian": "a window of 2 to the 31: GOAWAY 1, PROTOCOL_ERROR"},
    "frames of another length": {"granian": "a ping of 7 bytes: GOAWAY 1, PROTOCOL_ERROR"},
    "GOAWAY of the client": {
        "hypercorn": "a request and GOAWAY in one packet: the connection ends without an answer",
    },
    "content behind the end": {"granian": "GOAWAY 1, PROTOCOL_ERROR"},
    "a head behind the end": {"granian": "GOAWAY 1, PROTOCOL_ERROR"},
    "a length and no content": {"hypercorn": "Content-Length: 5 and END_STREAM: 200"},
    "blanks around a value": {"granian": "a value that begins with a blank: 200"},
    "trailers that are wrong": {"granian": "trailers with :path: 200"},
    "an answer that fails over HTTP/2": {
        "hypercorn": "200 and the first part, and then nothing: the stream stays open",
    },
    "one cookie": {"granian": "cookie stands twice in the headers"},
    "HEAD over HTTP/2": {"granian": "HEADERS, and behind it DATA with 'ok'"},
    "204 and 304 over HTTP/2": {"granian": "204, and behind it DATA with 'content'"},
    "a failure before accept": {
        "daphne": "an application that returns without an answer: nothing comes for 6 s",
    },
}  # fmt: skip

for _name in (
    "a number that is in no table", "a table too large", "Huffman that ends wrongly",
    "half a field",
):  # fmt: skip
    CONFIRMED[_name] = {
        "hypercorn": "GOAWAY 1, PROTOCOL_ERROR, in the place of 9, COMPRESSION_ERROR",
        "granian": "likewise",
    }

for _name in (
    "chunks are decoded", "chunk sizes", "chunk extensions", "trailers", "a chunk without a size",
    "a chunk size with 0x", "a negative chunk", "a chunk size that overflows",
    "a chunk that is too long", "chunks win over length", "chunks are not last",
    "a coding nobody knows", "no framing in wsgi.input", "100 when it is wanted",
):  # fmt: skip
    CONFIRMED[_name] = {"wsgiref": UNKNOWN}


def seen(name: str) -> tuple[str, ...]:
    """Return what was confirmed for a check, a line for each server."""
    return tuple(f"{VERSIONS[target]}: {what}" for target, what in CONFIRMED.get(name, {}).items())
