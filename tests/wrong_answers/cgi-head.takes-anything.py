# trips: what is no response
from __future__ import annotations


def read_output(printed: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return status, headers and body."""
    status, headers = "", []
    while True:
        line, _, printed = printed.partition(b"\n")
        text = line.removesuffix(b"\r").decode("latin-1")
        if not text:
            break
        name, _, value = text.partition(":")
        if name.lower() == "status":
            status = value.strip()
        else:
            headers.append((name, value.strip()))
    moved = any(name.lower() == "location" for name, _ in headers)
    return status or ("302 Found" if moved else "200 OK"), headers, printed
