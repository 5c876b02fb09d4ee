"""What only Dynamics does: credentials, tokens among processes, limits, cookies, long texts."""

import multiprocessing
import time
from pathlib import Path

import pytest

from adapters.base import Criterion, FreeBudget, Operation, Remote
from adapters.conformance.world import member, new_id
from adapters.errors import (
    BadCredentials,
    BadMapping,
    Invalid,
    Malformed,
    NotFound,
    Throttled,
    Unreachable,
)
from adapters.registry import make
from mappings.loader import load
from tests.conformance.conftest import DynamicsWorld, FileTokens

PROCESSES = 20


@pytest.fixture
def world(dataverse, tmp_path):
    """Empty."""
    return DynamicsWorld(dataverse, tmp_path)


def _read(options, credential, directory, id, start, results):
    remote = Remote(
        options, credential, FileTokens(Path(directory)), FreeBudget(), "now", read_timeout=15
    )
    crm = make("dynamics", DynamicsWorld.mapping, remote)
    start.wait()
    try:
        results.put(crm.get("member", id, ("given_name",)).record["given_name"])
    except Exception as error:
        results.put(type(error).__name__)


@pytest.mark.parametrize("expire", [False, True], ids=["no-token", "refused-token"])
def test_twenty_processes_one_token(world, tmp_path, expire):
    """20 processes without a good token make one token call between them."""
    crm = world.adapter()
    made = member(crm, given_name="Ann")
    if expire:
        world.expire_tokens()
    else:
        for kept in tmp_path.iterdir():
            kept.unlink()
    before = world.token_calls()
    context = multiprocessing.get_context("fork")
    start, results = context.Event(), context.Queue()
    given = (world.options, world.sandbox.ready["writer"], str(tmp_path), made.id, start, results)
    processes = [context.Process(target=_read, args=given) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    start.set()
    assert [results.get(timeout=30) for _ in processes] == ["Ann"] * PROCESSES
    for process in processes:
        process.join()
    assert world.token_calls() == before + 1


@pytest.mark.parametrize("kind", ["pfx", "pem"])
def test_certificates(world, kind, tmp_path):
    """A certificate is as good as a secret, as PFX file or PEM texts."""
    ready = world.sandbox.ready
    credential = {"client_id": ready["writer"]["client_id"]}
    if kind == "pfx":
        credential["pfx_path"] = ready["pfx_file"]
    else:
        credential["private_key"] = Path(ready["key_file"]).read_text()
        credential["certificate"] = Path(ready["certificate_file"]).read_text()
    before = world.token_calls()
    world.adapter(credential=credential).ping()
    assert world.token_calls() == before + 1


@pytest.mark.parametrize(
    "credential",
    [
        {"client_id": new_id(), "client_secret": "x"},
        {"client_id": new_id(), "pfx_path": "/no/such.pfx"},
        {"client_id": new_id(), "private_key": "no key", "certificate": "no certificate"},
    ],
)
def test_wrong_credentials(world, credential):
    """What the authority refuses, or what is no key, is BadCredentials."""
    with pytest.raises(BadCredentials) as caught:
        world.adapter(credential=credential).ping()
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_wrong_tenant(world):
    """A tenant that doesn't exist is BadCredentials, not an outage."""
    authority = world.options["url"]
    crm = world.adapter(options={**world.options, "authority": authority, "tenant": new_id()})
    with pytest.raises((BadCredentials, Malformed)):
        crm.ping()


def test_no_application_user(world):
    """A good token without an application user is BadCredentials with Dataverse's own code."""
    with pytest.raises(BadCredentials) as caught:
        world.adapter(credential=world.sandbox.ready["stranger"]).ping()
    assert caught.value.remote_code == "0x80072560"


def test_reader_may_not_write(world):
    """The reading user's write is refused by the CRM itself."""
    made = member(world.adapter(), given_name="Ann")
    reader = world.adapter(credential=world.sandbox.ready["reader"])
    assert reader.get("member", made.id, ("given_name",)).record == {"given_name": "Ann"}
    for write in (
        lambda: reader.create("member", new_id(), {}),
        lambda: reader.update("member", made.id, {"given_name": "x"}, made.version),
        lambda: reader.erase("member", made.id),
    ):
        with pytest.raises(BadCredentials) as caught:
            write()
        assert caught.value.remote_code == "0x80040220"


def test_real_limits(world):
    """The service protection limit's own answer is Throttled, and the budget is told."""
    crm = world.adapter()
    made = member(crm, given_name="Ann")
    world.sandbox.control("POST", "limits", {"requests": 3})
    with pytest.raises(Throttled) as caught:
        for _ in range(10):
            crm.get("member", made.id, ())
    assert caught.value.remote_code == "0x80072322"
    assert world.throttled_for == [caught.value.retry_after]


def test_throttled_inside_a_batch(world):
    """A change set that is throttled tells the budget too."""
    crm = world.adapter()
    crm.ping()
    world.fault("throttle", retry_after=9)
    with pytest.raises(Throttled):
        crm.apply([Operation("create", "member", new_id(), {})])
    assert world.throttled_for == [9]


def test_affinity_cookie_is_dropped(world):
    """Dataverse's affinity cookie is never sent back: it would pin us to one server."""
    crm = world.adapter()
    made = member(crm)
    for _ in range(2):
        crm.get("member", made.id, ())
        member(crm)
    assert not [request for request in world.seen() if "cookie" in request.headers]


def test_too_long(world):
    """A text over the column's length is Invalid, and nothing is written."""
    id = new_id()
    crm = world.adapter()
    with pytest.raises(Invalid) as caught:
        crm.create("member", id, {"given_name": "x" * 51})
    assert caught.value.remote_code == "0x80044331"
    with pytest.raises(NotFound):
        crm.get("member", id, ())


def test_wrong_mapping(world, tmp_path):
    """A column or a set that the CRM doesn't have is BadMapping for reads and writes."""
    text = (Path(__file__).parents[2] / "mappings" / "dynamics.yaml").read_text()
    made = member(world.adapter())
    for old, new in (("column: firstname", "column: firstnam"), ("set: contacts", "set: contact")):
        path = tmp_path / "m.yaml"
        path.write_text(text.replace(old, new))
        given = Remote(
            world.options, world.sandbox.ready["writer"], world.tokens, FreeBudget(), "now"
        )
        crm = make("dynamics", load(path), given)
        with pytest.raises(BadMapping):
            crm.get("member", made.id, ("given_name",))
        with pytest.raises(BadMapping):
            crm.create("member", new_id(), {"given_name": "x"})
        if old.startswith("set"):
            assert crm.describe().sets["contact"] == "contacts"
        else:
            assert "firstnam" not in crm.describe().tables["contact"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 500}, Malformed),
        ({"kind": "throttle", "retry_after": 3}, Throttled),
        ({"kind": "html"}, Malformed),
        ({"kind": "malformed"}, Malformed),
        ({"kind": "cut_before"}, Unreachable),
    ],
    ids=lambda given: given["kind"] if isinstance(given, dict) else "",
)
@pytest.mark.parametrize("place", ["well-known", "token"])
def test_trouble_at_the_authority(world, place, fault, error):
    """The authority in trouble is not a wrong credential: it may work later, and then does."""
    crm = world.adapter()
    rule = {"match": {"path_regex": place}, **fault}
    world.sandbox.control("POST", "faults", rule)
    with pytest.raises(error):
        crm.ping()
    crm.ping()


