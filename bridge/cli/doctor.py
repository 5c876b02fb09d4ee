"""`doctor`: tries every connection of a role and says what to do about what fails.

Not for: repairing, or watching (that is /readyz and the log's alarms). It changes nothing, but for
the reader's try to write, which must be refused, and the writer's where that is asked for.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from adapters.errors import CrmError
from bridge.cli import crm_checks, key_checks, network_checks, redis_checks, remote_checks
from bridge.cli.check_config import mistakes
from bridge.cli.checks import Check, Sheet, failed, ok
from bridge.cli.redis_checks import WHERES, Look
from bridge.keys import Keys, Role
from bridge.parts import foundation, shared_check
from bridge.seal import Mac
from bridge.services.identities import IdentityKeys
from bridge.store import Redis, StoreDown
from bridge.writes.fit import Fit
from config.settings import Settings
from mappings.loader import Mapping as CrmMapping


def run(
    role: Role,
    as_json: bool,
    environ: Mapping[str, str] = os.environ,
    *,
    try_writes: bool = False,
) -> int:
    """0, or 1 where something failed. `try_writes`: make, change and remove an empty record in each
    of the CRM's tables, as the writer."""
    sheet = Sheet(role, as_json)
    if sheet.all(_configuration(role, environ)):
        settings, keys, mapping = foundation(role, environ)
        sheet.all(key_checks.checks(Path(settings.keys.directory), keys))
        sheet.all(_redis(role, settings, keys, environ))
        sheet.all(network_checks.network(role, settings))
        sheet.all(_crm(role, settings, keys, mapping, try_writes=try_writes))
        others = remote_checks.wechat if role == "web" else remote_checks.gateways
        sheet.all(others(settings))
    return sheet.end()


def _configuration(role: Role, environ: Mapping[str, str]) -> Iterator[Check]:
    found = mistakes(role, environ)
    yield from (failed("configuration", sentence) for sentence in found)
    if not found:
        yield ok("configuration", "no mistake in settings, mapping, keys, clients")


def _redis(
    role: Role, settings: Settings, keys: Keys, environ: Mapping[str, str]
) -> Iterator[Check]:
    urls = settings.redis.tokens_url, settings.redis.queue_url
    last: list[Check] = []
    for where, url in zip(WHERES, urls, strict=True):
        look = Look(role, where, url, environ.get(f"DOCTOR_{where.upper()}_URL", ""))
        last = []
        try:
            for check in look.checks():
                last.append(check)
                yield check
        finally:
            look.close()
    if last[0].state != "failed":  # the queue's first line: reachable
        yield _fit(role, settings, keys)


def _fit(role: Role, settings: Settings, keys: Keys) -> Check:
    queue = Redis(settings.redis.queue_url)
    try:
        fresh = Fit(queue, Mac(keys["envelope"]), shared_check(keys)).fresh()
        return redis_checks.fit(role, queue, fresh)
    except StoreDown:
        return failed("fit", "the queue's Redis refuses to be asked", "load deploy/redis/queue.acl")
    finally:
        queue.client.close()


def _crm(
    role: Role, settings: Settings, keys: Keys, mapping: CrmMapping, *, try_writes: bool
) -> Iterator[Check]:
    try:
        crm = crm_checks.connect(settings, mapping, role)
    except CrmError as error:
        yield failed(
            "CRM",
            f"the adapter can't be made ({error.remote_code or error.code})",
            "see crm.options",
        )
        return
    try:
        identity = IdentityKeys(keys.one("identity"))
        yield from crm_checks.checks(
            crm, mapping, role, identity, settings.crm.options, try_writes=try_writes
        )
    finally:
        crm.close()
