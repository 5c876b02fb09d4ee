"""The privacy scan over a line on this machine. Not for: what is looked for and how (privacy)."""

from collections.abc import Iterable

import redis

from bridge.cli.embedded import ROLES
from bridge.cli.journey import Journey
from bridge.cli.line import Line
from bridge.privacy import Canary, Scan, places


def scan_line(journey: Journey) -> Scan:
    """Everything that the line's processes may have left, for the journey's member."""
    found = Scan(canaries_of(journey))
    look(found, journey.line)
    found.look(places.addresses(each["path"] for each in journey.crm_requests()))
    return found


def canaries_of(journey: Journey) -> Iterable[Canary]:
    """The member's values, and the WeChat identity that goes with them."""
    values = journey.member.canaries() | {"openid": journey.follower["openid"]}
    yield from (Canary(name, value) for name, value in values.items())


def look(scan: Scan, line: Line) -> None:
    """Both Redis roles, their files, every log, and the bridge's processes."""
    assert line.redis is not None  # noqa: S101 - a running line has it
    for role in ROLES:
        client = redis.Redis.from_url(line.redis.url(role, "doctor"))
        try:
            scan.look(places.redis_contents(role, client))
        finally:
            client.close()
    scan.look(places.files([line.redis.directory]))
    scan.look(places.files(path for path in line.logs() if path.stem != "sandbox"))
    scan.look(places.processes(line.pids()))
