"""The composition root: settings -> what a web process or a worker process works with.

Not for: any behaviour. Everything is made here, once, and handed down; nothing below reads the
configuration. A web process gets `get` and `find` of the CRM and no other verb.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import flask

from adapters import registry
from adapters.base import Adapter, Found, Remote, Trace
from adapters.capabilities import Capabilities
from adapters.errors import CrmError
from bridge import log, security
from bridge.budget import SharedBudget
from bridge.keys import Keys, KeyTrouble, Role
from bridge.notify import Gateway, HttpGateway, LogoutGateway, Notifier, SmtpGateway, listed
from bridge.seal import Keyring, Mac, Opener, Pseudonyms, Sealer, Siv
from bridge.services import check_row, clients, signing_out
from bridge.services.clients import Clients, ClientTrouble
from bridge.services.identities import IdentityKeys
from bridge.services.passwords import Passwords
from bridge.services.scenes import Scenes
from bridge.store import Redis
from bridge.store.assertions import UsedAssertions
from bridge.store.auth_sessions import AuthSessions
from bridge.store.bff_sessions import BffSessions
from bridge.store.caller_cache import CallerCache
from bridge.store.challenges import Challenges
from bridge.store.devices import Devices
from bridge.store.events import SeenEvents
from bridge.store.grants import Caller, Grants, Lives
from bridge.store.limits import Limits
from bridge.store.links import Links
from bridge.store.remote_tokens import RemoteTokens
from bridge.store.sessions import Sessions
from bridge.writes.drain import DrainParts
from bridge.writes.mailbox import Mailboxes
from config.settings import ConfigTrouble, Settings, load, locations
from mappings.loader import Mapping as CrmMapping
from mappings.loader import MappingErrors
from mappings.loader import load as load_mapping

EXTENSION = "bridge"
ROOT = Path(__file__).parents[1]


class Reader:
    """The CRM as the web tier may use it: one record, by id or by key. It can't list."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def get(
        self, kind: str, id: str, fields: Iterable[str], *, trace: Trace | None = None
    ) -> Found:
        """See `Adapter.get`."""
        return self._adapter.get(kind, id, fields, trace=trace)

    def find(
        self, kind: str, key: str, value: str, fields: Iterable[str], *, trace: Trace | None = None
    ) -> Found:
        """See `Adapter.find`."""
        return self._adapter.find(kind, key, value, fields, trace=trace)

    def check_password(self, name: str, password: str, *, trace: Trace | None = None) -> bool:
        """For a CRM that `checks_passwords`. Raises Unsupported where it doesn't."""
        asked = {"name": name, "password": password}
        return bool(self._adapter.run("check_password", asked, trace=trace)["right"])


@dataclass(frozen=True)
class WebParts:
    """What a web process works with."""

    settings: Settings
    mapping: CrmMapping
    crm: Reader
    capabilities: Capabilities
    budget: SharedBudget
    tokens: Redis
    queue: Redis
    clients: Clients
    keyring: Keyring = field(repr=False)
    names: Pseudonyms = field(repr=False)
    identity_keys: IdentityKeys = field(repr=False)
    subjects: Siv = field(repr=False)
    etags: Siv = field(repr=False)
    operation_key: Pseudonyms = field(repr=False)
    record_key: Pseudonyms = field(repr=False)
    id_token_key: Any = field(repr=False)
    passwords: Passwords
    scenes: Scenes
    mailboxes: Mailboxes
    grants: Grants
    challenges: Challenges
    links: Links
    sessions: Sessions
    bff_sessions: BffSessions
    auth_sessions: AuthSessions
    devices: Devices
    used_assertions: UsedAssertions
    limits: Limits
    seen_events: SeenEvents
    wechat_tokens: RemoteTokens
    clock: Callable[[], float]


def current() -> WebParts:
    """The parts of the application that answers this request."""
    return cast(WebParts, flask.current_app.extensions[EXTENSION])


