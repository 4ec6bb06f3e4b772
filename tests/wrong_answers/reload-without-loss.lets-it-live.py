# trips: the old one is gone
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
        self.worker = self.launch()

    def reload(self) -> bool:
        """Let a new worker take over; False when it does not come up."""
        new = self.launch()
        if new is None:
            return False
        self.worker = new
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

    def stop(self) -> None:
        """End the worker, and close the socket."""
        self.retire(self.worker)
        self.listener.close()
