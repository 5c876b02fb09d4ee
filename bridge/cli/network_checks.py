"""The doctor's look at the way to each remote: name, connection, TLS.

Not for: what answers there.
"""

import socket
import ssl
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import certifi

from bridge.cli.checks import Check, failed, ok, unsure
from bridge.keys import Role
from config.settings import Settings

_SECONDS = 5.0
_DAY = 86_400.0
_SOON = 14
"""Days before a certificate's end that are told."""
_WRONG = {
    10: ("its certificate has expired", "have it renewed by whoever runs that host"),
    62: ("its certificate is for another host", "use the name that the certificate has"),
    64: ("its certificate is for another host", "use the name that the certificate has"),
}
"""Of OpenSSL's verification codes (x509_vfy.h); any other means that nobody trusted has signed."""
_UNTRUSTED = "its certificate isn't trusted"
_OPENED = "something on the way opens the connection: let it pass this host"


def network(role: Role, settings: Settings) -> Iterator[Check]:
    """Each host that is called: those of the CRM's options that are URLs, and the web tier's
    WeChat."""
    ca = str(settings.crm.options.get("ca_file") or "")
    private = f"name its CA in crm.options.ca_file, if it has one of its own; otherwise {_OPENED}"
    for option, url in sorted(settings.crm.options.items()):
        yield from _way(f"crm.options.{option}", str(url), ca, private)
    if role == "web" and settings.wechat.enabled:
        yield from _way("wechat.api_base", settings.wechat.api_base, "", _OPENED)


def _way(option: str, url: str, ca: str, untrusted: str) -> Iterator[Check]:
    """`untrusted`: what to do where nobody that we trust has signed the certificate."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return
    name, port = f"network, {option}", parts.port or (443 if parts.scheme == "https" else 80)
    place = f"{parts.hostname}:{port}"
    try:
        with socket.create_connection((parts.hostname, port), timeout=_SECONDS) as connection:
            if parts.scheme == "http":
                yield ok(name, f"{place} takes connections")
                return
            yield _tls(name, place, connection, parts.hostname, ca, untrusted)
    except socket.gaierror:
        yield failed(name, f"{parts.hostname} has no address", f"check {option} and DNS")
    except OSError:
        yield failed(name, f"{place} can't be reached", "check the firewall's egress list")


def _tls(
    name: str, place: str, connection: socket.socket, host: str, ca: str, untrusted: str
) -> Check:
    try:
        context = ssl.create_default_context(cafile=ca or certifi.where())
    except (OSError, ssl.SSLError):
        return failed(name, "the CA file can't be read", "check crm.options.ca_file")
    try:
        with context.wrap_socket(connection, server_hostname=host) as secured:
            return _certificate(name, place, secured)
    except ssl.SSLCertVerificationError as error:
        what, do = _WRONG.get(error.verify_code, (_UNTRUSTED, untrusted))
        return failed(name, f"{place}: {what}", do)
    except OSError:  # ssl.SSLError is one
        return failed(name, f"{place} takes connections but no TLS", "check the URL's port")


def _certificate(name: str, place: str, secured: ssl.SSLSocket) -> Check:
    told = secured.getpeercert() or {}
    until = str(told.get("notAfter", ""))
    said = f"{place} takes connections, {secured.version()}"
    if not until:
        return ok(name, said)
    days = int((ssl.cert_time_to_seconds(until) - time.time()) / _DAY)
    if days < _SOON:
        do = "see that whoever runs that host renews it"
        return unsure(name, f"{said}; its certificate ends in {days} days", do)
    return ok(name, f"{said}, certificate good for {days} days")
