# trips: a blank in the path
"""Takes a + for a blank."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from handmade.events import Request


def environ_of(request: Request) -> dict[str, str]:
    """Return the part of environ that comes from the request."""
    path, _, query = request.target.partition(b"?")
    environ = {
        "REQUEST_METHOD": request.method.decode("ascii"),
        "PATH_INFO": unquote_to_bytes(path.replace(b"+", b" ")).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_PROTOCOL": "HTTP/" + request.version.decode("ascii"),
    }
    for name, value in request.fields:
        if b"_" in name or name == b"proxy":
            continue
        key = name.decode("ascii").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
        text = value.decode("latin-1")
        if key in environ:
            text = environ[key] + ("; " if key == "HTTP_COOKIE" else ", ") + text
        environ[key] = text
    return environ
