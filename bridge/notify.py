"""One-time codes, mails and logout tokens out: SMTP, or HTTP. Never a console or a log.

The HTTP gateway: `POST <url>/sms` with `{"id", "to", "text"}` and `POST <url>/mail` with
`{"id", "to", "subject", "text"}`, a bearer token, 2xx for "taken". `id` is the operation's, so a
gateway that has seen it does nothing. Not for: what is said, or when (`bridge/services`).
"""

import smtplib
import ssl
from collections.abc import Iterable, Mapping
from contextlib import suppress
from email.message import EmailMessage
from email.utils import formatdate
from typing import Protocol
from urllib.parse import urlsplit

import requests

_CONNECT, _READ = 3.0, 8.0
_LOCAL = ("127.0.0.1", "::1", "localhost")
_BAD_CREDENTIALS = (401, 403, 404)
_BUSY = (408, 425, 429)


class NotifyError(Exception):
    """Base. Holds no address, text, URL or answer."""


class Undeliverable(NotifyError):
    """The gateway refuses this message; asking again gives the same answer."""


class GatewayUnavailable(NotifyError):
    """It may work later."""


class GatewayMisconfigured(NotifyError):
    """No gateway for this channel, or it refuses our credential: an operator must act."""


class Gateway(Protocol):
    """One way out."""

    def send(self, to: str, text: str, subject: str, key: str) -> None:
        """Raises NotifyError."""


class HttpGateway:
    """`url`: its base. `channel`: `sms` or `mail`. `ca_file`: a CA of its own, or None for the
    system's."""

    def __init__(self, url: str, channel: str, token: str, ca_file: str | None = None) -> None:
        self._mail = channel == "mail"
        self._url = f"{url.rstrip('/')}/{channel}"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.verify = ca_file or True

    def send(self, to: str, text: str, subject: str, key: str) -> None:
        """Raises NotifyError."""
        body = {"id": key, "to": to, "text": text}
        if self._mail:
            body["subject"] = subject
        try:
            answer = self._session.post(
                self._url, json=body, timeout=(_CONNECT, _READ), allow_redirects=False
            )
        except requests.RequestException:
            raise GatewayUnavailable from None
        _raise_for(answer.status_code)


def _raise_for(status: int) -> None:
    if 200 <= status < 300:
        return
    if status in _BAD_CREDENTIALS or 300 <= status < 400:
        raise GatewayMisconfigured
    if status >= 500 or status in _BUSY:
        raise GatewayUnavailable
    raise Undeliverable


def listed(url: str, hosts: Iterable[str]) -> bool:
    """Is it an https URL of one of `hosts` (host, or host:port)?"""
    try:
        parts = urlsplit(url)
        named = {parts.hostname, parts.netloc}
    except ValueError:
        return False
    return parts.scheme == "https" and not named.isdisjoint(hosts)


def _is_local(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and parts.hostname in _LOCAL
    except ValueError:
        return False


class LogoutGateway:
    """Logout tokens to clients (OpenID Connect Back-Channel Logout 1.0, section 2.5). The address
    comes from the web tier, so only hosts on the operator's list are called. `hosts`: as `egress`,
    host or host:port; `loopback`: this machine too, for a sandbox."""

    def __init__(self, hosts: Iterable[str], loopback: bool, ca_file: str | None = None) -> None:
        self._hosts, self._loopback = frozenset(hosts), loopback
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = ca_file or True

    def send(self, to: str, text: str, subject: str, key: str) -> None:
        """`to`: the client's address; `text`: the token. Raises NotifyError."""
        if not self._allowed(to):
            raise Undeliverable
        try:
            answer = self._session.post(
                to, data={"logout_token": text}, timeout=(_CONNECT, _READ), allow_redirects=False
            )
        except requests.RequestException:
            raise GatewayUnavailable from None
        _raise_for(answer.status_code)

    def _allowed(self, to: str) -> bool:
        return listed(to, self._hosts) or (self._loopback and _is_local(to))


class SmtpGateway:
    """One connection per mail: a worker sends few, and a stale connection costs more."""

    def __init__(
        self,
        host: str,
        port: int,
        sender: str,
        user: str = "",
        password: str = "",
        starttls: bool = True,
        ca_file: str | None = None,
    ) -> None:
        self._place = host, port
        self._sender = sender
        self._credential = (user, password) if user else None
        self._tls = ssl.create_default_context(cafile=ca_file) if starttls else None

    def send(self, to: str, text: str, subject: str, key: str) -> None:
        """Raises NotifyError."""
        message = self._message(to, text, subject, key)
        try:
            self._exchange(message)
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError, ssl.SSLError):
            raise GatewayMisconfigured from None
        except smtplib.SMTPRecipientsRefused as error:
            raise _of_codes(code for code, _ in error.recipients.values()) from None
        except smtplib.SMTPResponseException as error:
            raise _of_codes([error.smtp_code]) from None
        except (smtplib.SMTPException, OSError):
            raise GatewayUnavailable from None

    def _exchange(self, message: EmailMessage) -> None:
        smtp = smtplib.SMTP(*self._place, timeout=_READ)
        try:
            if self._tls:
                smtp.starttls(context=self._tls)
            if self._credential:
                smtp.login(*self._credential)
            smtp.send_message(message)
            with suppress(smtplib.SMTPException, OSError):  # it is sent: a bad goodbye is no matter
                smtp.quit()
        finally:
            smtp.close()

    def _message(self, to: str, text: str, subject: str, key: str) -> EmailMessage:
        message = EmailMessage()
        try:
            message["From"], message["To"], message["Subject"] = self._sender, to, subject
            message["Date"] = formatdate()
            message["Message-ID"] = f"<{key}@{self._sender.rpartition('@')[2]}>"
        except ValueError:  # a line break in a header
            raise Undeliverable from None
        message.set_content(text)
        return message


def _of_codes(codes: Iterable[int]) -> NotifyError:
    """RFC 5321 section 4.2.1: 5yz is permanent, 4yz is not."""
    return Undeliverable() if all(code >= 500 for code in codes) else GatewayUnavailable()


class Notifier:
    """A gateway per channel."""

    def __init__(self, gateways: Mapping[str, Gateway]) -> None:
        """`gateways`: `sms`, `mail` and `logout`; a missing one is a channel that isn't set up."""
        self._gateways = dict(gateways)

    def send(self, channel: str, to: str, text: str, *, subject: str, key: str) -> None:
        """`key`: the operation id. Raises NotifyError."""
        gateway = self._gateways.get(channel)
        if gateway is None:
            raise GatewayMisconfigured
        gateway.send(to, text, subject, key)
