"""The OAuth clients, from a file: who may ask for what, and where answers go.

Not for: tokens or codes. There is no registration by request: a client is added by an operator.

    clients:
      - client_id: portal
        name: {zh-CN: 会员网站, en: Member site}
        type: confidential                # or public: no secret, PKCE alone
        secret: "sha256:<hex>"            # of 32 or more random bytes, in base64url
        previous_secret: "sha256:<hex>"   # the one before, while it is being replaced
        redirect_uris: ["https://www.example.com/callback"]
        post_logout_redirect_uris: ["https://www.example.com/"]
        grant_types: [authorization_code, refresh_token]
        scopes: [openid, profile, "member:read"]
        sector: sites                     # clients of one sector see the same `sub`
        leeway: 10                        # seconds in which a refresh may be repeated
        audiences: ["https://cms.example.com"]   # besides this API
        cors_origins: ["https://www.example.com"]
        backchannel_logout_uri: "https://www.example.com/signed-out"   # told of ended sessions
        reset_uri: "https://www.example.com/new-password"   # where links of its resets lead
        first_party: true
      - client_id: shop                   # its browser part is /bff (docs/frontends.md)
        name: {en: Shop}
        type: confidential
        secret: "sha256:<hex>"
        grant_types: [authorization_code, refresh_token]
        scopes: [openid, "member:read"]
        bff:                              # its redirect URI is the bridge's own /bff/callback
          origins: ["https://shop.example.com"]
          return_to: ["https://shop.example.com/account"]
        first_party: true
      - client_id: app                    # asks for the password itself (docs/frontends.md)
        name: {en: App}
        type: public
        grant_types: [authorization_code, refresh_token]
        scopes: [openid, "member:read"]
        challenge: [password, otp, wechat_code, registration]   # the steps that it may use
        first_party: true
      - client_id: till                   # signs instead of sending a secret (private_key_jwt)
        name: {en: Till}
        type: confidential
        jwks: [{kty: EC, crv: P-256, kid: t1, x: "…", y: "…"}]   # public keys, two while rotating
        grant_types: [client_credentials]
        scopes: ["registrations:write"]
      - client_id: cms
        name: {en: CMS}
        type: confidential
        secret: "sha256:<hex>"
        grant_types: []
        resource_server: {audience: "https://cms.example.com"}
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from bridge.services import client_keys

SCOPES: Mapping[str, str] = {
    "openid": "An id_token, and userinfo",
    "profile": "Name and language in userinfo",
    "member:read": "GET /v1/me",
    "member:write": "PATCH /v1/me",
    "member:erase": "DELETE /v1/me",
    "member:export": "GET /v1/me/export",
    "consents:read": "GET /v1/me/consents",
    "consents:write": "PUT /v1/me/consents",
    "account:read": "GET /v1/me/identities and /v1/me/sessions",
    "account:write": "Password, e-mail, mobile, identities and sessions of the member",
    "registrations:write": "POST /v1/otp and /v1/registrations",
    "resets:write": "POST /v1/password-resets",
    "identities:vouch": "POST /v1/proofs: cards and WeChat users that the client itself has seen",
    "qr:write": "POST /v1/qr-codes",
}
"""Every scope, and what it opens."""

CLIENT_ONLY = frozenset(["registrations:write", "resets:write", "identities:vouch", "qr:write"])
"""Scopes of a client's own, for which no member is asked."""

WRITING = frozenset(scope for scope in SCOPES if scope.endswith((":write", ":erase")))
"""Scopes that change something."""

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", DEVICE_GRANT)

STEPS = ("password", "otp", "wechat_code", "wechat_mini_code", "registration")
"""What an app may ask a member for itself, at the challenge endpoint."""

BFF_CALLBACK = "/bff/callback"


class ClientTrouble(Exception):
    """The file can't be used. `problems`: one sentence each, by place, without values."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Bff:
    """A site whose tokens we hold (`bridge/bff`). `origins`: where its pages are; `return_to`:
    where a sign-in may end, exactly."""

    origins: tuple[str, ...]
    return_to: tuple[str, ...]


@dataclass(frozen=True)
class Client:
    """One client. `audiences`: besides this API. `audience`: that of a resource server, which may
    introspect tokens that name it."""

    client_id: str
    name: Mapping[str, str]
    public: bool
    secret_sha256: str = field(default="", repr=False)
    previous_sha256: str = field(default="", repr=False)
    jwks: tuple[dict[str, Any], ...] = ()
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    grant_types: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    sector: str = ""
    leeway: int = 0
    audiences: tuple[str, ...] = ()
    audience: str | None = None
    cors_origins: tuple[str, ...] = ()
    reset_uri: str = ""
    bff: Bff | None = None
    challenge: frozenset[str] = frozenset()
    backchannel_logout_uri: str = ""

    def secret_holds(self, secret: str) -> bool:
        """True for the client's secret, or the one before it; constant time. A public client has
        none."""
        given = hashlib.sha256(secret.encode()).hexdigest()
        known = (self.secret_sha256, self.previous_sha256)
        return any(hmac.compare_digest(given, each or "-") for each in known)


class Clients:
    """All clients, by id."""

    def __init__(self, clients: Mapping[str, Client]) -> None:
        self._clients = dict(clients)

    def get(self, client_id: str | None) -> Client | None:
        """The client, or None."""
        return self._clients.get(client_id or "")

    def redirect_uris(self, client_id: str) -> tuple[str, ...]:
        """Where a client's answers may go; none for an unknown one."""
        client = self.get(client_id)
        return client.redirect_uris if client else ()

    def ends(self, client_id: str) -> tuple[str, ...]:
        """Where a browser may be sent at the end of a sign-in: of a BFF, on to its site."""
        client = self.get(client_id)
        site = client.bff.return_to if client and client.bff else ()
        return (*self.redirect_uris(client_id), *site)

    def at(self, issuer: str) -> "Clients":
        """The same clients as served by `issuer`: a BFF's own callback is there."""
        own = (issuer + BFF_CALLBACK,)
        return Clients(
            {
                each.client_id: replace(each, redirect_uris=own) if each.bff else each
                for each in self
            }
        )

    def __iter__(self) -> Iterator[Client]:
        return iter(self._clients.values())


