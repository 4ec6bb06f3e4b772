"""A certificate for lessons: made here and now, trusted by the clients that are told so, and by
nobody else.

    with running(app, tls=certificate()) as server:
        print(server.get("/").text)

A certificate authority of our own signs it; both exist as long as this Python runs.
"""

from __future__ import annotations

import os
import shutil
import ssl
import tempfile
import weakref
from functools import cache
from pathlib import Path

NAMES = ("localhost", "127.0.0.1", "::1")


class Certificate:
    """A certificate for a server on this machine, its key, and the authority that vouches for it.

    ``certfile`` and ``keyfile`` are paths, as ``handmade serve --certfile --keyfile`` takes them;
    ``ca`` is the path of the authority's own certificate, for ``curl --cacert`` and its like.
    """

    def __init__(self, *names: str) -> None:
        import trustme

        authority = trustme.CA(organization_name="handmade lessons")
        issued = authority.issue_cert(*(names or NAMES))
        folder = Path(tempfile.mkdtemp(prefix="handmade-"))
        weakref.finalize(self, _remove, folder, os.getpid())
        self.certfile, self.keyfile, self.ca = (
            str(folder / name) for name in ("cert.pem", "key.pem", "ca.pem")
        )
        for number, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(self.certfile, append=number > 0)
        issued.private_key_pem.write_to_path(self.keyfile)
        authority.cert_pem.write_to_path(self.ca)

    def __repr__(self) -> str:
        return "<a certificate for lessons>"

    def context(self, *protocols: str) -> ssl.SSLContext:
        """Return what a client needs to trust it: ``httpx.get(url, verify=cert.context())``.

        ``protocols`` are those that the client offers by ALPN (RFC 7301).
        """
        context = ssl.create_default_context(cafile=self.ca)
        if protocols:
            context.set_alpn_protocols(protocols)
        return context


def _remove(folder: Path, pid: int) -> None:
    """Remove the files, unless this is a child of the process that still needs them."""
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def certificate(*names: str) -> Certificate:
    """Return a certificate for ``names``, by default this machine's; the same one each time."""
    return Certificate(*names)
