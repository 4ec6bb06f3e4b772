"""TLS on every shell: what a client that behaves gets, and what one that does not can do."""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import ssl
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from contracts import async_shells, shells
from test_serve import needs_fork, run, served, until
from tls_clients import (
    ASYNC,
    BIG,
    BLOCK,
    BLOCKING,
    CERTIFICATE,
    PATIENCE,
    Bio,
    ask,
    connected,
    get,
    post,
    serving,
    tls,
)

from handmade import async_shell, blocking
from handmade.events import Limits
from handmade.service import Timeouts
from handmade.tls import PLAIN_HTTP, TlsError
from handmade.tls_socket import PIECE, TlsSocket
from handmade.wire import Wire as ServersWire
from workbench.certificates import certificate
from workbench.contracts.wire import Wire
from workbench.running import running

SHELLS = (*ASYNC, *BLOCKING)
each_shell = pytest.mark.parametrize("shell", SHELLS)
each_engine = pytest.mark.parametrize("engine", ["http1", "h11"])
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
HELLO = b"Hello, world!"


@pytest.fixture
def often(monkeypatch):
    """Deadlines are looked at once a second: a test has less time than that."""
    monkeypatch.setattr(async_shell, "SWEEP", 0.05)
    monkeypatch.setattr(blocking, "SWEEP", 0.05)


def impatient(shell):
    return async_shells.IMPATIENT if shell in ASYNC else shells.IMPATIENT


# ---------------------------------------------------------------- clients that behave


@each_engine
@each_shell
def test_a_connection_is_kept(shell, engine):
    with serving(shell, engine) as address, connected(address) as client:
        for _ in range(3):
            assert ask(client, get()).body == HELLO
        client.send(get() * 5)  # five in one record
        assert [client.response().body for _ in range(5)] == [HELLO] * 5
        assert ask(client, get("/", "Connection: close")).value("connection") == "close"
        assert client.closed("it was asked to") == b""
        assert not client.was_reset


@pytest.mark.parametrize("version", VERSIONS)
@each_shell
def test_both_versions(shell, version):
    with serving(shell) as address, connected(address, version=VERSIONS[version]) as client:
        assert client.socket.version() == f"TLSv{version}"
        assert ask(client, get()).body == HELLO


def test_older_versions_are_refused():
    """RFC 8996: TLS 1.0 and 1.1 must not be used."""
    assert tls().context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls().context.options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.parametrize("framing", ["length", "chunked"])