def load(path: Path | str) -> Clients:
    """Read the file. Raises ClientTrouble with all mistakes at once."""
    try:
        raw = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        checked = _File().load(raw)
    except (OSError, UnicodeDecodeError):
        raise ClientTrouble(["oauth.clients_file: the file can't be read"]) from None
    except yaml.YAMLError:
        raise ClientTrouble(["oauth.clients_file: not YAML"]) from None
    except ValidationError as error:
        raise ClientTrouble(sorted(_sentences(error.messages, ""))) from None
    ids = [entry["client_id"] for entry in checked["clients"]]
    if len(set(ids)) != len(ids):
        raise ClientTrouble(["clients: a client_id is listed twice"])
    origins = [origin for entry in checked["clients"] for origin in _bff_origins(entry)]
    if len(set(origins)) != len(origins):  # the origin of a call tells whose session it is
        raise ClientTrouble(["clients: an origin of a bff is listed twice"])
    return Clients({entry["client_id"]: _client(entry) for entry in checked["clients"]})


def _client(entry: dict[str, Any]) -> Client:
    rest = {name: tuple(entry[name]) for name in _LISTS}
    return Client(
        client_id=entry["client_id"],
        name=entry["name"],
        public=entry["type"] == "public",
        secret_sha256=entry["secret"].removeprefix("sha256:"),
        previous_sha256=entry["previous_secret"].removeprefix("sha256:"),
        jwks=tuple(entry["jwks"]),
        grant_types=frozenset(entry["grant_types"]),
        scopes=frozenset(entry["scopes"]),
        sector=entry["sector"] or entry["client_id"],
        leeway=entry["leeway"],
        audience=(entry["resource_server"] or {}).get("audience"),
        reset_uri=entry["reset_uri"],
        bff=_bff(entry["bff"]),
        challenge=frozenset(entry["challenge"]),
        backchannel_logout_uri=entry["backchannel_logout_uri"],
        **rest,
    )


def _bff(entry: dict[str, Any] | None) -> Bff | None:
    return Bff(tuple(entry["origins"]), tuple(entry["return_to"])) if entry else None


def _bff_origins(entry: dict[str, Any]) -> tuple[str, ...]:
    return tuple((entry["bff"] or {}).get("origins", ()))


_LISTS = ("redirect_uris", "post_logout_redirect_uris", "audiences", "cors_origins")


def _sentences(messages: Any, path: str) -> Iterator[str]:
    if isinstance(messages, Mapping):
        for key, below in messages.items():
            yield from _sentences(below, f"{path}.{key}" if path else str(key))
    else:
        yield from (f"{path}: {message}" for message in messages)


def is_redirect(uri: str) -> bool:
    """True for https, http on a loopback address (RFC 8252 section 7.3), or an app's own scheme in
    reverse domain form (section 7.1); never with a fragment, a user or a `*`."""
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return False
    if parts.fragment or "#" in uri or "*" in uri or parts.username is not None:
        return False
    if not uri.isascii() or any(character in uri for character in ' "<>\\^`{|}'):
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    if parts.scheme == "http":
        return _is_loopback(parts.hostname or "")
    return "." in parts.scheme


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_origin(text: str) -> bool:
    return is_redirect(text) and text == origin_of(text)


def origin_of(uri: str) -> str:
    """Scheme, host and port of a URI, as a browser puts them in `Origin`."""
    return "{0.scheme}://{0.netloc}".format(urlsplit(uri))


def _each(check: Any, message: str, **more: Any) -> "fields.List[Any]":
    def ok(value: str) -> None:
        if not check(value):
            raise ValidationError(message)

    return fields.List(fields.String(validate=ok), **(more or {"load_default": list}))


class _Strict(Schema):
    class Meta:
        unknown = RAISE


