"""Single lines of the doctor's checklist, where the whole line can't be brought into that state."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.base import Description
from adapters.errors import NotFound
from adapters.guide import Guide
from adapters.needs import needs
from bridge.cli import crm_checks, redis_checks, remote_checks
from bridge.cli.line import ROOT
from bridge.seal import Pseudonyms
from bridge.services.identities import IdentityKeys
from mappings.loader import load

MAPPING = load(ROOT / "mappings" / "memory.yaml")


@pytest.mark.parametrize(
    ("ahead", "state"),
    [(0.4, "ok"), (-1.9, "ok"), (2.1, "unsure"), (-59, "unsure"), (61, "failed"), (-900, "failed")],
)
def test_a_clock_is_judged_by_its_distance(ahead: float, state: str) -> None:
    """Over 2 s it is told, over a minute it is a failure, in both directions."""
    check = redis_checks.clock("some clock", ahead)

    assert check.state == state
    assert ("ahead" in check.what) is (ahead > 0)


@pytest.mark.parametrize(
    ("server", "version", "state"),
    [
        ("redis", "7.0.0", "ok"),
        ("redis", "6.2.14", "failed"),
        ("valkey", "7.2.5", "ok"),
        ("valkey", "8.1.0", "ok"),
        ("other", "1.0.0", "unsure"),
        ("redis", "", "unsure"),
    ],
)
def test_a_server_without_acl_selectors_is_refused(server: str, version: str, state: str) -> None:
    """Redis from 7.0, Valkey from 7.2."""
    assert redis_checks._version("x", server, version).state == state


class _Crm:
    """A CRM whose metadata are what the test says."""

    guide = Guide()

    def __init__(self, ahead: float | None) -> None:
        self._ahead = ahead

    def ping(self) -> None:
        pass

    def describe(self) -> Description:
        kinds = MAPPING.kinds.values()
        tables = {
            k.table: {k.id_column: "id"} | {f.column: "text" for f in k.fields.values()}
            for k in kinds
        }
        keys = {k.table: {key: (k.fields[n].column,) for n, key in k.keys.items()} for k in kinds}
        return Description(tables, keys, ahead=self._ahead)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        raise NotFound

    erase = get


@pytest.mark.parametrize(("ahead", "state"), [(None, "unsure"), (0.0, "ok"), (120.0, "failed")])
def test_the_crms_clock_is_compared_with_ours(ahead: float | None, state: str) -> None:
    """Two minutes are a failure; a CRM that doesn't tell its time is said to be one."""
    crm: Any = _Crm(ahead)
    found = {c.name: c for c in crm_checks.checks(crm, MAPPING, "worker", IdentityKeys(b"k" * 32))}

    assert found["CRM, clock"].state == state
    assert found["CRM, identity check row"].state == "failed"
    assert found["CRM, table member"].state == "ok"


def test_a_key_that_is_still_being_built_is_no_key() -> None:
    """An alternate key serves only once its index is active."""
    told = _Crm(None).describe()
    built = Description(told.tables, told.keys, inactive_keys={"member": {"subject": "Pending"}})

    trouble = {n.name: n.trouble for n in needs(MAPPING, Guide(), built) if n.what == "key"}

    assert trouble == {"subject": "is not active: Pending"}


def test_the_check_row_is_bound_to_the_identity_key() -> None:
    """Another key has another row, so that it can't be found by mistake."""
    one, other = IdentityKeys(b"a" * 32), IdentityKeys(b"b" * 32)

    assert one.check_row() != other.check_row()
    assert Pseudonyms(b"a" * 32).check_value("identity") not in one.check_row()


@contextmanager
def _smtp() -> Iterator[tuple[int, list[str]]]:
    """A mail server that agrees to everything and offers nothing."""
    heard: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer, peer.makefile("rw", newline="\r\n") as talk:
                talk.write("220 ready\r\n")
                talk.flush()
                for line in talk:
                    word = line.split()[0].upper()
                    heard.append(word)
                    talk.write("221 bye\r\n" if word == "QUIT" else "250 ok\r\n")
                    talk.flush()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], heard


def _mail(port: int, **changes: Any) -> Any:
    given = {
        "kind": "smtp", "host": "127.0.0.1", "port": port, "user": "", "password": "",
        "starttls": False,
    }  # fmt: skip
    mail = SimpleNamespace(**given | changes)
    sms = SimpleNamespace(kind="none")
    return SimpleNamespace(notify=SimpleNamespace(sms=sms, mail=mail))


def test_a_mail_server_is_greeted_and_sent_nothing() -> None:
    """EHLO and goodbye; no MAIL, RCPT or DATA. A channel without gateway is said to be one."""
    with _smtp() as (port, heard):
        sms, mail = remote_checks.gateways(_mail(port))

    assert (sms.state, mail.state) == ("unsure", "ok")
    assert set(heard) <= {"EHLO", "QUIT"}


def test_a_mail_server_without_tls_is_found() -> None:
    """STARTTLS that isn't offered is a failure, and the password isn't tried."""
    with _smtp() as (port, heard):
        _, mail = remote_checks.gateways(_mail(port, starttls=True, user="u", password="p-secret"))

    assert mail.state == "failed"
    assert "AUTH" not in heard
    assert "p-secret" not in mail.what + mail.do
