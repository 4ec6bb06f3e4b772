# trips: a stream stays a stream
"""Joins the blocks, and closes what is below."""


def counting(app, report):
    def wrapped(environ, start_response):
        blocks = app(environ, start_response)
        try:
            body = b"".join(blocks)
        finally:
            if hasattr(blocks, "close"):
                blocks.close()
        report(len(body))
        return [body]

    return wrapped
