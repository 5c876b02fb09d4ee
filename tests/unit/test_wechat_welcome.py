"""What a follower is told, by what was scanned."""

from types import SimpleNamespace

import pytest

from bridge.services import traces
from bridge.services.scenes import Scene, Scenes
from bridge.wechat import welcome

SCENES = Scenes([("k1", b"k" * 32)], lambda: 1_780_000_000.0)
BRAND = SimpleNamespace(
    name={"zh-CN": "山岚时计", "en": "Shanlan"},
    stores={"SH001": {"zh-CN": "上海店", "en": "Shanghai"}, "BJ001": {"zh-CN": "北京店"}},
)
TRACE = traces.fresh()


def told(event: str, key: str, brand=BRAND) -> str | None:
    decision = welcome.decide(event, key, SCENES, brand.stores, TRACE)
    return welcome.message(decision, SCENES, brand, "https://members.example")


@pytest.mark.parametrize(("event", "prefix"), [("subscribe", "qrscene_"), ("SCAN", "")])
def test_a_store_s_code_gives_the_store_s_welcome(event, prefix) -> None:
    """Following by a store's code and scanning it later both name the store in both languages and
    give a link that carries the scene and the trace."""
    words = told(event, prefix + SCENES.write(Scene("SH001", "spring26")))

    assert words is not None
    assert "欢迎来到山岚时计 上海店！" in words
    assert "Welcome to Shanlan Shanghai!" in words
    token = words.split("https://members.example/register?s=")[1].split('"')[0]
    scene, trace = SCENES.open_link(token)
    assert scene.codes == "SH001.spring26"
    assert traces.trace_id(trace or "") == traces.trace_id(TRACE)


@pytest.mark.parametrize(
    "key",
    ["", "qrscene_SH001", "last_trade_no_4006", "qrscene_" + SCENES.write(Scene("XX999")),
     "qrscene_" + Scenes([("k", b"x" * 32)], lambda: 0.0).write(Scene("SH001"))],
    ids=["search", "made by hand", "after a payment", "unknown store", "another's key"],
)  # fmt: skip
def test_anything_else_gets_the_general_welcome(key) -> None:
    """Without a scene of ours that names a store of ours, the link carries nothing."""
    words = told("subscribe", key)

    assert words is not None
    assert "欢迎来到山岚时计！" in words
    assert 'href="https://members.example/register"' in words


@pytest.mark.parametrize("event", ["unsubscribe", "LOCATION", "CLICK", "scan", "", "new_event"])
def test_other_events_are_only_acknowledged(event) -> None:
    """What we have no words for is not answered with words."""
    assert told(event, SCENES.write(Scene("SH001"))) is None


def test_a_brand_of_one_language_says_it_in_one() -> None:
    """A language without a brand name isn't spoken; a store without a name in one isn't named."""
    brand = SimpleNamespace(name={"en": "Shanlan"}, stores=BRAND.stores)

    words = told("SCAN", SCENES.write(Scene("BJ001")), brand)

    assert words is not None
    assert words.startswith("Welcome to Shanlan!\n")
    assert "欢迎" not in words


def test_a_welcome_fits_into_a_message() -> None:
    """WeChat cuts a text at 2048 bytes; the longest codes and a long address stay under it."""
    brand = SimpleNamespace(name={"zh-CN": "名" * 40, "en": "n" * 80}, stores={"S" * 20: {}})
    key = SCENES.write(Scene("S" * 20, "c" * 18, "h" * 9))

    decision = welcome.decide("SCAN", key, SCENES, brand.stores, TRACE)
    words = welcome.message(decision, SCENES, brand, "https://" + "m" * 100 + ".example")

    assert len((words or "").encode()) < 2048