def web_parts(environ: Mapping[str, str] = os.environ) -> WebParts:
    """For a web process. Raises ConfigTrouble with every mistake."""
    settings, keys, mapping = foundation("web", environ)
    _listen(settings, keys)
    known = clients.load(ROOT / settings.oauth.clients_file).at(settings.issuer)
    tokens, queue = Redis(settings.redis.tokens_url), Redis(settings.redis.queue_url)
    keyring, names = Keyring(keys["keyring"]), Pseudonyms(keys.one("index"))
    budget = SharedBudget(tokens, keys.role, settings.crm.requests_per_second)
    adapter = _adapter(settings, keys, mapping, tokens, budget)
    _require_identity_key(adapter, keys)
    amounts = vars(settings.limits)
    return WebParts(
        settings=settings,
        mapping=mapping,
        crm=Reader(adapter),
        capabilities=adapter.capabilities,
        budget=budget,
        tokens=tokens,
        queue=queue,
        clients=known,
        keyring=keyring,
        names=names,
        identity_keys=IdentityKeys(keys.one("identity")),
        subjects=Siv(keys.one("subject")),
        etags=Siv(*(key for _, key in keys["keyring"])),
        operation_key=Pseudonyms(*(key for _, key in keys["operation"])),
        record_key=Pseudonyms(keys.one("record")),
        id_token_key=keys.id_token_key(),
        passwords=Passwords(Keyring(keys["credential"])),
        scenes=Scenes(keys["link"], time.time),
        mailboxes=_mailboxes(settings, keys, queue, names, mapping),
        grants=_grants(settings, keys, tokens, keyring, names),
        challenges=Challenges(tokens, keyring, names),
        links=Links(tokens, keyring),
        sessions=Sessions(
            tokens,
            keyring,
            settings.oauth.browser_session_seconds,
            secure=settings.http.secure_cookies,
        ),
        used_assertions=UsedAssertions(tokens, names),
        devices=Devices(tokens, keyring, names),
        auth_sessions=AuthSessions(tokens, keyring),
        bff_sessions=BffSessions(tokens, keyring, settings.bff.session_seconds),
        limits=Limits(tokens, names, amounts),
        seen_events=SeenEvents(tokens, names),
        wechat_tokens=RemoteTokens(tokens, Keyring(keys["remote-web"]), names, "wx:"),
        clock=time.time,
    )


def worker_parts(environ: Mapping[str, str] = os.environ) -> DrainParts:
    """For a worker process. Raises ConfigTrouble with every mistake."""
    settings, keys, mapping = foundation("worker", environ)
    _listen(settings, keys)
    tokens, queue = Redis(settings.redis.tokens_url), Redis(settings.redis.queue_url, timeout=10)
    budget = SharedBudget(tokens, keys.role, settings.crm.requests_per_second)
    adapter = _adapter(settings, keys, mapping, tokens, budget)
    _require_identity_key(adapter, keys)
    return DrainParts(
        queue=queue,
        adapter=adapter,
        mapping=mapping,
        opener=Opener(keys["private"]),
        mac=Mac(keys["envelope"]),
        notifier=Notifier(dict(_gateways(settings))),
        check_value=shared_check(keys),
        replicas=settings.redis.queue_replicas,
        call_seconds=settings.crm.worker_timeout + settings.crm.connect_timeout,
    )


def _listen(settings: Settings, keys: Keys) -> None:
    """The process's log, and where its security events go."""
    log.setup(settings.log_level)
    to = settings.security_events
    names = Pseudonyms(keys.one("index"))
    security.setup(keys.role, names, to.url, to.token, to.ca_file or None)


def _require_identity_key(adapter: Adapter, keys: Keys) -> None:
    """Under another identity key nobody could sign in and everybody would register anew. A CRM
    that can't be asked, or refuses us, is the doctor's matter: it is no reason not to start."""
    try:
        check_row.require(adapter, IdentityKeys(keys.one("identity")))
    except check_row.OtherKey:
        adapter.close()
        raise ConfigTrouble([_NO_CHECK_ROW]) from None
    except CrmError as error:
        log.event("crm.check_row", logging.ERROR, code=error.code)


_NO_CHECK_ROW = (
    "keys.directory: the CRM doesn't hold the check row of this identity key. For a new CRM write "
    "it with `python -m bridge provision --check-row`; else bring the CRM's own key back"
)


def _gateways(settings: Settings) -> Iterator[tuple[str, Gateway]]:
    sandbox = settings.environment != "production"
    yield signing_out.CHANNEL, LogoutGateway(settings.egress, loopback=sandbox)
    for channel in ("sms", "mail"):
        of = getattr(settings.notify, channel)
        if of.kind == "http":
            yield channel, HttpGateway(url=of.url, channel=channel, token=of.token)
        elif of.kind == "smtp":
            yield (
                channel,
                SmtpGateway(of.host, of.port, of.sender, of.user, of.password, of.starttls),
            )


def foundation(
    role: Role, environ: Mapping[str, str] = os.environ
) -> tuple[Settings, Keys, CrmMapping]:
    """What everything else is made of. Raises ConfigTrouble with every mistake of all of it: a
    wrong setting doesn't hide a wrong file that another one names."""
    problems: list[str] = []
    settings = _collect(problems, lambda: load(role, environ))
    files = _Files(problems, locations(environ))
    mapping = files.read("crm.mapping", lambda path: load_mapping(ROOT / path))
    keys = files.read("keys.directory", lambda path: Keys(Path(path), role))
    known = None
    if role == "web":
        known = files.read("oauth.clients_file", lambda path: clients.load(ROOT / path))
    if settings is not None and known is not None:
        problems += _bff_secrets(settings, known) + _not_let_out(settings, known)
    if settings is not None:
        crm = settings.crm
        problems += registry.check_options(crm.adapter, crm.options, crm.credential)
        problems += _not_held(settings) if not problems else []
        problems += _no_claims(settings) if not problems else []
    if settings is not None and mapping is not None:
        problems += _not_in_profile(settings, mapping)
    if problems or settings is None or mapping is None or keys is None:
        raise ConfigTrouble(problems)
    return settings, keys, mapping


