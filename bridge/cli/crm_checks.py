"""The doctor's look at the CRM: credential, user, clock, mapped tables, and the reader's limits.

It uses a token of its own, fetched now: a token that waits in the shared cache would hide that the
secret is wrong. Not for: any one CRM; what to do about its codes is in its adapter's `Guide`.
"""

import uuid
from collections.abc import Iterator
from collections.abc import Mapping as Dict
from typing import Any

from adapters import registry
from adapters.base import Adapter, FreeBudget, Remote
from adapters.errors import BadCredentials, CrmError, NotFound, Refused
from adapters.needs import Need, needs
from bridge.cli.checks import Check, failed, ok, unsure
from bridge.cli.redis_checks import clock
from bridge.keys import Role
from bridge.services import check_row
from bridge.services.identities import IdentityKeys
from config.settings import Settings
from mappings.loader import Mapping


class OwnTokens:
    """A TokenCache that keeps a token in this process only."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[str, float]] = {}

    def get(self, name: str) -> tuple[str, float] | None:
        """What `put` was given; a command doesn't outlive a token."""
        return self._held.get(name)

    def put(self, name: str, token: str, seconds: float) -> None:
        """Keep it."""
        self._held[name] = token, seconds

    def single_flight(self, name: str, seconds: float) -> "_Alone":
        """There is nobody else."""
        return _Alone()


class _Alone:
    def __enter__(self) -> bool:
        return True

    def __exit__(self, *exc: object) -> None:
        return None


def remote(settings: Settings, credential: Dict[str, str], seconds: float = 0.0) -> Remote:
    """The CRM as this user, outside budget and shared tokens. `seconds`: for a call, where a
    worker's would be too short."""
    crm = settings.crm
    return Remote(
        options=crm.options,
        credential=credential,
        tokens=OwnTokens(),
        budget=FreeBudget(),
        lane="doctor",
        connect_timeout=crm.connect_timeout,
        read_timeout=seconds or crm.worker_timeout,
    )


def connect(settings: Settings, mapping: Mapping, role: Role) -> Adapter:
    """This role's CRM user. Raises CrmError."""
    crm = settings.crm
    return registry.make(crm.adapter, mapping, remote(settings, crm.credential))


def checks(
    crm: Adapter,
    mapping: Mapping,
    role: Role,
    keys: IdentityKeys,
    options: Dict[str, Any] | None = None,
    *,
    try_writes: bool = False,
) -> Iterator[Check]:
    """All of them; only the first where the credential or the way there is wrong."""
    first = _signed_in(crm)
    yield first
    if first.state != "ok":
        return
    try:
        found = crm.describe()
    except CrmError as error:
        yield _failure(crm, "CRM, tables", error)
        return
    if found.ahead is None:
        yield unsure("CRM, clock", "its answers don't say the time")
    else:
        yield clock("CRM, clock", found.ahead)
    yield from _fitting(list(needs(mapping, crm.guide, found, options)))
    yield from _readable(crm, mapping)
    yield _row(crm, keys)
    if role == "web":
        yield from _cannot_write(crm, mapping)
    elif try_writes:
        yield from _can_write(crm, mapping)
    else:
        yield from _can_erase(crm, mapping)


def _signed_in(crm: Adapter) -> Check:
    try:
        crm.ping()
    except CrmError as error:
        return _failure(crm, "CRM, user", error)
    return ok("CRM, user", "token fetched, and the CRM knows its user")


def _failure(crm: Adapter, name: str, error: CrmError) -> Check:
    """In the error's own constant words."""
    advice = crm.guide.advice
    code = f" ({error.remote_code})" if error.remote_code else ""
    return failed(name, f"{error.code}{code}", advice.get(error.remote_code, "")
                  or advice.get(error.code, ""))  # fmt: skip


def _fitting(listed: list[Need]) -> Iterator[Check]:
    for table in dict.fromkeys(need.table for need in listed):
        own = [need for need in listed if need.table == table]
        wrong = [need for need in own if need.trouble]
        if not wrong:
            count = sum(need.what == "column" for need in own)
            said = f"{count} columns, their types, lengths and options, keys, relationships"
            yield ok(f"CRM, table {table}", said)
        elif own[0].trouble == "missing":
            yield _wrong(own[0])
        else:
            yield from map(_wrong, wrong)