@each_engine
@each_shell
def test_ten_megabytes_both_ways(shell, engine, framing):
    body = os.urandom(BIG // 100) * 100
    parts = (body[at : at + 100_000] for at in range(0, BIG, 100_000))
    with serving(shell, engine) as (host, port):
        answer = httpx.post(
            f"https://{host}:{port}/",
            content=body if framing == "length" else parts,
            verify=CERTIFICATE.context(),
            trust_env=False,
            timeout=PATIENCE,
        )
    assert answer.content == body


@each_shell
def test_many_blocks_in_a_stream(shell):
    with serving(shell) as address, connected(address) as client:
        assert ask(client, get("/stream?40")).body == BLOCK * 40
        assert ask(client, get()).body == HELLO


@each_shell
def test_ciphertext_a_byte_at_a_time(shell):
    with serving(shell) as address, socket.create_connection(address, PATIENCE) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bio, done = Bio(), False
        to_send, done = bio.shake()
        while True:
            for byte in to_send:
                sock.sendall(bytes([byte]))
            if done:
                break
            to_send, done = bio.shake(sock.recv(65536))
        for byte in bio.encrypt(post(b"a body")):
            sock.sendall(bytes([byte]))
        came = b""
        while not came.endswith(b"a body"):
            came += bio.decrypt(sock.recv(65536))
        assert came.startswith(b"HTTP/1.1 200 ")


@each_shell
def test_handshake_and_request_in_one_packet(shell):
    """Nothing that came with the end of the handshake may be forgotten: no selector tells of it."""
    with serving(shell) as address, socket.create_connection(address, PATIENCE) as sock:
        bio = Bio()
        sock.sendall(bio.shake()[0])
        last, done = bio.shake(sock.recv(65536))
        while not done:
            last, done = bio.shake(sock.recv(65536))
        records = b"".join(bio.encrypt(piece) for piece in (get()[:10], get()[10:], get(), get()))
        sock.sendall(last + records)
        came = b""
        while came.count(HELLO) < 3:
            came += bio.decrypt(sock.recv(65536))


@each_shell
def test_a_client_that_closes_its_side_gets_its_answer(shell):
    """RFC 8446 §6.1: close_notify ends one direction; TCP is still open both ways."""
    with serving(shell) as address, socket.create_connection(address, PATIENCE) as sock:
        bio = shaken(sock)
        sock.sendall(bio.encrypt(get()) + bio.close())
        came = b""
        while data := sock.recv(65536):
            came += bio.decrypt(data)
        assert came.endswith(HELLO)
        assert bio.ended  # the server said goodbye too


def shaken(sock):
    """Shake hands over a socket; return the session."""
    bio = Bio()
    to_send, done = bio.shake()
    sock.sendall(to_send)
    while not done:
        to_send, done = bio.shake(sock.recv(65536))
        sock.sendall(to_send)
    return bio


@each_shell
def test_half_a_request_and_close_notify_is_answered_at_once(shell):
    """The end of TLS is the end, also while TCP stays open: nobody waits for a deadline."""
    with serving(shell) as address, socket.create_connection(address, PATIENCE) as sock:
        bio = shaken(sock)
        sock.sendall(bio.encrypt(post(b"a body")[:-2]) + bio.close())
        began = time.monotonic()
        came = b""
        while data := sock.recv(65536):
            came += bio.decrypt(data)
        assert time.monotonic() - began < 5
        assert came[:13] in (b"", b"HTTP/1.1 400 ")


# ---------------------------------------------------------------- what is agreed on, and told


@pytest.mark.parametrize(
    ("offered", "spoken", "agreed"),
    [
        (("http/1.1",), ("h2", "http/1.1"), "http/1.1"),
        (("h2", "http/1.1"), ("http/1.1", "h2"), "h2"),  # RFC 7301 §3.2: the server chooses
        (("h2", "http/1.1"), ("http/1.1",), "http/1.1"),
        (("h2", "http/1.1"), (), None),
        (("http/1.1",), ("spdy/3",), None),
    ],
)
def test_alpn(offered, spoken, agreed):
    """RFC 7301 §3.1, §3.2: the client names what it speaks, and the server chooses."""
    bio, session = both_sides(tls(*offered), *spoken)
    assert session.object.selected_alpn_protocol() == agreed
    assert bio.object.selected_alpn_protocol() == agreed


@each_shell
def test_what_each_shell_offers(shell):
    """The blocking ones speak HTTP/1.1 alone; a client that does too has it everywhere."""
    with serving(shell) as address:
        with connected(address, "h2", "http/1.1") as client:
            best = "h2" if shell in ASYNC else "http/1.1"
            assert client.socket.selected_alpn_protocol() == best
        for spoken in (["http/1.1"], []):
            with connected(address, *spoken) as client:
                assert client.socket.selected_alpn_protocol() in ("http/1.1", None)
                assert ask(client, get()).body == HELLO


@pytest.mark.parametrize("spoken", [["http/1.1"], ["spdy/3"], []])
@pytest.mark.parametrize("shell", ASYNC)
def test_who_has_not_agreed_on_http2_cannot_speak_it(shell, spoken):
    """RFC 9113 §3.3: prior knowledge is for TCP without TLS."""
    with serving(shell) as address, connected(address, *spoken) as client:
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert client.response().status == 505


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shell", ASYNC)
def test_the_scope(shell, version):
    """ASGI TLS Extension 0.2, TLS Connection Scope.

    RFC 8446 §4.4.2: a client that is not asked for a certificate sends none.
    """
    scopes = []

    async def app(scope, receive, send):
        if scope["type"] == "http":
            scopes.append(scope)
            scope["extensions"]["tls"].pop("tls_version", None) if len(scopes) == 2 else None
            await send({"type": "http.response.start", "status": 204})
            await send({"type": "http.response.body"})

    with (
        serving(shell, app=app) as address,
        connected(address, version=VERSIONS[version]) as client,
    ):
        for _ in range(3):
            ask(client, get())
        suite = client.socket.cipher()[0]
        der = client.socket.getpeercert(binary_form=True)
    first, _, third = scopes  # the second request has changed what it was given
    assert first["scheme"] == "https"
    assert (
        first["extensions"]["tls"]
        == third["extensions"]["tls"]
        == {
            "server_cert": ssl.DER_cert_to_PEM_cert(der),
            "client_cert_chain": (),
            "client_cert_name": None,
            "client_cert_error": None,
            "tls_version": {"1.2": 0x0303, "1.3": 0x0304}[version],
            "cipher_suite": SUITES[suite],
        }
    )


# The numbers of RFC 8446 §B.4 and RFC 5289 §3.2, and what OpenSSL calls the suites.
SUITES = {
    "TLS_AES_128_GCM_SHA256": 0x1301,
    "TLS_AES_256_GCM_SHA384": 0x1302,
    "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
    "ECDHE-ECDSA-AES256-GCM-SHA384": 0xC02C,
    "ECDHE-ECDSA-AES128-GCM-SHA256": 0xC02B,
}


@pytest.mark.parametrize("shell", ASYNC)
def test_the_scope_without_tls(shell):
    """For non-TLS connections, the ASGI server is forbidden from providing this extension."""
    scopes = []

    async def app(scope, receive, send):
        if scope["type"] == "http":
            scopes.append(scope)

    with serving(shell, app=app, tls=None) as address, Wire(address, PATIENCE) as wire:
        assert wire.send(get()).response().status == 500
    assert scopes[0]["scheme"] == "http"
    assert "tls" not in scopes[0]["extensions"]


@pytest.mark.parametrize("how", [{}, {"tls": None}], ids=["tls", "plain"])
@pytest.mark.parametrize("shell", BLOCKING)
def test_environ(shell, how):
    """PEP 3333, environ Variables: over TLS also HTTPS=on.  RFC 9110 §4.2.1, §4.2.2: the scheme."""
    environs = []

    def app(environ, start_response):
        environs.append(environ)
        start_response("204 No Content", [])
        return []

    with ExitStack() as stack:
        address = stack.enter_context(serving(shell, app=app, **how))
        if how:
            stack.enter_context(Wire(address, PATIENCE)).send(get()).response()
        else:
            ask(stack.enter_context(connected(address)), get())
    told = environs[0]["wsgi.url_scheme"], environs[0].get("HTTPS")
    assert told == (("http", None) if how else ("https", "on"))


# ---------------------------------------------------------------- clients that do not behave


def quiet(caplog):
    """Demand that nothing was logged that somebody would have to read."""
    return [record for record in caplog.records if record.levelno > logging.INFO] == []


@each_shell
def test_plain_http_is_told_so(shell, caplog):
    caplog.set_level(logging.DEBUG)
    with serving(shell) as address:
        with Wire(address, PATIENCE) as wire:
            assert wire.send(get()).closed("the port speaks TLS") == PLAIN_HTTP
        with connected(address) as client:
            assert ask(client, get()).body == HELLO
    assert quiet(caplog)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0" * 100,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\xff\xff" + b"\0" * 100_000,  # a record that is longer than any may be
        b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\x00",  # a ClientHello of 16 MB
        os.urandom(200_000),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["zeros", "ssh", "a long record", "a long hello", "noise", "http2"],
)
@each_shell
def test_garbage_is_dropped(shell, garbage, caplog, often):
    caplog.set_level(logging.DEBUG)
    with serving(shell, timeouts=impatient(shell)) as address:
        with Wire(address, PATIENCE) as wire:
            wire.send(garbage).closed("this is no TLS")
        with connected(address) as client:
            assert ask(client, get()).body == HELLO
    assert quiet(caplog)


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
@each_shell
def test_who_does_not_finish_its_handshake_has_the_time_of_a_head(shell, share, often, caplog):
    caplog.set_level(logging.DEBUG)
    hello = Bio().shake()[0]
    with serving(shell, timeouts=impatient(shell)) as address, Wire(address, PATIENCE) as silent:
        began = time.monotonic()
        silent.send(hello[: int(len(hello) * share)])
        with connected(address) as client:  # others are served meanwhile
            assert ask(client, get()).body == HELLO
        silent.closed("it does not shake hands")
        assert 0.3 < time.monotonic() - began < 5
    assert quiet(caplog)


