"""What the CRM and Redis hold right now, as tables for people. Not for: judging it (the scanner).

A Redis key is shown by its prefix, type, time to live, bytes, and who can open it; never by its
content.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import redis

from bridge.cli.line import Line
from bridge.store.prefixes import RQ_FOREVER, prefix_of

Row = tuple[str, ...]
REDIS_HEAD: Row = ("role", "prefix", "keys", "type", "TTL", "bytes", "what", "who can open it")


def redis_rows(line: Line) -> list[Row]:
    """One row for each prefix that has keys now, over both roles."""
    assert line.redis is not None  # noqa: S101 - a running line has it
    rows: list[Row] = []
    for role in ("tokens", "queue"):
        client = redis.Redis.from_url(line.redis.url(role, "doctor"))  # type: ignore[arg-type]
        try:
            rows += sorted(_role(role, client))
        finally:
            client.close()
    return rows


def _role(role: str, client: redis.Redis) -> Iterator[Row]:
    held: dict[str, list[tuple[str, int, int]]] = {}
    for key in client.scan_iter(count=500):
        known = prefix_of(key.decode())
        name = known.name if known else "?"
        fact = (client.type(key).decode(), client.ttl(key), client.memory_usage(key) or 0)
        held.setdefault(name, []).append(fact)
    for name, facts in held.items():
        known = prefix_of(name)
        kinds, lives = {fact[0] for fact in facts}, [fact[1] for fact in facts]
        yield (
            role,
            name,
            str(len(facts)),
            "/".join(sorted(kinds)),
            _life(lives),
            str(sum(fact[2] for fact in facts)),
            known.what if known else "NOT ON THE LIST",
            known.opens if known else "?",
        )


def _life(lives: list[int]) -> str:
    if max(lives) < 0:
        return "none"
    return f"{max(lives)} s" + (" or none" if min(lives) < 0 else "")


def keys_without_end(client: redis.Redis) -> list[str]:
    """Prefixes of keys that have no TTL although their line of the list gives one."""
    found = set()
    for key in client.scan_iter(count=500):
        known = prefix_of(key.decode())
        endless = key.decode().startswith(RQ_FOREVER)
        if known and known.ttl is not None and not endless and client.ttl(key) == -1:
            found.add(known.name)
    return sorted(found)


def crm_lines(tables: Mapping[str, list[Mapping[str, Any]]]) -> Iterator[str]:
    """Each row of the CRM that a member's journey made, its empty columns left out."""
    for table in ("contacts", "cb_identities", "cb_consents"):
        for row in tables.get(table, []):
            shown = {name: value for name, value in row.items() if _worth(name, value)}
            yield f"{table}: " + ", ".join(f"{k}={_short(v)}" for k, v in shown.items())


def _worth(name: str, value: Any) -> bool:
    dull = ("createdon", "modifiedon", "statuscode", "statecode", "versionnumber", "ownerid")
    return value not in (None, "", False) and not name.startswith(("@", "_own", "donot", *dull))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 36 else f"{text[:16]}… ({len(text)} characters)"


def table(head: Row, rows: Iterable[Row]) -> Iterator[str]:
    """Columns of even width."""
    body = list(rows)
    widths = [max(len(row[i]) for row in (head, *body)) for i in range(len(head))]
    for row in (head, tuple("-" * width for width in widths), *body):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
