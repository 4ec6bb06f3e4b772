# trips: lines in CR LF
from __future__ import annotations


def read_output(printed: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return status, headers and body."""
    head, end, body = printed.partition(b"\n\n")
    if not end:
        raise ValueError("the head has no end")
    status, headers = "", []
    for line in head.splitlines():
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name or " " in name:
            raise ValueError("no field")
        if name.lower() == "status":
            status = value.strip()
        else:
            headers.append((name, value.strip()))
    moved = any(name.lower() == "location" for name, _ in headers)
    return status or ("302 Found" if moved else "200 OK"), headers, body