@each_shell
def test_a_handshake_that_drips_is_no_longer(shell, often):
    hello = Bio().shake()[0]
    with serving(shell, timeouts=impatient(shell)) as address, Wire(address, PATIENCE) as slow:
        for byte in hello:
            slow.send(bytes([byte]))
            if slow.readable(0.02) or slow.was_reset:
                break
        slow.closed("it takes too long")
        assert len(slow.sent) < 40  # 0.4 s, where 0.02 s a byte would be many seconds


@each_shell
def test_a_client_that_never_shakes_hands_holds_up_nobody(shell):
    with serving(shell) as address, ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(Wire(address, PATIENCE))
        with connected(address) as client:
            assert ask(client, get()).body == HELLO


@each_shell
def test_failed_handshakes_leave_their_place(shell, monkeypatch):
    """Of two places, none is lost by clients that fail in every way."""
    how = {"connections": 2} if shell in ASYNC else {}
    if not how:
        for make in ("OneAtATime", "Threads"):
            limited = getattr(shells, make)
            two = lambda service, threads=8, limited=limited: (  # noqa: E731
                limited(service, connections=2)
            )
            monkeypatch.setitem(
                shells.SHELLS, {"OneAtATime": "one", "Threads": "threads"}[make], two
            )
    hello = Bio().shake()[0]
    with serving(shell, **how) as address:
        for sent in (b"", b"\0" * 50, get(), hello[:50], hello) * 3:
            with Wire(address, PATIENCE) as wire:
                wire.send(sent)
                if sent[:1] == b"\0":
                    wire.closed("garbage")
            with Wire(address, PATIENCE) as wire:
                wire.send(sent)
                wire.reset()
        for _ in range(3):
            with connected(address) as client:
                assert ask(client, get()).body == HELLO


