# trips: closed before anything was asked for
"""A generator with a finally: right, as long as somebody begins it."""


def counting(app, report):
    def wrapped(environ, start_response):
        size = 0

        def start(status, headers, *exc_info):
            write = start_response(status, headers, *exc_info)

            def counted_write(block):
                nonlocal size
                size += len(block)
                write(block)

            return counted_write

        blocks = app(environ, start)

        def counted():
            nonlocal size
            try:
                for block in blocks:
                    size += len(block)
                    yield block
            finally:
                try:
                    if hasattr(blocks, "close"):
                        blocks.close()
                finally:
                    report(size)

        return counted()

    return wrapped
