"""A queue server under the shipped ACL, a web side and a worker side of writes, and a CRM on disk.

Not for: HTTP. `World` is what the tests of writes work with.
"""

import multiprocessing
import secrets
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from adapters.base import Operation
from bridge import worker
from bridge.cli.embedded import Embedded
from bridge.seal import Mac, Opener, Pseudonyms, Sealer
from bridge.store import Redis
from bridge.writes.claim import Claimer
from bridge.writes.drain import DrainParts, drain
from bridge.writes.fit import FitKeeper
from bridge.writes.mailbox import Accepted, Mailboxes
from bridge.writes.write import Outcome, Write, operation_id
from mappings.loader import load
from tests.support.crm_on_disk import CrmOnDisk

ROOT = Path(__file__).parents[2]
ADMIN = "user admin on nopass allchannels allkeys +@all"
MAPPING = load(ROOT / "mappings" / "memory.yaml")
TRACE = "00-" + "a1" * 16 + "-" + "b2" * 8 + "-01"
OWNER = "owner-hash"


class Outbox:
    """A notifier that keeps what it was given, in a file, so that processes share it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def send(self, channel: str, to: str, text: str, *, subject: str, key: str) -> None:
        with self.path.open("a") as file:
            file.write(f"{channel} {key}\n")

    def sent(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []


class Keys:
    """One set of keys, both roles'."""

    def __init__(self) -> None:
        private = X25519PrivateKey.generate()
        raw = serialization.Encoding.Raw, serialization.PrivateFormat.Raw
        self.private = private.private_bytes(*raw, serialization.NoEncryption())
        self.sealer = Sealer([("k1", private.public_key().public_bytes_raw())])
        self.opener = Opener([("k1", self.private)])
        self.mac = Mac([("m1", secrets.token_bytes(32))])
        self.names = Pseudonyms(secrets.token_bytes(32))
        self.operation = Pseudonyms(secrets.token_bytes(32))


class World:
    """One test's: its own servers, CRM and keys."""

    def __init__(self, servers: Embedded, **mailboxes: Any) -> None:
        self.servers = servers
        self.directory = Path(tempfile.mkdtemp(prefix="bridge-writes-"))
        self.keys = Keys()
        self.crm = CrmOnDisk(self.directory / "crm", MAPPING)
        self.outbox = Outbox(self.directory / "outbox")
        self.admin = Redis(f"redis://admin:x@127.0.0.1:{servers.servers['queue'].port}/0")
        self.admin.do("FLUSHALL")
        self.web_redis = Redis(servers.url("queue", "web"))
        self.parts = self.make_parts()
        self.web = self.make_web(**mailboxes)
        self.keeper = FitKeeper(self.parts.queue, self.keys.mac)
        self.keeper.renew()
        self.workers: list[ForkProcess] = []

    def make_web(self, **more: Any) -> Mailboxes:
        keys = self.keys
        return Mailboxes(self.web_redis, keys.sealer, keys.mac, keys.names, MAPPING, **more)

    def make_parts(self, **more: Any) -> DrainParts:
        """As a worker process would make them."""
        return DrainParts(
            queue=Redis(self.servers.url("queue", "worker")),
            adapter=self.crm,
            mapping=MAPPING,
            opener=self.keys.opener,
            mac=self.keys.mac,
            notifier=self.outbox,
            **more,
        )

    # -- the web side --

    def op(self, name: str | None = None) -> str:
        key = name or secrets.token_hex(8)
        return operation_id(self.keys.operation, "client", "principal", "route", key)

    def edit(self, member: str, record: dict[str, Any], **more: Any) -> Write:
        operations = (Operation("update", "member", member, record),)
        return self.write("update", *operations, **more)

    def write(self, verb: Any, *operations: Operation, **more: Any) -> Write:
        given = {"op": self.op(), "accepted_at": time.time(), "trace": TRACE} | more
        return Write(verb=verb, operations=operations, **given)

    def accept(self, write: Write, member: str, fingerprint: str = "f") -> Accepted:
        box = self.web.member_mailbox(member)
        return self.web.accept(write, mailbox=box, owner=OWNER, fingerprint=fingerprint)

    def outcome(self, write: Write) -> Outcome | None:
        return self.web.outcome(write.op, OWNER)

    def member(self, **record: Any) -> str:
        """A member in the CRM."""
        id = str(uuid.uuid4())
        self.crm.seed("member", id, {"given_name": "Wei", "state": "active"} | record)
        return id

    # -- the worker side, step by step in this process --

    def claim(self, lane: str = "now") -> list[tuple[str, int]]:
        """Claim what is due; the wake-ups are taken from RQ's queue, and gone."""
        claimer = Claimer(self.parts.queue, lane)
        claimer.claim()
        jobs = claimer._rq.jobs
        claimer._rq.empty()
        return [(job.args[0], job.args[1]) for job in jobs]

    def work(self, lane: str = "now", parts: DrainParts | None = None) -> int:
        """Claim and drain once; gives how many mailboxes had a turn."""
        turns = self.claim(lane)
        for mailbox, turn in turns:
            drain(parts or self.parts, mailbox, turn)
        return len(turns)

    def due_now(self) -> None:
        """Let the time pass that a back-off or a pause would take."""
        for lane in ("now", "bulk", "notify"):
            self.admin.do("DEL", f"pause:{lane}", "op:paused")
            for name in self.admin.do("ZRANGE", f"due:{lane}", 0, -1):
                self.admin.do("ZADD", f"due:{lane}", 0, name)

    # -- the worker side, as real processes --

    def start(self, *lanes: str) -> ForkProcess:
        """A supervisor with one process per lane; gives the supervisor."""
        context = multiprocessing.get_context("fork")
        process = context.Process(target=worker.run, args=(self.make_parts, lanes or ("now",)))
        process.start()
        self.workers.append(process)
        return process

    def start_lane(self, lane: str = "now") -> ForkProcess:
        """One lane's process alone."""
        context = multiprocessing.get_context("fork")
        process = context.Process(target=worker.serve, args=(self.make_parts, lane))
        process.start()
        self.workers.append(process)
        return process

    def close(self) -> None:
        self.web.close()
        for process in self.workers:
            if process.is_alive():
                process.terminate()
                process.join(5)
                if process.is_alive():
                    process.kill()
                    process.join()
        shutil.rmtree(self.directory, ignore_errors=True)


def eventually(check: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What `check` gives once it is true. Raises AssertionError after `seconds`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it didn't happen in time")