@dataclass(frozen=True)
class _Files:
    """The files that settings name; one that isn't named is the settings' own mistake."""

    problems: list[str]
    named: Mapping[str, str]

    def read(self, setting: str, make: Callable[[str], Any]) -> Any:
        """What is in it; None, and its mistakes among the problems, where it is wrong."""
        path = self.named.get(setting)
        return None if path is None else _collect(self.problems, lambda: make(path))


def _collect(problems: list[str], make: Callable[[], Any]) -> Any:
    try:
        return make()
    except (ConfigTrouble, MappingErrors, KeyTrouble, ClientTrouble) as trouble:
        problems += trouble.problems
        return None


def _bff_secrets(settings: Settings, known: Clients) -> list[str]:
    """The BFF is a client like any other: without its secret nobody could sign in at its site."""
    given = settings.bff.secrets
    return [
        f"bff.secrets: {client.client_id}: none, or not the one whose hash its client has"
        for client in known
        if client.bff and not client.secret_holds(given.get(client.client_id, ""))
    ]


def _not_held(settings: Settings, adapter: Adapter | None = None) -> list[str]:
    """What the deployment can't do without and its CRM can't do: by the adapter's class, or as
    its options leave it."""
    can = (adapter or registry.adapter_class(settings.crm.adapter)).capabilities
    held = can.as_dict()
    return [
        f"crm.requires: {name} is not held by {settings.crm.adapter}"
        for name in settings.crm.requires
        if held.get(name, "no") in (False, "no")
    ]


def _not_in_profile(settings: Settings, mapping: CrmMapping) -> list[str]:
    known = mapping.readable("member")
    return [
        f"profile.{part}: {name!r} is no field that a member can see and this CRM holds"
        for part in ("required", "wanted")
        for name in getattr(settings.profile, part)
        if name not in known
    ]


def _not_let_out(settings: Settings, known: Clients) -> list[str]:
    """The worker calls no host that isn't in `egress`, so such a client would never be told."""
    if settings.environment != "production":
        return []
    return [
        f"clients: {client.client_id}: the host of backchannel_logout_uri isn't in `egress`"
        for client in known
        if client.backchannel_logout_uri
        and not listed(client.backchannel_logout_uri, settings.egress)
    ]


def _no_claims(settings: Settings) -> list[str]:
    """A record is looked for by a person's number, which may stand in no URL."""
    hides = registry.adapter_class(settings.crm.adapter).capabilities.hides_values
    if hides or not settings.claims.enabled:
        return []
    return [f"claims.enabled: {settings.crm.adapter} would put numbers into URLs (hides_values)"]


def _adapter(
    settings: Settings, keys: Keys, mapping: CrmMapping, tokens: Redis, budget: SharedBudget
) -> Adapter:
    crm, role = settings.crm, keys.role
    ring, names = Keyring(keys[f"remote-{role}"]), Pseudonyms(keys.one("index"))
    remote = Remote(
        options=crm.options,
        credential=crm.credential,
        tokens=RemoteTokens(tokens, ring, names, f"crm:{role}:"),
        budget=budget,
        lane="interactive" if role == "web" else "writes",
        connect_timeout=crm.connect_timeout,
        read_timeout=crm.read_timeout if role == "web" else crm.worker_timeout,
    )
    adapter = registry.make(crm.adapter, mapping, remote)
    if problems := _not_held(settings, adapter):
        adapter.close()
        raise ConfigTrouble(problems)
    return adapter


def _mailboxes(
    settings: Settings, keys: Keys, queue: Redis, names: Pseudonyms, mapping: CrmMapping
) -> Mailboxes:
    return Mailboxes(
        queue,
        Sealer(keys["recipients"]),
        Mac(keys["envelope"]),
        names,
        mapping,
        replicas=settings.redis.queue_replicas,
        waiters=max(1, int(settings.http.threads * settings.http.wait_share)),
        check_value=shared_check(keys),
    )


def _grants(
    settings: Settings, keys: Keys, tokens: Redis, keyring: Keyring, names: Pseudonyms
) -> Grants:
    oauth = settings.oauth
    lives = Lives(
        oauth.code_seconds,
        oauth.access_token_seconds,
        oauth.refresh_idle_seconds,
        oauth.refresh_absolute_seconds,
    )
    cache: CallerCache[Caller] = CallerCache(tokens)
    return Grants(tokens, keyring, names, Mac(keys["refresh"]), lives, time.time, cache)


def shared_check(keys: Keys) -> str:
    """Names the keys for life that both roles must hold alike, without showing them. The envelope
    key isn't among them: `fit` itself is signed with it, and any that is held is honoured, so that
    it can be rotated without a gap."""
    identity = Pseudonyms(keys.one("identity")).check_value("identity")
    return Pseudonyms(keys.one("index")).of("shared-keys", identity)