@each_shell
def test_a_client_that_leaves_without_close_notify(shell, caplog):
    """RFC 9112 §9.8: servers should be prepared to receive an incomplete close."""
    with serving(shell) as address:
        for sent in (b"", get(), get()[:10], post(b"half")[:-1]):
            with connected(address) as client:
                client.send(sent)
                client.socket.shutdown(socket.SHUT_RDWR)
        with connected(address) as client:
            assert ask(client, get()).body == HELLO
    assert quiet(caplog)


@each_shell
def test_a_record_that_was_changed_on_its_way_ends_the_connection(shell, caplog):
    with serving(shell) as address, socket.create_connection(address, PATIENCE) as sock:
        bio = shaken(sock)
        record = bytearray(bio.encrypt(get()))
        record[-1] ^= 1
        sock.sendall(record)
        came = b"".join(iter(lambda: sock.recv(65536), b""))
        with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):  # the alert
            bio.decrypt(came)
    assert quiet(caplog)


@each_shell
def test_a_response_that_breaks_off_has_no_close_notify(shell, caplog):
    """Or a body that ends with the connection would seem to be complete (RFC 9112 §8)."""
    with serving(shell) as address, connected(address) as client:
        client.send(b"GET /half HTTP/1.0\r\n\r\n")
        client.closed("the response breaks off")
        assert client.was_reset


@each_shell
def test_a_body_that_ends_with_the_connection_has_close_notify(shell):
    with serving(shell) as address, connected(address) as client:
        client.send(b"GET /stream?3 HTTP/1.0\r\n\r\n")
        assert client.response().body == BLOCK * 3
        assert not client.was_reset


@each_engine
@each_shell
def test_who_uploads_too_much_can_read_why(shell, engine):
    """RFC 9112 §9.6: what it still sends must not make the kernel destroy the answer."""
    with (
        serving(shell, engine, limits=Limits(body=1000)) as address,
        connected(address) as client,
    ):
        client.send(post(b"x" * 500_000))  # more than buffers hold, less than we are patient for
        assert client.response().status == 413
        assert client.closed("the request was refused") == b""
        assert not client.was_reset


