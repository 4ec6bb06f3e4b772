"""What an ASGI application is told about TLS: ``scope["extensions"]["tls"]``.

This is the ASGI TLS Extension, version 0.2.  A session comes in, a dict goes out, once for each
connection: nothing in it changes from one request to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypedDict

VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


class TlsScope(TypedDict):
    """What is said of a connection (ASGI TLS Extension 0.2, TLS Connection Scope)."""

    server_cert: str | None
    client_cert_chain: tuple[str, ...]
    client_cert_name: str | None
    client_cert_error: str | None
    tls_version: int | None
    cipher_suite: int | None


class Spoken(Protocol):
    """What two sides have agreed on: a part of ssl.SSLObject."""

    def version(self) -> str | None:
        """Return for example "TLSv1.3"."""

    def cipher(self) -> tuple[str, str, int] | None:
        """Return the name of the cipher suite, and more."""


def tls_scope(spoken: Spoken, certificate: str, suites: Mapping[str, int]) -> TlsScope:
    """Return the extension for a connection over TLS.

    We ask no client for a certificate, and it sends none unasked (RFC 8446 §4.4.2): so the three
    entries about it say, truly, that there is none.
    """
    cipher = spoken.cipher()
    return {
        "server_cert": certificate,
        "client_cert_chain": (),
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": VERSIONS.get(spoken.version() or ""),
        "cipher_suite": suites.get(cipher[0]) if cipher else None,
    }
