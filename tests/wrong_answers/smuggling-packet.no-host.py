# trips: our engine refuses it for its two framings
"""Two requests without a Host: refused, but for another reason."""


def packet():
    return b"GET /posts HTTP/1.1\r\n\r\nGET /admin HTTP/1.1\r\n\r\n"
