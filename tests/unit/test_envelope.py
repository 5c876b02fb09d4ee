"""Sealed writes: what they bind, what they hide, what the worker refuses to read."""

import datetime
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import Operation
from bridge.seal import b64, pack, unb64
from bridge.writes.envelope import Unreadable, open_, parse, seal
from bridge.writes.write import Base, Write, notice
from tests.support.writes import MAPPING, TRACE, Keys

KEYS = Keys()
BOX = "w" + "x" * 22
OP = "o" * 22
MEMBER = "11111111-1111-1111-1111-111111111111"


def edit(record: dict[str, Any], **more: Any) -> Write:
    operations = (Operation("update", "member", MEMBER, record, more.pop("version", None)),)
    given = {"op": OP, "accepted_at": 1700000000.5, "trace": TRACE} | more
    return Write(verb="update", operations=operations, **given)


def sealed(write: Write, box: str = BOX) -> str:
    return seal(write, box, "owner", KEYS.sealer, KEYS.mac, MAPPING)


def opened(text: str, box: str = BOX) -> Write:
    return open_(parse(text, KEYS.mac), box, KEYS.opener, MAPPING)


def sealed_by_a_stranger(content: Any, **header: Any) -> str:
    """As the holder of the web tier's keys could make it, with any content."""
    clear = b64(
        json.dumps(
            {"v": "v1", "kid": "k1", "op": OP, "mb": BOX, "ow": "o", "verb": "update"}
            | {"at": 1.0, "by": None, "tp": ""}
            | header
        ).encode()
    )
    body = KEYS.sealer.seal(pack("bridge/envelope", "v1", clear), json.dumps(content).encode())
    text = f"v1.{clear}.{b64(body.body)}"
    return f"{text}.{KEYS.mac.sign(text.encode())}"


def test_a_write_comes_out_as_it_went_in() -> None:
    """Every type of field, None and the brand's own survive, with versions and times."""
    record = {
        "given_name": "美",
        "birth_date": datetime.date(1990, 2, 28),
        "points": Decimal("12.50"),
        "member_since": datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC),
        "email": None,
        "ext": {"favourite_model": "X1"},
    }
    for base in (None, "p" * 22, Base('W/"1"', ("a", "b"))):
        write = edit(record, based_on=base, start_by=1700000009.0, version="7")
        assert opened(sealed(write)) == write


def test_a_notice_comes_out_as_it_went_in() -> None:
    """Channel, address, text and subject are sealed like a record."""
    write = notice(OP, "mail", "a@example.com", "code", now=1.0, start_by=2.0, subject="s")
    text = sealed(write)
    assert opened(text) == write


def test_nothing_of_a_record_is_in_the_clear() -> None:
    """Neither text nor header of an envelope holds a value, and its size is one of a few."""
    sizes = set()
    for name in ("Zhang", "Zhang" * 9):
        text = sealed(edit({"given_name": name}))
        _, header, body, _ = text.split(".")
        assert name.encode() not in unb64(header) + unb64(body)
        assert MEMBER.encode() not in unb64(header) + unb64(body)
        sizes.add(len(body))
    assert len(sizes) == 1


def test_what_the_kind_does_not_have_is_not_sealed() -> None:
    """A field that would be lost silently is a mistake of ours, found before sealing."""
    with pytest.raises(ValueError, match="doesn't have"):
        sealed(edit({"nickname": "x"}))


def test_an_envelope_belongs_to_its_mailbox() -> None:
    """Moved into another mailbox it doesn't open."""
    with pytest.raises(Unreadable):
        opened(sealed(edit({"given_name": "Mei"})), "w" + "y" * 22)


@pytest.mark.parametrize("name", ["op", "mb", "ow", "verb", "at", "by", "tp", "kid"])
def test_each_field_of_the_header_is_bound(name: str) -> None:
    """A changed header doesn't open, even under a right signature."""
    version, header, body, _ = sealed(edit({"given_name": "Mei"})).split(".")
    content = json.loads(unb64(header))
    content[name] = {"verb": "apply", "at": 2.0, "by": 9e9}.get(name, "z" + str(content[name])[1:])
    text = f"{version}.{b64(json.dumps(content, separators=(',', ':')).encode())}.{body}"
    box = content["mb"]
    with pytest.raises(Unreadable):
        opened(f"{text}.{KEYS.mac.sign(text.encode())}", box)


def test_an_envelope_without_the_web_tiers_signature_is_refused() -> None:
    """Who has only the public key can't make a write."""
    text = sealed(edit({"given_name": "Mei"})).rpartition(".")[0]
    with pytest.raises(Unreadable):
        opened(f"{text}.{Keys().mac.sign(text.encode())}")


GOOD = {"verb": "update", "kind": "member", "id": MEMBER, "record": {}, "version": None}


@pytest.mark.parametrize(
    ("verb", "content"),
    [
        ("update", {"ops": [GOOD | {"record": {"nickname": "x"}}]}),
        ("update", {"ops": [GOOD | {"record": {"birth_date": "31/12/99"}}]}),
        ("update", {"ops": [GOOD | {"record": {"given_name": "x" * 51}}]}),
        ("update", {"ops": [GOOD | {"record": []}]}),
        ("update", {"ops": [GOOD | {"kind": "systemuser"}]}),
        ("update", {"ops": [GOOD | {"id": "contacts(1)/x"}]}),
        ("update", {"ops": [GOOD | {"verb": "run"}]}),
        ("update", {"ops": [GOOD | {"version": 1}]}),
        ("update", {"ops": [GOOD, GOOD]}),
        ("update", {"ops": [GOOD | {"verb": "create"}]}),
        ("update", {"ops": []}),
        ("update", {"ops": [GOOD], "notice": {"channel": "sms"}}),
        ("erase", {"ops": [GOOD]}),
        ("erase", {"ops": [GOOD | {"verb": "erase", "kind": "identity"}]}),
        ("create", {"ops": [GOOD]}),
        ("apply", {"ops": []}),
        ("notice", {"ops": [GOOD], "notice": None}),
        ("notice", {"ops": [], "notice": {"channel": "sms", "to": 1, "text": "", "subject": ""}}),
        ("notice", {"ops": [], "notice": None}),
        ("update", {"ops": [GOOD], "base": {"version": "1"}}),
        ("update", []),
        ("update", None),
        ("update", {}),
    ],
)
def test_what_was_opened_is_checked_like_a_strangers(verb: str, content: Any) -> None:
    """A rightly sealed and signed envelope whose content isn't a write is not one."""
    whole = {"base": None, "notice": None} | content if isinstance(content, dict) else content
    with pytest.raises(Unreadable):
        opened(sealed_by_a_stranger(whole, verb=verb))


@given(st.text())
def test_parsing_never_fails_otherwise(text: str) -> None:
    """Whatever stands in a mailbox is read or Unreadable."""
    try:
        parse(text, KEYS.mac)
    except Unreadable:
        return
    raise AssertionError("an envelope out of thin air")


@given(st.dictionaries(st.sampled_from(["v", "op", "verb", "at", "by", "mb", "x"]), st.text()))
def test_headers_of_any_shape_are_survived(header: dict[str, str]) -> None:
    """A header that is JSON and no header of ours is Unreadable."""
    with pytest.raises(Unreadable):
        parse(f"v1.{b64(json.dumps(header).encode())}.AAAA.AAAA", KEYS.mac)


def test_a_repr_shows_nothing() -> None:
    """Writes and envelopes say nothing of what they hold."""
    write = edit({"given_name": "Zhang"})
    shown = repr(write) + repr(parse(sealed(write), KEYS.mac))
    assert "Zhang" not in shown