@each_shell
def test_a_slow_reader_costs_bounded_memory(shell):
    """An application that streams 26 MB stops when the client does not read, and goes on."""
    sent = 0
    enough = threading.Event()

    def count():
        nonlocal sent
        sent += 1
        if sent == 400:
            enough.set()

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        for _ in range(400):
            await send({"type": "http.response.body", "body": BLOCK, "more_body": True})
            count()
        await send({"type": "http.response.body"})

    def blocks(environ, start_response):
        start_response("200 OK", [])
        for _ in range(400):
            yield BLOCK
            count()

    app = app if shell in ASYNC else blocks
    with serving(shell, app=app) as address, connected(address) as client:
        client.send(get())
        before = -1
        until(lambda: sent > 0, "the stream to begin")
        while before != sent:  # it stands still when nothing moves for a while
            before = sent
            assert not enough.wait(0.3)
        assert sent * len(BLOCK) < 20_000_000  # what the kernel's buffers on both sides hold
        assert len(client.response().body) == 400 * len(BLOCK)


@each_shell
def test_a_slow_reader_that_reads_is_not_cut(shell, often):
    """It earns its time by what the network takes, not by whole pieces of plaintext."""
    limits = replace(impatient(shell), write=1.0, slowest=5000)
    context = CERTIFICATE.context()
    with serving(shell, timeouts=limits) as address, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        sock.connect(address)
        with context.wrap_socket(sock, server_hostname="localhost") as client:
            client.sendall(get("/stream?60", "Connection: close"))
            came, pause = 0, threading.Event()
            while data := client.recv(8192):
                came += len(data)
                pause.wait(0.004)
    assert came > 60 * len(BLOCK)


@each_shell
def test_a_reader_that_never_reads_is_cut(shell, often):
    with (
        serving(shell, timeouts=impatient(shell)) as address,
        connected(address) as client,
    ):
        client.send(get("/stream?2000"))
        assert reset_comes(client.socket)
        assert client.closed("it was cut").count(BLOCK) < 1000
        assert client.was_reset


def reset_comes(sock):
    """Wait for a reset, without reading what comes before it."""
    poll = select.poll()
    poll.register(sock, 0)  # an error is told in any case
    return bool(poll.poll(PATIENCE * 1000))


# ---------------------------------------------------------------- stopping


@pytest.mark.parametrize("sent", [0, 100])
@each_shell
def test_a_stop_does_not_wait_long_for_a_handshake(shell, sent):
    """Nobody has asked for anything yet: it may try for as long as an idle client may."""
    with ExitStack() as clients, ExitStack() as server:
        address = server.enter_context(serving(shell))
        wire = clients.enter_context(Wire(address, PATIENCE))
        wire.send(Bio().shake()[0][:sent])
        with connected(address) as client:  # by now the server has seen the other one
            ask(client, get())
        began = time.monotonic()
        server.close()
        assert time.monotonic() - began < 5


TLS_OPTIONS = ["--certfile", CERTIFICATE.certfile, "--keyfile", CERTIFICATE.keyfile]
COMMANDS = {
    "one": ("slow_flask:app", ["--threads", "1"]),
    "threads": ("slow_flask:app", ["--threads", "8"]),
    "processes": ("slow_flask:app", ["--workers", "2", "--threads", "4"]),
    "asyncio": ("asgi_apps:app", []),
    "uvloop": ("asgi_apps:app", ["--loop", "uvloop"]),
    "loop": ("asgi_apps:app", ["--loop", "handmade"]),
    "asyncio processes": ("asgi_apps:app", ["--workers", "2"]),
}
PLACE = r"on (https://\S+)"


def commanded(name, *options):
    app, more = COMMANDS[name]
    return served(*TLS_OPTIONS, *more, *options, app=app, place=PLACE)


def client_of(**options):
    context = CERTIFICATE.context()
    return httpx.Client(verify=context, trust_env=False, timeout=PATIENCE, **options)


@needs_fork
@pytest.mark.parametrize(
    ("name", "engine"),
    [*((name, "handmade") for name in COMMANDS), ("threads", "h11"), ("asyncio", "h11")],
)
def test_the_command(name, engine):
    """Every command, and the other engine where bytes are read in either of the two ways.

    TLS hands plaintext to an engine, and each shell makes its engines by the same line: every shell
    with every engine is asked within this process, by the tests above.
    """
    with commanded(name, "--engine", engine) as (process, url), client_of() as client:
        assert client.get(url).text == "Hello, world!"
        assert client.post(f"{url}/length", content=b"x" * 200_000).text == "200000"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert b"Traceback" not in process.stderr.read()


