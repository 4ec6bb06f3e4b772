"""A CGI program behind a WSGI server: a process for each request.

A WSGI call comes in; a process gets it as environment and standard input, and what it writes to
standard output is the response.  What the lines of that output mean is told in ``history_cgi``.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from tempfile import TemporaryFile
from threading import Timer
from typing import IO, Any

from .gateway import ApplicationError
from .history_cgi import meta_variables, read_head
from .wsgi_request import Environ

BLOCK = 65536
# A program needs these to be found and to start; nothing else of our environment is its business.
INHERITED = ("PATH", "SYSTEMROOT")


class CgiProgram:
    """Be a WSGI application that runs a program for each request.

    ``command`` is the program and its arguments.  After ``seconds`` it is killed, finished or not.
    """

    def __init__(self, command: Sequence[str], seconds: float = 30.0) -> None:
        self.command = list(command)
        self.seconds = seconds

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterator[bytes]:
        """Run the program, and pass on what it writes when it comes."""
        with ExitStack() as stack:
            body = stack.enter_context(TemporaryFile())
            errors = stack.enter_context(TemporaryFile())
            stack.callback(copy_errors, errors, environ)
            process = self.start(environ, body, errors)
            stack.callback(put_away, process)
            impatient = Timer(self.seconds, process.kill)
            impatient.daemon = True
            impatient.start()
            stack.callback(impatient.cancel)
            output: Any = process.stdout
            status, headers = read_head(output.readline)
            start_response(status, headers)
            while block := output.read1(BLOCK):
                yield block
            if process.wait():  # the output may be half of what it should have been
                raise ApplicationError(f"the CGI program ended with status {process.returncode}")

    def start(self, environ: Environ, body: IO[bytes], errors: IO[bytes]) -> Any:
        """Start the process, its standard input being the whole body of the request.

        We spool the body into a file first.  Through a pipe, a program that writes before it has
        read everything and a server that writes before it has read anything wait for each other.
        """
        length = 0
        while block := environ["wsgi.input"].read(BLOCK):
            length += body.write(block)
        body.seek(0)
        variables = {name: os.environ[name] for name in INHERITED if name in os.environ}
        variables.update(meta_variables(environ, length))
        return subprocess.Popen(
            self.command, stdin=body, stdout=subprocess.PIPE, stderr=errors, env=variables
        )


def put_away(process: Any) -> None:
    """End a process that still runs, and wait for it: a child that nobody waits for stays."""
    process.kill()
    process.stdout.close()
    process.wait()


def copy_errors(errors: IO[bytes], environ: Environ) -> None:
    """Hand on what the program wrote to standard error; RFC 3875 says nothing about it."""
    errors.seek(0)
    if said := errors.read(BLOCK).decode(errors="replace"):
        environ["wsgi.errors"].write(said)