class _ResourceServer(_Strict):
    audience = fields.Url(required=True, schemes={"https", "http"}, require_tld=False)


class _Bff(_Strict):
    origins = _each(_is_origin, "Not an origin.", required=True)
    return_to = _each(is_redirect, "Not an exact https, loopback or app URI.", required=True)

    @validates_schema(skip_on_field_errors=True)
    def at_home(self, entry: dict[str, Any], **_: Any) -> None:
        """A sign-in ends on the site itself."""
        if not entry["return_to"]:
            raise ValidationError("At least one.", "return_to")
        if not {origin_of(uri) for uri in entry["return_to"]} <= set(entry["origins"]):
            raise ValidationError("Not on one of the origins.", "return_to")


_HASH = validate.Regexp(
    r"^(sha256:[0-9a-f]{64})?$", error="Not `sha256:` and 64 hexadecimal digits."
)


class _Entry(_Strict):
    client_id = fields.String(required=True, validate=validate.Regexp(r"^[A-Za-z0-9_-]{1,64}$"))
    name = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    type = fields.String(required=True, validate=validate.OneOf(["public", "confidential"]))
    secret = fields.String(load_default="", validate=_HASH)
    previous_secret = fields.String(load_default="", validate=_HASH)
    jwks = fields.List(fields.Dict(), load_default=list)
    redirect_uris = _each(is_redirect, "Not an exact https, loopback or app URI.")
    post_logout_redirect_uris = _each(is_redirect, "Not an exact https, loopback or app URI.")
    grant_types = fields.List(
        fields.String(validate=validate.OneOf(GRANT_TYPES)),
        required=True,
    )
    scopes = fields.List(fields.String(validate=validate.OneOf(list(SCOPES))), load_default=list)
    sector = fields.String(load_default="", validate=validate.Length(max=64))
    leeway = fields.Integer(load_default=0, validate=validate.Range(0, 60))
    audiences = fields.List(
        fields.Url(schemes={"https", "http"}, require_tld=False), load_default=list
    )
    resource_server = fields.Nested(_ResourceServer, load_default=None, allow_none=True)
    cors_origins = _each(_is_origin, "Not an origin.")
    reset_uri = fields.String(load_default="")
    challenge = fields.List(fields.String(validate=validate.OneOf(STEPS)), load_default=list)
    bff = fields.Nested(_Bff, load_default=None, allow_none=True)
    backchannel_logout_uri = fields.String(load_default="")
    first_party = fields.Boolean(load_default=False)

    @validates_schema(skip_on_field_errors=True)
    def fits_together(self, entry: dict[str, Any], **_: Any) -> None:
        """What one setting says of another; all mistakes at once."""
        mistakes = {name: [text] for holds, name, text in _rules(entry) if not holds}
        if mistakes:
            raise ValidationError(mistakes)


def _rules(entry: Mapping[str, Any]) -> Iterator[tuple[bool, str, str]]:
    public, grants, scopes = entry["type"] == "public", entry["grant_types"], set(entry["scopes"])
    by_code = "authorization_code" in grants
    ways = bool(entry["secret"]) + bool(entry["jwks"])
    yield ways == (not public), "secret", "A confidential client has one, or jwks; a public none."
    yield bool(entry["secret"]) or not entry["previous_secret"], "previous_secret", "Of no secret."
    wrong = client_keys.trouble(entry["jwks"]) if entry["jwks"] else None
    yield wrong is None, "jwks", wrong or ""
    yield not public or "client_credentials" not in grants, "grant_types", "Needs a secret."
    own_page = bool(entry["bff"] or (entry["challenge"] and not entry["redirect_uris"]))
    uris = bool(entry["redirect_uris"]) != own_page
    yield by_code == uris, "redirect_uris", "With authorization_code only, and not beside a bff."
    browser = entry["bff"] or entry["cors_origins"]
    yield not entry["challenge"] or (by_code and not browser), "challenge", "Not for a browser."
    member = by_code or DEVICE_GRANT in grants
    yield member or "refresh_token" not in grants, "grant_types", "Nothing to refresh."
    yield not member or entry["first_party"], "first_party", "There is no consent page for others."
    yield not public or not entry["resource_server"], "resource_server", "Needs a secret."
    page = entry["reset_uri"]
    plain = is_redirect(page) and "?" not in page
    yield not page or plain, "reset_uri", "Not an exact https, loopback or app URI without a query."
    whole = bool(entry["secret"]) and "refresh_token" in grants and "openid" in scopes
    yield not entry["bff"] or whole, "bff", "Needs a secret, refresh_token and the scope openid."
    told = entry["backchannel_logout_uri"]
    web = is_redirect(told) and told.startswith("http")
    yield not told or web, "backchannel_logout_uri", "Not an exact https or loopback URI."
    own = "client_credentials" in grants
    yield own or not scopes & CLIENT_ONLY, "scopes", "One of them needs client_credentials."


class _File(_Strict):
    clients = fields.List(fields.Nested(_Entry), required=True)