def _wrong(need: Need) -> Check:
    name = f"CRM, {need.what} {need.name}"
    if need.what != "table":
        name += f" of {need.table}"
    made = " ".join(filter(None, (need.type, f"({need.detail})" if need.detail else "")))
    field = f"{need.field}: " if need.field else ""
    return failed(name, need.trouble, f"{field}make it {made}, or change the mapping".strip())


def _readable(crm: Adapter, mapping: Mapping) -> Iterator[Check]:
    """Reading every mapped column of a record that isn't there tells whether we may."""
    for kind in mapping.kinds.values():
        name = f"CRM, reading {kind.table}"
        try:
            crm.get(kind.kind, str(uuid.uuid4()), tuple(kind.fields))
        except NotFound:
            yield ok(name, "allowed, with every mapped column")
        except CrmError as error:
            yield _failure(crm, name, error)
        else:
            yield unsure(name, "a random id found a record")


def _row(crm: Adapter, keys: IdentityKeys) -> Check:
    name = "CRM, identity check row"
    try:
        now = check_row.state(crm, keys)
    except CrmError as error:
        return _failure(crm, name, error)
    if now == "found":
        return ok(name, "this CRM's identities were made with our identity key")
    if now == "missing":
        do = "on the worker's host, once for each CRM: `python -m bridge provision --check-row`; "
        return failed(name, "not found", f"{do}if that was done, this is another identity key")
    return failed(name, "it isn't ours", "somebody wrote to it in the CRM: find out who and why")


def _cannot_write(crm: Adapter, mapping: Mapping) -> Iterator[Check]:
    """By trying: an empty record under a random id, which is removed if it was made."""
    for kind in mapping.kinds.values():
        name, id = f"CRM, the reader can't write {kind.table}", str(uuid.uuid4())
        try:
            crm.create(kind.kind, id, {})
        except BadCredentials:
            yield ok(name, "a create was refused for want of the privilege")
        except Refused as error:
            do = "take every privilege but read from the reading user's role"
            yield failed(name, f"refused only for its content ({error.code})", do)
        except CrmError as error:
            yield unsure(name, f"couldn't be tried ({error.code})")
        else:
            yield failed(name, f"it can; {_removed(crm, kind.kind, id)}",
                         "take every privilege but read from the reading user's role")  # fmt: skip


def _can_erase(crm: Adapter, mapping: Mapping) -> Iterator[Check]:
    """Of what the writer may do, removing is tried on a record that isn't there: a CRM that looks
    for the privilege first says so."""
    for kind in mapping.kinds.values():
        name = f"CRM, the writer may remove from {kind.table}"
        try:
            crm.erase(kind.kind, str(uuid.uuid4()))
        except NotFound:
            do = "once, `doctor --role worker --try-writes` tries all of it with an empty record"
            yield ok(name, f"not refused; {do}")
        except CrmError as error:
            yield _failure(crm, name, error)


def _can_write(crm: Adapter, mapping: Mapping) -> Iterator[Check]:
    """Make, change and remove an empty record. Its values are no person's."""
    for kind in mapping.kinds.values():
        name, id, doing = f"CRM, the writer and {kind.table}", str(uuid.uuid4()), "making"
        try:
            made = crm.create(kind.kind, id, {})
            doing = "reading back"
            version = made.version or crm.get(kind.kind, id, ()).version
            doing = "changing"
            crm.update(kind.kind, id, {}, version)
            doing = "removing"
            crm.erase(kind.kind, id)
        except CrmError as error:
            left = "" if doing == "making" else f"; {_removed(crm, kind.kind, id)}"
            check = _failure(crm, name, error)
            yield failed(name, f"{doing} a record: {check.what}{left}", check.do)
        else:
            yield ok(name, "an empty record was made, changed and removed")


def _removed(crm: Adapter, kind: str, id: str) -> str:
    try:
        crm.erase(kind, id)
    except CrmError:
        return f"the empty {kind} {id} is left behind, remove it in the CRM"
    return "the empty record was removed again"