@needs_fork
@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "loop"])
def test_sigterm_drains(name):
    """A request that runs is answered, and an idle client is told goodbye."""
    slow = "/slow?0.5" if COMMANDS[name][0].startswith("asgi") else "/slow?seconds=0.5"
    with ExitStack() as stack, commanded(name) as (process, url):
        address = url.removeprefix("https://").split(":")
        busy = stack.enter_context(connected(address))
        busy.send(get(slow))
        if name != "one":
            idle = stack.enter_context(connected(address))
            assert ask(idle, get()).body == HELLO
        process.send_signal(signal.SIGTERM)
        answer = busy.response()
        assert (answer.body, answer.value("connection")) == (b"at last", "close")
        if name != "one":
            assert idle.closed("the server stops") == b""
            assert not idle.was_reset
        assert process.wait(PATIENCE) == 0


@needs_fork
def test_a_worker_knows_the_tickets_of_another():
    """A client that comes back saves a handshake, whoever of the workers accepts it."""
    with commanded("processes") as (_, url):
        address = url.removeprefix("https://").split(":")
        context = CERTIFICATE.context()
        with connected(address, context=context) as client:
            first = int(ask(client, get("/pid")).body)
            session = client.socket.session
        os.kill(first, signal.SIGKILL)  # from now on another one answers
        with connected(address, context=context, session=session) as client:
            assert client.socket.session_reused
            assert int(ask(client, get("/pid")).body) != first


# ---------------------------------------------------------------- the files


