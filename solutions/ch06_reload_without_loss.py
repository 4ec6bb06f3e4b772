"""★★★ reload-without-loss: new code takes over, and no request is lost.

Given: the ``command`` of a worker, a process of its own. It inherits the listening socket's
descriptor, under the same number, imports the application as it is now, writes the line ``ready``
to its standard output, and accepts. At SIGTERM it accepts nobody more, finishes what it has
accepted, and ends. If the import fails, it ends at once.

Write ``Supervisor(listener, command, grace)``:

- ``start()`` returns when a worker is ready
- ``reload()`` starts a new one and, when that is ready, tells the old one to finish; whoever has
  not ended after ``grace`` seconds is killed. It returns True; or False, and the old one goes on,
  when the new one ends before it is ready
- ``stop()`` ends the worker in the same way, and closes the socket

No process, and no zombie, may stay.
"""

from __future__ import annotations

import socket
import subprocess


class Supervisor:
    """Keeps one worker at a listening socket, and exchanges it for a new one."""

    def __init__(self, listener: socket.socket, command: list[str], grace: float) -> None:
        self.listener = listener
        self.command = command
        self.grace = grace

    def start(self) -> None:
        """Start a worker; return when it is ready."""
        ### BEGIN SOLUTION
        self.worker = self.launch()
        ### END SOLUTION

    def reload(self) -> bool:
        """Let a new worker take over; False when it does not come up."""
        ### BEGIN SOLUTION
        new = self.launch()
        if new is None:
            return False
        old, self.worker = self.worker, new
        self.retire(old)
        return True

    def launch(self) -> subprocess.Popen[bytes] | None:
        """Return a new worker that is ready, None for one that has ended instead."""
        shared = [self.listener.fileno()]
        worker = subprocess.Popen(self.command, pass_fds=shared, stdout=subprocess.PIPE)
        with worker.stdout:
            if worker.stdout.readline():
                return worker
        worker.wait()
        return None

    def retire(self, worker: subprocess.Popen[bytes] | None) -> None:
        """Let a worker finish, but not for ever."""
        if worker is None:
            return
        worker.terminate()
        try:
            worker.wait(self.grace)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
        ### END SOLUTION

    def stop(self) -> None:
        """End the worker, and close the socket."""
        ### BEGIN SOLUTION
        self.retire(self.worker)
        self.listener.close()
        ### END SOLUTION
