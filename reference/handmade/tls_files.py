"""Certificate and key: two files in, what a server needs to speak TLS out.

A server must start with nobody there to help, so whatever is wrong with the files is found before
the port is opened, and said in one line with what would mend it.
"""

from __future__ import annotations

import re
import ssl
from typing import NoReturn

from .tls import Tls

CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----"
)
KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")


class BadCertificate(Exception):
    """TLS cannot be had from these files; the message is one line that says how to mend it."""


class _Encrypted(Exception):
    """OpenSSL asks for a password."""


def load(certfile: str, keyfile: str | None = None) -> Tls:
    """Return what a server needs to speak TLS 1.2 and 1.3, with ALPN for HTTP/1.1.

    ``certfile`` holds our certificate and behind it those that lead to a root, in PEM; the private
    key too, where there is no ``keyfile``.  Raise BadCertificate.
    """
    keys = keyfile or certfile
    chain = _read(certfile, "--certfile")
    block = CERTIFICATE.search(chain)
    if block is None:
        _complain_of_certificate(certfile, chain)
    if not KEY.search(_read(keys, "--keyfile") if keyfile else chain):
        hint = "is it the certificate?" if keyfile else "name its file by --keyfile"
        raise BadCertificate(f"{keys} holds no private key in PEM: {hint}")
    context = _context()
    try:
        context.load_cert_chain(certfile, keyfile, password=_nobody_to_ask)
        certificate = ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(block[0].decode()))
    except _Encrypted:
        how = f"openssl pkey -in {keys} -out plain.pem"
        raise BadCertificate(f"the key in {keys} has a password: take it off, by {how}") from None
    except ValueError as error:
        raise BadCertificate(f"the certificate in {certfile} is damaged: {error}") from error
    except ssl.SSLError as error:
        raise BadCertificate(_describe(error, certfile, keys)) from error
    # OpenSSL puts its own number of a protocol before the two bytes that the RFCs give a suite.
    suites = {suite["name"]: suite["id"] & 0xFFFF for suite in context.get_ciphers()}
    tls = Tls(context, certificate, suites)
    tls.offer("http/1.1")
    return tls


def _context() -> ssl.SSLContext:
    """Return a server's context, without what a server must not offer today."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996: the older ones are deprecated
    # A handshake costs us more than the client: it may have one for each connection, not more.
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


def _read(name: str, option: str) -> bytes:
    """Return the content of a file."""
    try:
        with open(name, "rb") as file:
            return file.read()
    except OSError as error:
        raise BadCertificate(f"cannot read {option} {name}: {error.strerror}") from error


def _complain_of_certificate(name: str, content: bytes) -> NoReturn:
    """Say why a file has no certificate."""
    if KEY.search(content):
        raise BadCertificate(f"{name} holds a private key and no certificate: swap the two files?")
    if content[:1] == b"\x30":  # ASN.1's SEQUENCE: the same in DER
        how = f"openssl x509 -inform der -in {name} -out cert.pem"
        raise BadCertificate(f"{name} is not PEM but DER: turn it into PEM, by {how}")
    raise BadCertificate(f"{name} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")


def _describe(error: ssl.SSLError, certfile: str, keyfile: str) -> str:
    """Put OpenSSL's reason into words."""
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"the key in {keyfile} does not belong to the certificate in {certfile}"
    reason = (error.reason or "the content is damaged").lower().replace("_", " ")
    if error.reason in ("EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "CA_KEY_TOO_SMALL"):
        return f"OpenSSL refuses the certificate in {certfile}: {reason}; have a stronger one made"
    return f"cannot use the certificate in {certfile} with the key in {keyfile}: {reason}"


def _nobody_to_ask() -> NoReturn:
    """Stand in for OpenSSL's own question, which would wait at a terminal for ever."""
    raise _Encrypted
