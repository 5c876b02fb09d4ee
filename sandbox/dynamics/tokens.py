"""The authority: app registrations, client authentication, tokens.

Errors have Entra's shape and AADSTS numbers (learn.microsoft.com/entra/identity-platform/
reference-error-codes). Not for what a user may do; that is `security.py`.
"""

import base64
import binascii
import dataclasses
import datetime
import secrets
import threading
import time
import urllib.parse
import uuid
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry

from sandbox.dynamics.schema import Schema
from sandbox.kit.clock import Clock

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class _Signed(JWSRegistry):
    """What an assertion may be signed with; MSAL puts the certificate into the header (x5c)."""

    max_header_length = 16_384

    def __init__(self) -> None:
        super().__init__(algorithms=["RS256", "PS256"])


class AuthorityError(Exception):
    """A refusal of the token endpoint."""

    def __init__(self, status: int, error: str, number: int, text: str) -> None:
        super().__init__(error)
        self.status = status
        self.document = {
            "error": error,
            "error_description": f"AADSTS{number}: {text}",
            "error_codes": [number],
            "timestamp": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
            "trace_id": str(uuid.uuid4()),
            "correlation_id": str(uuid.uuid4()),
        }


@dataclasses.dataclass(frozen=True)
class Registration:
    """An app registration. Who it is in the environment is `security.py`'s affair."""

    name: str
    client_id: str
    client_secret: str


class Authority:
    """Issues tokens by the sandbox clock. Tokens look like JWTs and are opaque."""

    def __init__(self, schema: Schema, clock: Clock, state_dir: Path) -> None:
        self.registrations = {
            name: Registration(name, entry["client_id"], entry["client_secret"])
            for name, entry in schema.applications.items()
        }
        self._clock = clock
        self._lock = threading.Lock()
        self._issued: dict[str, tuple[str, float]] = {}
        self.tenant = schema.organization["tenant"]
        self.certificate = _make_certificate(state_dir)
        self._public_key = RSAKey.import_key(Path(self.certificate["certificate_file"]).read_text())
        self.reset()

    def reset(self) -> None:
        """Lifetime as at the start, counts at zero; tokens stay good."""
        with self._lock:
            self.lifetime = 3600
            self.calls: dict[str, int] = {}
            self.refused = 0

    def expire_all(self) -> None:
        """Every token issued so far is worth nothing from now on."""
        with self._lock:
            self._issued.clear()

    def caller(self, header: str) -> Registration | None:
        """Whose token an Authorization header carries; None where it is absent or expired."""
        scheme, _, token = header.partition(" ")
        name, until = self._issued.get(token, ("", 0.0))
        if scheme.lower() != "bearer" or until <= self._clock.now():
            return None
        return self.registrations[name]

    def token(self, tenant: str, form: dict[str, str], header: str, url: str) -> dict[str, Any]:
        """Answer a token request; `url` is the environment's own base URL."""
        try:
            user = self._authenticated(tenant, form, header, url)
            self._check_scope(form, url)
        except AuthorityError:
            with self._lock:
                self.refused += 1
            raise
        token = f"eyJ0eXAiOiJKV1Qi.{secrets.token_urlsafe(48)}.{secrets.token_urlsafe(24)}"
        with self._lock:
            self.calls[user.name] = self.calls.get(user.name, 0) + 1
            self._issued[token] = (user.name, self._clock.now() + self.lifetime)
        return {
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "ext_expires_in": self.lifetime,
            "access_token": token,
        }

    def _authenticated(
        self, tenant: str, form: dict[str, str], header: str, url: str
    ) -> Registration:
        if tenant != self.tenant:
            raise AuthorityError(400, "invalid_request", 90002, "Tenant not found.")
        if form.get("grant_type") != "client_credentials":
            text = "The app requested an unsupported grant type."
            raise AuthorityError(400, "unsupported_grant_type", 70003, text)
        client_id, secret = _basic(header) or (form.get("client_id"), form.get("client_secret"))
        user = next((u for u in self.registrations.values() if u.client_id == client_id), None)
        if user is None:
            text = "Application was not found in the directory."
            raise AuthorityError(400, "unauthorized_client", 700016, text)
        if "client_assertion" in form:
            self._check_assertion(user, form, f"{url}/{tenant}/oauth2/v2.0/token")
        elif not secret:
            text = "The request body must contain: 'client_assertion' or 'client_secret'."
            raise AuthorityError(401, "invalid_client", 7000218, text)
        elif not secrets.compare_digest(secret.encode(), user.client_secret.encode()):
            raise AuthorityError(401, "invalid_client", 7000215, "Invalid client secret provided.")
        return user

    def _check_assertion(self, user: Registration, form: dict[str, str], audience: str) -> None:
        """RFC 7523. Times are checked by the machine's clock: the client doesn't see ours."""
        text = "Client assertion failed signature validation."
        refused = AuthorityError(401, "invalid_client", 700027, text)
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise refused
        try:
            decoded = jwt.decode(form["client_assertion"], self._public_key, registry=_Signed())
        except (JoseError, ValueError):
            raise refused from None
        claims = decoded.claims
        meant = (claims.get("iss"), claims.get("sub"), claims.get("aud"))
        if meant != (user.client_id, user.client_id, audience):
            raise refused
        if not claims.get("nbf", 0) - 300 <= time.time() < claims.get("exp", 0) + 300:
            text = "Client assertion is not within its valid time range."
            raise AuthorityError(401, "invalid_client", 700024, text)

    def _check_scope(self, form: dict[str, str], url: str) -> None:
        scope = form.get("scope", "")
        resource, slash, default = scope.rpartition("/")
        if not slash or default != ".default":
            text = "The provided value for the input parameter 'scope' is not valid."
            raise AuthorityError(400, "invalid_scope", 70011, text)
        if resource.rstrip("/") != url:
            text = "The resource principal was not found in the tenant."
            raise AuthorityError(400, "invalid_resource", 500011, text)


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, coded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise AuthorityError(401, "invalid_client", 7000215, "Invalid client secret.") from None
    return urllib.parse.unquote_plus(client_id), urllib.parse.unquote_plus(secret)


def _make_certificate(directory: Path) -> dict[str, str]:
    """A self-signed certificate registered with every app: PEM files and a PFX without password."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bridge sandbox client")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    paths = {
        "certificate_file": directory / "dynamics-client.pem",
        "key_file": directory / "dynamics-client.key",
        "pfx_file": directory / "dynamics-client.pfx",
    }
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    contents = {
        "certificate_file": certificate.public_bytes(pem),
        "key_file": key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain),
        "pfx_file": pkcs12.serialize_key_and_certificates(None, key, certificate, None, plain),
    }
    for kind, path in paths.items():
        path.touch(mode=0o600)
        path.write_bytes(contents[kind])
    return {kind: str(path) for kind, path in paths.items()}