def files(tmp_path):
    """Write files that are wrong in every way; return their names by what they are."""
    from cryptography.hazmat.primitives import serialization as how

    other = certificate("other.example")
    cert = Path(CERTIFICATE.certfile).read_bytes()
    key = Path(CERTIFICATE.keyfile).read_bytes()
    private = how.load_pem_private_key(key, None)
    locked = private.private_bytes(
        how.Encoding.PEM, how.PrivateFormat.PKCS8, how.BestAvailableEncryption(b"secret")
    )
    old_locked = private.private_bytes(
        how.Encoding.PEM, how.PrivateFormat.TraditionalOpenSSL, how.BestAvailableEncryption(b"no")
    )
    block = cert.partition(b"-----END")[0] + b"-----END CERTIFICATE-----\n"
    contents = {
        "cert": cert,
        "key": key,
        "both": cert + key,
        "other": Path(other.keyfile).read_bytes(),
        "text": b"hello\n",
        "empty": b"",
        "der": ssl.PEM_cert_to_DER_cert(block.decode()),
        "damaged": cert.replace(b"MII", b"AAA", 1),
        "cut": cert[: len(block) // 2],
        "cut-key": key[: len(key) // 2],
        "locked": locked,
        "old-locked": old_locked,
    }
    names = {name: tmp_path / f"{name}.pem" for name in contents}
    for name, content in contents.items():
        names[name].write_bytes(content)
    return {name: str(path) for name, path in names.items()}


@pytest.mark.parametrize(
    ("cert", "key", "says"),
    [
        ("nowhere", "key", "cannot read --certfile nowhere: No such file or directory"),
        ("cert", "nowhere", "cannot read --keyfile nowhere: No such file or directory"),
        (".", "key", "cannot read --certfile .: Is a directory"),
        ("text", "key", "text.pem holds no certificate in PEM (-----BEGIN CERTIFICATE-----)"),
        ("empty", "key", "empty.pem holds no certificate in PEM"),
        ("cut", "key", "cut.pem holds no certificate in PEM"),
        ("damaged", "key", "damaged.pem"),
        ("der", "key", "is not PEM but DER: turn it into PEM, by openssl x509 -inform der -in"),
        ("key", "cert", "key.pem holds a private key and no certificate: swap the two files?"),
        ("cert", "text", "text.pem holds no private key in PEM: is it the certificate?"),
        ("cert", "cert", "cert.pem holds no private key in PEM: is it the certificate?"),
        ("cert", "cut-key", "cut-key.pem"),
        ("cert", None, "cert.pem holds no private key in PEM: name its file by --keyfile"),
        ("cert", "other", "does not belong to the certificate in"),
        ("cert", "locked", "has a password: take it off, by openssl pkey -in"),
        ("cert", "old-locked", "has a password: take it off, by openssl pkey -in"),
        (None, "key", "--keyfile is of no use without --certfile"),
    ],
)
def test_bad_files_are_told_in_one_line(cert, key, says, tmp_path):
    tell(cert, key, says, "1", tmp_path)


@pytest.mark.parametrize(
    ("cert", "key", "says"),
    [
        ("cert", "nowhere", "cannot read --keyfile nowhere: No such file or directory"),
        ("cert", "other", "does not belong to the certificate in"),
    ],
)
def test_bad_files_are_told_once_for_all_workers(cert, key, says, tmp_path):
    """The files are read before there are workers: what is said of each is the same."""
    tell(cert, key, says, "2", tmp_path)


def tell(cert, key, says, workers, tmp_path):
    """Start a server with such files, and see that it says so, and nothing else."""
    names = files(tmp_path)
    options = []
    for option, name in (("--certfile", cert), ("--keyfile", key)):
        if name is not None:
            options += [option, names.get(name, name)]
    arguments = ["serve", "asgi_apps:app", "--port", "0", "--workers", workers, *options]
    assert says in run(*arguments)


def test_certificate_and_key_may_be_one_file(tmp_path):
    option = ["--certfile", files(tmp_path)["both"]]
    with served(*option, app="asgi_apps:app", place=PLACE) as (_, url), client_of() as client:
        assert client.get(url).text == "Hello, world!"


# ---------------------------------------------------------------- the session, without a socket


def both_sides(server=None, *spoken):
    """Return a client and a server that have shaken hands."""
    bio, session = Bio(*spoken), (server or tls()).session()
    to_server, done = bio.shake()
    while not (done and session.shaken):
        assert session.receive(to_server) == b""
        to_server, done = bio.shake(session.to_send())
    return bio, session


@pytest.mark.parametrize("size", [1, 16_384, 16_385, 100_000])
def test_all_plaintext_of_what_came_is_returned(size):
    """Nothing stays where no selector sees it, wherever the ciphertext is cut.

    RFC 8446 §5.1: a record has at most 16,384 bytes.
    """
    for cut in (0, 1, 4, 5, 6, 21, 22, 500, size // 2, size):
        bio, session = both_sides()
        data = os.urandom(size)
        ciphertext = bio.encrypt(data) + bio.encrypt(b"the end")
        first = session.receive(ciphertext[:cut])
        assert first + session.receive(ciphertext[cut:]) == data + b"the end"
        assert session.object.pending() == 0


def test_close_is_said_once_and_ends_one_direction():
    _, session = both_sides()
    session.send(b"before")
    assert session.close()
    assert session.close() == b""
    assert session.closed
    assert not session.ended


def test_nothing_piles_up_behind_the_clients_close():
    bio, session = both_sides()
    late = bio.encrypt(b"late")
    assert session.receive(late + bio.close()) == b"late"
    assert session.ended
    for _ in range(100):
        assert session.receive(late * 100) == b""
    assert session._incoming.pending < 1000
    assert bio.decrypt(session.send(b"an answer")) == b"an answer"


def test_a_close_before_the_handshake_says_nothing():
    session = tls().session()
    assert session.close() == b""


def test_garbage_is_an_error_with_openssls_reason():
    with pytest.raises(TlsError, match="WRONG_VERSION_NUMBER"):
        tls().session().receive(b"garbage, of some length")


# ---------------------------------------------------------------- what looks like a socket


class Pair:
    """A TlsSocket over a small pair of sockets, and its client."""

    def __init__(self):
        ours, self.theirs = socket.socketpair()
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.raw, self.socket = ours, TlsSocket(ours, tls())
        self.theirs.settimeout(PATIENCE)
        self.bio = Bio()
        to_send, done = self.bio.shake()
        while True:
            self.theirs.sendall(to_send)
            with pytest.raises(BlockingIOError):
                self.socket.recv(65536)
            if done:
                break
            to_send, done = self.bio.shake(self.take())

    def take(self):
        """Return what the server has sent; let it go on."""
        data = self.theirs.recv(65536)
        with pytest.raises(BlockingIOError):
            self.socket.recv(65536)
        return data

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.raw.close()
        self.theirs.close()


def test_the_handshake_goes_on_when_the_network_takes_its_bytes():
    """Our part of it may be more than the network takes: then the shell waits to write."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        while True:
            try:
                ours.send(b"x" * 1000)
            except BlockingIOError:
                break
        server = ServersWire(TlsSocket(ours, tls()), Timeouts())
        bio = Bio()
        assert not server.wants_write
        theirs.sendall(bio.shake()[0])
        assert server.take() is None
        assert server.wants_write  # this is what the selector looks at
        theirs.setblocking(False)
        came = bytearray()
        while server.wants_write:
            came += theirs.recv(65536)
            assert server.take() is None
        came += theirs.recv(65536)
        assert bio.shake(bytes(came.lstrip(b"x")))[1]


def test_send_reports_what_has_left_entirely():
    data = os.urandom(1_000_000)
    with Pair() as pair:
        rest, came, taken = memoryview(data), b"", 0
        while rest:
            held = pair.socket.held
            try:
                sent = pair.socket.send(rest)
                rest = rest[sent:]
            except BlockingIOError:
                sent = 0
            assert sent % PIECE == 0 or not rest
            # What has gone to the network is what was reported and what ``held`` has lost.
            # We have read, so it has taken some, also where nothing could be reported.
            assert sent + held - pair.socket.held > 0
            taken += sent + held - pair.socket.held
            came += pair.bio.decrypt(pair.theirs.recv(65536))
            assert len(pair.socket._out) < PIECE + 1000
        while len(came) < len(data):
            came += pair.bio.decrypt(pair.theirs.recv(65536))
        assert came == data
        assert taken == len(data)


def test_who_takes_a_part_of_a_piece_has_earned_its_time():
    """A reader that needs more than our patience for one piece is slow, and does read."""
    data = os.urandom(2 * PIECE)
    with Pair() as pair:
        server = ServersWire(pair.socket, Timeouts(write=0.5, slowest=5000))
        came, pause = bytearray(), threading.Event()

        def read_slowly():
            while len(came) < len(data):
                came.extend(pair.bio.decrypt(pair.theirs.recv(2048)))
                pause.wait(0.02)

        reader = threading.Thread(target=read_slowly)
        reader.start()
        server.transmit(data)
        reader.join(PATIENCE)
        assert came == data


def test_a_goodbye_waits_for_its_turn():
    """Close_notify comes behind what is written, and the end of TCP behind that."""
    with Pair() as pair:
        with pytest.raises(BlockingIOError):
            pair.socket.send(b"x" * 200_000)
        pair.socket.shutdown(socket.SHUT_WR)
        assert pair.socket.wants_write
        came = b""
        while pair.socket.wants_write:
            came += pair.bio.decrypt(pair.theirs.recv(65536))
            with pytest.raises(BlockingIOError):
                pair.socket.recv(65536)
        while data := pair.theirs.recv(65536):
            came += pair.bio.decrypt(data)
        assert came == b"x" * PIECE
        pair.theirs.sendall(pair.bio.encrypt(b"still talking"))
        assert pair.socket.recv(65536)  # dropped by who parts
        pair.theirs.close()
        assert pair.socket.recv(65536) == b""


# ---------------------------------------------------------------- for notebooks


@pytest.mark.parametrize("shell", ["asyncio", "loop", "one", "threads"])
def test_running(shell):
    from tls_clients import asgi, wsgi

    app = asgi if shell in ASYNC else wsgi
    with running(app, shell=shell, tls=CERTIFICATE) as server:
        assert server.url() == f"https://127.0.0.1:{server.port}/"
        assert server.get("/").text == "Hello, world!"
        answer = httpx.get(server.url(), verify=CERTIFICATE.context(), trust_env=False)
        assert answer.text == "Hello, world!"
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(server.url(), trust_env=False)
        assert server.talk(get()) == PLAIN_HTTP
        assert not [line for line in server.log if "ERROR" in line]