def test_slow_authority(world):
    """A slow authority doesn't hold a read longer than its time."""
    crm = world.adapter(read_timeout=1.0)
    rule = {"kind": "slow", "seconds": 3, "match": {"path_regex": "token"}}
    world.sandbox.control("POST", "faults", rule)
    began = time.monotonic()
    with pytest.raises(Exception) as caught:
        crm.ping()
    assert type(caught.value).__name__ == "TimedOut"
    assert time.monotonic() - began < 1.5
    while world.token_calls() < 1:
        time.sleep(0.05)  # so that it doesn't count in the next test


class Breaker(FreeBudget):
    """Notes how calls ended; refuses them once it is open."""

    def __init__(self):
        self.ended, self.open = [], False

    def take(self, lane):
        if self.open:
            raise Unreachable

    def done(self, ok, seconds):
        self.ended.append(ok)


def test_authority_down_opens_the_breaker(world):
    """A call that gets no token counts as failed; with the breaker open none is asked for."""
    breaker = Breaker()
    crm = world.adapter(budget=breaker)
    world.sandbox.control(
        "POST", "faults", {"kind": "cut_before", "match": {"path_regex": "known"}}
    )
    with pytest.raises(Unreachable):
        crm.ping()
    breaker.open = True
    with pytest.raises(Unreachable):
        crm.ping()
    assert (breaker.ended, world.token_calls()) == ([False], 0)


def test_a_wrong_credential_opens_no_breaker(world):
    """It is an operator's matter, and stays told as one."""
    breaker = Breaker()
    credential = {**world.sandbox.ready["writer"], "client_secret": "wrong"}
    crm = world.adapter(budget=breaker, credential=credential)
    with pytest.raises(BadCredentials):
        crm.ping()
    assert breaker.ended == [True]


def test_staff_merge_is_seen(world):
    """A merge by staff shows as an inactive record whose master is the one it became, from both
    ends."""
    crm = world.adapter()
    old, kept = member(crm), member(crm)
    sent = {"set": "contacts", "subordinate": old.id, "master": kept.id}
    world.sandbox.control("POST", "merge", sent)
    found = crm.get("member", old.id, ("state", "master"))
    assert found.record == {"state": "inactive", "master": kept.id}
    into = Criterion("master", "eq", kept.id), Criterion("state", "eq", "inactive")
    assert [row.id for row in crm.query("member", into, ("last_operations",)).rows] == [old.id]


@pytest.mark.parametrize(
    "stored",
    ["+8613800138000", "13800138000", "138 0013 8000", "+86 138 0013 8000", "86 13800138000"],
)
def test_a_number_is_found_as_staff_spelled_it(world, stored):
    """Dataverse compares texts; the bridge asks for one number's usual spellings at once, in a
    request body."""
    crm = world.adapter()
    made = member(crm, mobile=stored)
    if stored == "86 13800138000":  # nobody's usual one
        with pytest.raises(NotFound):
            crm.find("member", "mobile", "+8613800138000", ("mobile",))
        return
    found = crm.find("member", "mobile", "+8613800138000", ("mobile",))
    assert (found.id, found.record["mobile"]) == (made.id, "+8613800138000")
    assert not any("138" in each.target for each in world.seen() if not each.in_batch)
