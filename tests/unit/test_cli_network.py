"""The doctor's look at the way to a host: each thing that TLS can be wrong by is named."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.cli.checks import Check
from bridge.cli.network_checks import network


def _certificate(directory: Path, address: str, days: int) -> Path:
    """A file with a key and its own certificate for this address, good for so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days, minutes=5)
    subject = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - datetime.timedelta(days=900))
        .not_valid_after(end)
        .add_extension(subject, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = directory / f"{address}.{days}.pem"
    path.write_bytes(key.private_bytes(pem, *plain) + made.public_bytes(pem))
    return path


@contextmanager
def _listening(certificate: Path | None) -> Iterator[int]:
    """A server on loopback that takes one connection, with TLS or without; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                if certificate is None:
                    peer.sendall(b"220 ready\r\n")
                    return
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate)
                try:
                    with context.wrap_socket(peer, server_side=True) as secured:
                        secured.recv(1)
                except OSError:
                    pass

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def _look(url: str, ca: Path | None) -> Check:
    options: dict[str, Any] = {"url": url} | ({"ca_file": str(ca)} if ca else {})
    wechat = SimpleNamespace(enabled=False)
    settings: Any = SimpleNamespace(crm=SimpleNamespace(options=options), wechat=wechat)
    (check,) = network("worker", settings)
    return check


@pytest.mark.parametrize(
    ("address", "days", "trusted", "state", "said"),
    [
        ("127.0.0.1", 90, True, "ok", "good for 90 days"),
        ("127.0.0.1", 5, True, "unsure", "ends in 5 days"),
        ("127.0.0.1", -5, True, "failed", "has expired"),
        ("127.0.0.9", 90, True, "failed", "for another host"),
        ("127.0.0.1", 90, False, "failed", "isn't trusted"),
    ],
)
def test_a_certificate_is_judged(
    tmp_path: Path, address: str, days: int, trusted: bool, state: str, said: str
) -> None:
    """Good, soon over, over, of another host, signed by a stranger: each by its name."""
    path = _certificate(tmp_path, address, days)
    with _listening(path) as port:
        check = _look(f"https://127.0.0.1:{port}", path if trusted else None)

    assert (check.state, said in check.what) == (state, True), check
    assert bool(check.do) is (state != "ok")


def test_a_port_without_tls_and_one_without_anybody_are_told_apart(tmp_path: Path) -> None:
    """A plain server, nobody at all, and a name that nobody knows."""
    with _listening(None) as port:
        plain = _look(f"https://127.0.0.1:{port}", None)
    gone = _look(f"https://127.0.0.1:{port}", None)
    nameless = _look("https://no-such-host.invalid", None)

    assert "no TLS" in plain.what
    assert "can't be reached" in gone.what
    assert "has no address" in nameless.what
    assert {plain.state, gone.state, nameless.state} == {"failed"}
