"""Normal forms, ids and the way from a proven address to its member."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import FreeBudget, Remote
from adapters.memory import Memory
from bridge.services.identities import IdentityKeys, NotNormal, guess, normalise, resolve
from mappings.loader import load

KEYS = IdentityKeys(b"i" * 32)
MAPPING = load("mappings/memory.yaml")
MEMBER = "10000000-0000-4000-8000-000000000001"
OTHER = "10000000-0000-4000-8000-000000000002"
MOBILE = "+8613800138000"


@pytest.mark.parametrize(
    ("kind", "value", "normal"),
    [
        ("mobile", "138 0013 8000", MOBILE),
        ("mobile", "0086-138-0013-8000", MOBILE),
        ("mobile", "+86 (138) 0013.8000", MOBILE),
        ("mobile", "１３８００１３８０００", MOBILE),
        ("mobile", "+41 79 123 45 67", "+41791234567"),
        ("email", " Li.Wei@Example.COM ", "li.wei@example.com"),
        ("email", "li@Bücher.example", "li@xn--bcher-kva.example"),
        ("wechat_oa", "wx0123456789abcdef:oABC-123_x", "wx0123456789abcdef:oABC-123_x"),
        ("card", "ab12 3456-78", "AB12345678"),
    ],
)
def test_an_address_has_one_form(kind, value, normal):
    """However it is typed, the same address is the same text."""
    assert normalise(kind, value, "CN") == normal
    assert normalise(kind, normal, "CN") == normal


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("mobile", "12345"),
        ("mobile", "+86 10 6552 9988"),  # a landline
        ("mobile", "+8613800138000;ext=12"),
        ("mobile", "tel"),
        ("mobile", ""),
        ("email", "nobody"),
        ("email", "a@b"),
        ("email", "a..b@example.com"),
        ("email", "ä@example.com"),
        ("email", '"a b"@example.com'),
        ("email", "a@exa mple.com"),
        ("email", "a\n@example.com"),
        ("email", "x" * 65 + "@example.com"),
        ("email", "a@" + "x." * 60 + "com"),
        ("wechat_oa", "openid-alone"),
        ("card", "!"),
        ("passport", "X1"),
    ],
)
def test_what_is_no_address_is_refused_without_being_quoted(kind, value):
    """A refusal names the kind only."""
    with pytest.raises(NotNormal) as caught:
        normalise(kind, value, "CN")
    assert str(caught.value) == "not an address of this kind"


@given(st.text(max_size=60))
def test_any_text_has_a_form_that_is_its_own_form_or_none(text):
    """Whatever is typed, the answer is a fixed point or NotNormal; nothing else escapes."""
    for kind in ("mobile", "email", "card", "wechat_oa"):
        try:
            normal = normalise(kind, text, "CN")
        except NotNormal:
            continue
        assert normalise(kind, normal, "CN") == normal
        assert normal.isascii()


def test_a_sign_in_name_is_an_email_if_it_has_an_at():
    """One field takes both kinds."""
    assert guess("a@example.com", "CN") == ("email", "a@example.com")
    assert guess("13800138000", "CN") == ("mobile", MOBILE)


def test_ids_depend_on_key_kind_and_value_alone():
    """The same address gives the same id for life; another key or kind gives another."""
    assert KEYS.id("mobile", MOBILE) == IdentityKeys(b"i" * 32).id("mobile", MOBILE)
    others = {IdentityKeys(b"j" * 32).id("mobile", MOBILE), KEYS.id("email", MOBILE)}
    assert KEYS.id("mobile", MOBILE) not in others
    row, mac = KEYS.check_row()
    assert (row, mac) == IdentityKeys(b"i" * 32).check_row()
    assert (row, mac) != IdentityKeys(b"j" * 32).check_row()


@pytest.fixture
def crm():
    found = Memory(MAPPING, Remote({}, {}, None, FreeBudget(), "read"))
    for member in (MEMBER, OTHER):
        found.create("member", member, {"state": "active", "stamp": "s", "subject": member})
    return found


def bind(crm, member, text=None, mac=None):
    row = KEYS.id("mobile", MOBILE)
    text = member if text is None else text
    record = {"kind": "mobile", "value": MOBILE, "member": member, "member_text": text}
    crm.create("identity", row, record | {"mac": mac or KEYS.mac(row, text)})


def change(crm, kind, id, **changes):
    crm.update(kind, id, changes, crm.get(kind, id, ["last_operations"]).version)


def found(crm):
    answer = resolve(crm, KEYS, "mobile", MOBILE, ("given_name",))
    return answer and answer.member_id


def test_a_bound_address_finds_its_member(crm):
    """One read by key, with the member's fields."""
    bind(crm, MEMBER)
    assert found(crm) == MEMBER


def test_an_address_that_nobody_has_or_that_was_released_finds_nobody(crm):
    """A released row stays, with no member."""
    assert found(crm) is None
    bind(crm, MEMBER)
    change(crm, "identity", KEYS.id("mobile", MOBILE), member=None)
    assert found(crm) is None


def test_a_row_that_we_did_not_bind_signs_nobody_in(crm):
    """A row made or edited by hand has no MAC of ours for that member."""
    bind(crm, MEMBER, mac="A" * 22)
    assert found(crm) is None


def test_a_row_pointed_at_another_member_by_hand_is_not_honoured(crm):
    """The member under the MAC and the lookup differ, and no merge explains it."""
    bind(crm, OTHER, text=MEMBER)
    assert found(crm) is None
    change(crm, "member", MEMBER, state="inactive")
    assert found(crm) is None


def test_a_row_moved_by_a_merge_signs_in_the_surviving_member(crm):
    """Honoured only if the member under the MAC is inactive and its master is the row's member."""
    bind(crm, OTHER, text=MEMBER)
    change(crm, "member", MEMBER, master=OTHER)
    assert found(crm) is None
    change(crm, "member", MEMBER, state="inactive")
    assert found(crm) == OTHER


def test_an_inactive_member_is_not_signed_in(crm):
    """Deactivated in the CRM: no sign-in."""
    bind(crm, MEMBER)
    change(crm, "member", MEMBER, state="inactive")
    assert found(crm) is None
