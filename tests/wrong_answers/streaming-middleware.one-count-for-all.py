# trips: two responses at the same time
"""One count for all requests, set back behind each."""


def counting(app, report):
    size = 0

    class Counted:
        def __init__(self, environ, start_response):
            def start(status, headers, *exc_info):
                write = start_response(status, headers, *exc_info)

                def counted_write(block):
                    nonlocal size
                    size += len(block)
                    write(block)

                return counted_write

            self.blocks = app(environ, start)

        def __iter__(self):
            nonlocal size
            for block in self.blocks:
                size += len(block)
                yield block

        def close(self):
            nonlocal size
            try:
                if hasattr(self.blocks, "close"):
                    self.blocks.close()
            finally:
                report(size)
                size = 0

    return Counted
