"""The whole line, a member for each test, and the privacy scan after each.

A test marked `every_crm` runs once on each CRM that the sandbox plays, one line after the other;
all others run on the first. HTTP in, the CRM's sandbox over TLS out, two real servers under the
shipped ACL, real worker processes; no mocks. Every value of every member so far is looked for after
every test, wherever the bridge may have left it.
"""

import itertools
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests

from bridge.cli import holdings
from bridge.cli.journey import Journey, Member
from bridge.cli.line import CRM, Line, crms
from bridge.privacy import Canary, Scan, places
from tests.flows.on_the_line.crm import Crm

_numbers = itertools.count(1)
_OVERLAP = 4096

ROOMY = {
    "BRIDGE_LIMITS__CODES_PER_ADDRESS": "1000",
    "BRIDGE_LIMITS__CODES_PER_NETWORK": "100000",
    "BRIDGE_LIMITS__SIGN_INS_PER_IDENTIFIER": "1000",
    "BRIDGE_LIMITS__SIGN_INS_PER_NETWORK": "100000",
    "BRIDGE_LIMITS__REGISTRATIONS_PER_NETWORK": "100000",
}
"""All tests come from one address."""


class Watch:
    """Looks for every member's values in whatever the line has written since the last look."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.canaries: list[Canary] = []
        self.strays: list[str] = []
        self._read: dict[Path, int] = {}
        self._asked = 0

    def plant(self, journey: Journey) -> None:
        """Look for this member's values from now on."""
        openid = journey.follower["openid"]
        values = journey.member.canaries() | {"openid": openid}
        self.canaries += [Canary(name, value) for name, value in values.items()]

    def findings(self) -> list[str]:
        """One sentence for each value that rests somewhere."""
        scan = Scan(self.canaries)
        assert self.line.redis is not None
        for role in ("tokens", "queue"):
            client = redis.Redis.from_url(self.line.redis.url(role, "doctor"))
            scan.look(places.redis_contents(role, client))
            self.strays += [f"{role} Redis, {stray}" for stray in holdings.strays(client)]
            client.close()
        scan.look(self._new_bytes())
        scan.look(places.addresses(self._new_addresses()))
        scan.look(places.processes(self.line.pids()))
        assert scan.pieces > 20  # an empty look would find nothing too
        return [f"{finding.field} in {finding.place}" for finding in sorted(scan.findings)]

    def _new_bytes(self) -> Iterator[places.Piece]:
        assert self.line.redis is not None
        kept = [path for path in self.line.redis.directory.rglob("*") if path.is_file()]
        logs = [path for path in self.line.logs() if path.stem != "sandbox"]
        for path in (*kept, *logs):
            known = self._read.get(path, 0)
            start = max(0, known - _OVERLAP) if path.stat().st_size >= known else 0
            with path.open("rb") as file:
                file.seek(start)
                data = file.read()
            self._read[path] = start + len(data)
            yield f"file {path.name}", data

    def _new_addresses(self) -> Iterator[str]:
        crm = self.line.crm
        url = f"{crm['url']}/_sandbox/requests?since={self._asked}"
        answer = requests.get(url, verify=crm["ca_file"], timeout=10).json()["requests"]
        self._asked = max((each["n"] for each in answer), default=self._asked)
        # What stood in a batch stood in a body, where no log of URLs looks.
        yield from (each["path"] for each in answer if not each["in_batch"])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A line for each CRM, where the test says that it holds on each."""
    if "line" in metafunc.fixturenames:
        every = metafunc.definition.get_closest_marker("every_crm")
        metafunc.parametrize("line", crms() if every else [CRM], indirect=True, scope="session")


@pytest.fixture(scope="session")
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    with Line(crm=request.param, overrides=ROOMY) as running:
        yield running


@pytest.fixture(scope="session")
def watch(line: Line) -> Watch:
    return Watch(line)


@pytest.fixture(autouse=True)
def _nothing_personal_rests(watch: Watch) -> Iterator[None]:
    """After each test: no value of any member so far rests on our side, and Redis holds no key
    that isn't on the closed list, or that has no end without a reason."""
    yield
    assert watch.findings() == []
    assert watch.strays == []


@pytest.fixture
def crm(line: Line) -> Iterator[Crm]:
    """The CRM's control plane; its faults are gone after the test."""
    plane = Crm(line)
    yield plane
    plane.calm()


def new_member() -> Member:
    """Made up and unlike any other."""
    n = next(_numbers)
    mark = secrets.token_hex(3)
    return Member(
        given_name=f"晓明{mark}",
        family_name=f"欧阳{mark}",
        email=f"member.{n}.{mark}@example.cn",
        mobile=f"+86139{secrets.randbelow(10**8):08d}",
        birth_date=f"19{60 + n % 35}-0{1 + n % 9}-{10 + n % 18}",
        password=f"shanlan-{secrets.token_urlsafe(9)}",
        edited_name=f"晓鸣{mark}改",
    )


def journey_of(line: Line, watch: Watch) -> Journey:
    """A new member's way, with a WeChat user of their own."""
    journey = Journey(line, new_member())
    openid = "o" + secrets.token_urlsafe(21).replace("-", "x").replace("_", "y")[:27]
    seed = {"users": [{"name": openid[-8:], "openid": openid}]}
    url = f"{line.sandbox['wechat']['url']}/_sandbox/seed"
    assert requests.post(url, json=seed, timeout=10).status_code == 200
    journey.follower = {"name": openid[-8:], "openid": openid}
    watch.plant(journey)
    return journey


def forget_codes(line: Line) -> None:
    """As if the minute between two codes to one number had passed."""
    assert line.redis is not None
    listing = redis.Redis.from_url(line.redis.url("tokens", "doctor"))
    web = redis.Redis.from_url(line.redis.url("tokens", "web"))
    for key in listing.scan_iter("otp:to:*"):
        web.delete(key)


@pytest.fixture
def journey(line: Line, watch: Watch) -> Journey:
    """Nothing has happened yet."""
    return journey_of(line, watch)


@pytest.fixture
def member(journey: Journey) -> Journey:
    """Registered through the pages without WeChat, and signed in."""
    journey.phone = journey.desktop()
    journey.phone.get(f"{journey.line.url}/register")
    journey.prove_mobile()
    journey.give_details()
    journey.sign_in()
    return journey
