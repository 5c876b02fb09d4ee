"""The API of the sandbox's Official Account: tokens, quotas, codes, users, customer messages."""

import re

import pytest

from sandbox.kit.clock import Clock
from sandbox.wechat.errors import WeChatError
from sandbox.wechat.qrcodes import QrCodes
from sandbox.wechat.quotas import Quotas
from tests.sandbox.wechat_driver import Caller

RID = re.compile(r" rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$")
MINUTE, DAY = 60, 86400


@pytest.fixture
def oa(start, http):
    """The account of a fresh sandbox."""
    return Caller(start("wechat")["wechat"], http)


def follow(oa, user="Lin Muyu"):
    """Let a ready-made user follow, with all windows closed."""
    oa.control("callback", {"url": "http://127.0.0.1:9/"})
    oa.control("push", {"event": "subscribe", "user": user})
    oa.control("clock", {"advance": 2 * MINUTE})


def test_ready_tells_what_a_client_needs(oa):
    """What is printed at start has every published constant and every user's ids."""
    names = {"url", "appid", "secret", "token", "aes_key", "original_id", "users", "callback_url"}
    assert names <= set(oa.ready)
    assert len({user["openid"] for user in oa.ready["users"]}) == len(oa.ready["users"]) >= 3
    assert all(len(user["openid"]) == 28 for user in oa.ready["users"])


def test_errors_are_200_with_errcode_and_rid(oa):
    """A refused call is HTTP 200 with errcode and an errmsg that ends in a rid."""
    answer = oa.get("/cgi-bin/user/info", openid=oa.openid)
    assert answer.status_code == 200
    assert answer.json()["errcode"] == 41001
    assert RID.search(answer.json()["errmsg"])


@pytest.mark.parametrize(
    ("more", "errcode"),
    [
        ({"appid": "wx0000000000000000"}, 40013),
        ({"secret": "wrong"}, 40125),
        ({"appid": ""}, 41002),
        ({"secret": ""}, 41004),
        ({"grant_type": "password"}, 40002),
    ],
)
def test_wrong_credentials_are_named(oa, more, errcode):
    """Both token calls say which part of the credentials is wrong."""
    assert oa.stable(**more)["errcode"] == errcode
    assert oa.token(**more)["errcode"] == errcode


def test_a_stable_token_stays_until_five_minutes_before_its_end(oa):
    """stable_token repeats itself, and renews 5 min ahead while the old one still works."""
    first = oa.stable()
    assert first["expires_in"] == 7200
    assert oa.stable()["access_token"] == first["access_token"]
    oa.control("clock", {"advance": 7200 - 301 + 2})
    second = oa.stable()
    assert second["access_token"] != first["access_token"]
    for token in (first["access_token"], second["access_token"]):
        assert "errcode" not in oa.call("/cgi-bin/getcallbackip", token=token)


def test_a_forced_refresh_voids_the_old_token_and_is_rationed(oa):
    """force_refresh kills the old token at once; 30 s apart, 20 a day."""
    oa.control("clock", {"set": 1_800_000_000})  # 16:00 in Beijing: the day doesn't end meanwhile
    old = oa.stable()["access_token"]
    new = oa.stable(force_refresh=True)["access_token"]
    assert oa.call("/cgi-bin/getcallbackip", token=old)["errcode"] == 40001
    assert oa.call("/cgi-bin/getcallbackip", token=new)["ip_list"] == ["127.0.0.1"]
    assert oa.stable(force_refresh=True)["errcode"] == 45011
    for _ in range(19):
        oa.control("clock", {"advance": 31})
        assert "access_token" in oa.stable(force_refresh=True)
    oa.control("clock", {"advance": 31})
    assert oa.stable(force_refresh=True)["errcode"] == 45009
    oa.control("clock", {"advance": DAY})
    assert "access_token" in oa.stable(force_refresh=True)


def test_a_new_plain_token_ends_the_old_one_after_five_minutes(oa):
    """`token` is new at every call; the one before works for five more minutes, then is 40001."""
    old, new = oa.token()["access_token"], oa.token()["access_token"]
    assert old != new
    oa.control("clock", {"advance": 299})
    assert "ip_list" in oa.call("/cgi-bin/getcallbackip", token=old)
    oa.control("clock", {"advance": 2})
    assert oa.call("/cgi-bin/getcallbackip", token=old)["errcode"] == 40001
    assert "ip_list" in oa.call("/cgi-bin/getcallbackip", token=new)


def test_the_two_kinds_of_token_do_not_touch(oa):
    """Fetching plain tokens leaves the stable one alone, and the other way round."""
    stable, plain = oa.stable()["access_token"], oa.token()["access_token"]
    oa.token()
    oa.control("clock", {"advance": 301})
    assert "ip_list" in oa.call("/cgi-bin/getcallbackip", token=stable)
    plain = oa.token()["access_token"]
    oa.stable(force_refresh=True)
    assert "ip_list" in oa.call("/cgi-bin/getcallbackip", token=plain)


def test_bad_tokens_are_told_apart(oa):
    """Malformed is 40014, unknown and revoked 40001, past its time 42001."""
    token = oa.stable()["access_token"]
    assert oa.call("/cgi-bin/getcallbackip", token="short")["errcode"] == 40014
    assert oa.call("/cgi-bin/getcallbackip", token="x" * 150)["errcode"] == 40001
    oa.control("wechat/tokens", {"act": "expire"})
    assert oa.call("/cgi-bin/getcallbackip", token=token)["errcode"] == 42001
    token = oa.stable()["access_token"]
    oa.control("clock", {"advance": 7201})
    assert oa.call("/cgi-bin/getcallbackip", token=token)["errcode"] == 42001
    token = oa.stable()["access_token"]
    oa.control("wechat/tokens", {"act": "revoke"})
    assert oa.call("/cgi-bin/getcallbackip", token=token)["errcode"] == 40001


def test_the_console_can_close_the_door(oa):
    """IP whitelist, frozen secret and missing permission are 40164, 40243 and 48001."""
    token = oa.stable()["access_token"]
    oa.control("wechat/settings", {"ip_whitelist": ["203.0.113.7"]})
    refused = oa.stable()
    assert refused["errcode"] == 40164
    assert refused["errmsg"].startswith("invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in white")
    assert "ip_list" in oa.call("/cgi-bin/getcallbackip", token=token)
    mini = {"appid": oa.ready["mini_appid"], "secret": oa.ready["mini_secret"]}
    mini_token = oa.stable(**mini)["access_token"]  # mini programs have no whitelist
    oa.control("wechat/settings", {"ip_whitelist": ["127.0.0.1"], "secret_frozen": True})
    assert oa.stable()["errcode"] == 40243
    oa.control("wechat/settings", {"unauthorized": ["/cgi-bin/getcallbackip"]})
    assert oa.call("/cgi-bin/getcallbackip", token=token)["errcode"] == 48001
    assert oa.call("/cgi-bin/user/info", token=mini_token, openid=oa.openid)["errcode"] == 48001


def test_daily_quotas_end_with_the_day_in_beijing(oa):
    """A path over its daily number is 45009 until midnight in Beijing."""
    oa.control("clock", {"set": 1_800_000_000})  # 2027-01-15 16:00 in Beijing
    oa.control("wechat/settings", {"quotas": {"/cgi-bin/qrcode/create": 2}})
    assert "ticket" in oa.qr()
    assert "ticket" in oa.qr()
    assert oa.qr()["errcode"] == 45009
    oa.control("clock", {"advance": 8 * 3600})
    assert "ticket" in oa.qr()


def test_wrong_settings_change_nothing(oa):
    """A setting that doesn't exist or opens the door to forgers is refused."""
    for wrong in ({"tokne": "x"}, {"token": ""}, {"aes_key": "short"}, {"push_mode": "clear"}):
        answer = oa.http.post(f"{oa.url}/_sandbox/wechat/settings", json=wrong)
        assert answer.status_code == 400
    assert oa.get("/_sandbox/state").json()["account"]["token"] == oa.ready["token"]


def test_errcodes_can_be_injected_by_path(oa):
    """The kit's fault menu speaks WeChat: any errcode, for any path, with a rid."""
    rule = {"kind": "status", "status": 200, "code": "-1"}
    oa.control("faults", rule | {"match": {"path_prefix": "/cgi-bin/getcallbackip"}})
    refused = oa.call("/cgi-bin/getcallbackip")
    assert refused["errcode"] == -1
    assert RID.search(refused["errmsg"])
    assert "ip_list" in oa.call("/cgi-bin/getcallbackip")


def test_what_is_not_played_fails_loudly(oa):
    """An unknown path is 501 with an errcode; a wrong method is 43001 or 43002."""
    answer = oa.get("/cgi-bin/menu/get", access_token=oa.stable()["access_token"])
    assert (answer.status_code, answer.json()["errcode"]) == (501, 40066)
    assert oa.get("/cgi-bin/qrcode/create").json()["errcode"] == 43002
    posted = oa.http.post(f"{oa.url}/cgi-bin/user/info", json={})
    assert posted.json()["errcode"] == 43001


def test_a_body_must_be_a_json_object(oa):
    """An empty body is 44002; one that isn't a JSON object is 47001."""
    url = f"{oa.url}/cgi-bin/qrcode/create?access_token={oa.stable()['access_token']}"
    for body, errcode in ((b"", 44002), (b"{", 47001), (b"[]", 47001), (b"\xff", 47001)):
        assert oa.http.post(url, data=body).json()["errcode"] == errcode


def test_the_four_kinds_of_code(oa):
    """Temporary codes tell their seconds (60 by default), permanent ones don't."""
    for kind, scene, temporary in (
        ("QR_SCENE", {"scene_id": 4294967295}, True),
        ("QR_STR_SCENE", {"scene_str": "s" * 64}, True),
        ("QR_LIMIT_SCENE", {"scene_id": 100000}, False),
        ("QR_LIMIT_STR_SCENE", {"scene_str": "st01"}, False),
    ):
        document = {"action_name": kind, "action_info": {"scene": scene}}
        made = oa.call("/cgi-bin/qrcode/create", document)
        assert made["url"].startswith("http://weixin.qq.com/q/")
        assert made.get("expire_seconds") == (60 if temporary else None)


@pytest.mark.parametrize(
    ("document", "errcode"),
    [
        ({"action_name": "QR_SCENES", "action_info": {"scene": {"scene_id": 1}}}, 40052),
        ({"action_name": "QR_SCENE"}, 40053),
        ({"action_name": "QR_SCENE", "action_info": {"scene": {"scene_str": "a"}}}, 40053),
        ({"action_name": "QR_SCENE", "action_info": {"scene": {"scene_id": 0}}}, 40053),
        ({"action_name": "QR_SCENE", "action_info": {"scene": {"scene_id": True}}}, 40053),
        ({"action_name": "QR_LIMIT_SCENE", "action_info": {"scene": {"scene_id": 100001}}}, 40053),
        ({"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "a" * 65}}}, 40053),
        ({"action_name": "QR_LIMIT_STR_SCENE", "action_info": {"scene": {"scene_str": ""}}}, 40053),
        (
            {
                "action_name": "QR_SCENE",
                "action_info": {"scene": {"scene_id": 1}},
                "expire_seconds": 2592001,
            },
            40035,
        ),
    ],
)
def test_scenes_have_limits(oa, document, errcode):
    """Kinds, scene values and lengths of life outside WeChat's limits are refused."""
    assert oa.call("/cgi-bin/qrcode/create", document)["errcode"] == errcode


def test_permanent_codes_are_a_hundred_thousand_in_all():
    """The 100,001st permanent code is refused, while temporary ones still come."""
    codes = QrCodes(Clock())
    for number in range(100_000):
        codes.create(number, None)
    with pytest.raises(WeChatError) as caught:
        codes.create("one more", None)
    assert caught.value.errcode == 45029
    assert codes.lives(codes.create("temporary", 60))


def test_quotas_of_a_minute_and_of_a_day_are_told_apart():
    """Over the minute's number is 45011 until the next minute; over the day's 45009."""
    clock = Clock()
    clock.set(1_800_000_000)
    quotas = Quotas(clock)

    def charged():
        try:
            quotas.charge("call", 3, a_minute=2)
        except WeChatError as error:
            return error.errcode
        return 0

    assert [charged() for _ in range(3)] == [0, 0, 45011]
    clock.advance(MINUTE)
    assert [charged() for _ in range(2)] == [0, 45009]


def test_a_ticket_shows_its_image_until_it_ends(oa):
    """showqrcode gives image bytes for a quoted ticket; 404 for a raw, wrong or ended one."""
    made = oa.qr(expire_seconds=30)
    image = oa.get("/cgi-bin/showqrcode", ticket=made["ticket"])
    width, height = image.content[16:20], image.content[20:24]
    assert image.content.startswith(b"\x89PNG") and width == height
    raw = oa.http.get(f"{oa.url}/cgi-bin/showqrcode?ticket={made['ticket']}")
    assert raw.status_code == 404
    assert oa.get("/cgi-bin/showqrcode", ticket="gQxxx").status_code == 404
    oa.control("clock", {"advance": 31})
    assert oa.get("/cgi-bin/showqrcode", ticket=made["ticket"]).status_code == 404


def test_user_info_is_for_followers(oa):
    """Of somebody who doesn't follow only that is told; of a follower no name; 40003 for others."""
    assert oa.call("/cgi-bin/user/info", openid=oa.openid) == {
        "subscribe": 0,
        "openid": oa.openid,
    }
    follow(oa)
    told = oa.call("/cgi-bin/user/info", openid=oa.openid)
    assert told["subscribe"] == 1
    assert told["unionid"] == oa.ready["users"][0]["unionid"]
    assert "nickname" not in told
    assert told["subscribe_scene"] == "ADD_SCENE_SEARCH"
    mini = oa.ready["users"][0]["mini_openid"]
    assert oa.call("/cgi-bin/user/info", openid=mini)["errcode"] == 40003


@pytest.mark.parametrize("trigger", ["follow", "scan", "menu"])
def test_a_minute_window_takes_three(oa, trigger):
    """Following, scanning and a menu click each allow 3 messages within one minute."""
    follow(oa)
    assert oa.say() == 45015
    oa.control("wechat/window", {"openid": oa.openid, "trigger": trigger})
    assert [oa.say() for _ in range(4)] == [0, 0, 0, 45047]
    oa.control("wechat/window", {"openid": oa.openid, "trigger": trigger})
    oa.control("clock", {"advance": MINUTE + 1})
    assert oa.say() == 45015


def test_a_message_of_theirs_allows_five_in_two_days(oa):
    """A user's message allows 5 within 48 hours; a payment any number; unfollowing none."""
    follow(oa)
    oa.control("wechat/window", {"openid": oa.openid, "trigger": "message"})
    oa.control("clock", {"advance": 2 * DAY - 10})
    assert [oa.say() for _ in range(6)] == [0, 0, 0, 0, 0, 45047]
    oa.control("clock", {"advance": 11})
    assert oa.say() == 45015
    oa.control("wechat/window", {"openid": oa.openid, "trigger": "payment"})
    assert {oa.say() for _ in range(10)} == {0}
    oa.control("push", {"event": "unsubscribe", "openid": oa.openid})
    assert oa.say() == 45015


def test_windows_are_separate_and_the_shortest_is_spent_first(oa):
    """Two open windows add up; the one that ends first is used first."""
    follow(oa)
    for trigger in ("message", "scan"):
        oa.control("wechat/window", {"openid": oa.openid, "trigger": trigger})
    assert [oa.say() for _ in range(3)] == [0, 0, 0]
    oa.control("clock", {"advance": MINUTE + 1})
    assert [oa.say() for _ in range(6)] == [0, 0, 0, 0, 0, 45047]


def test_a_message_to_a_stranger_is_refused(oa):
    """An openid of another account is 40003 before any window is looked at."""
    assert oa.say(openid=oa.ready["users"][0]["mini_openid"]) == 40003


@pytest.mark.parametrize(
    ("msgtype", "content", "errcode"),
    [
        ("text", {"content": ""}, 44004),
        ("text", {"content": "字" * 683}, 45002),
        ("news", {"articles": [{"title": "a", "url": "u"}] * 2}, 45008),
        ("news", {"articles": [{"title": "a", "url": "https://example.com"}]}, 0),
        ("msgmenu", {"head_content": "?", "list": [{"id": "1", "content": "是"}]}, 0),
        ("msgmenu", {"head_content": "?", "list": []}, 44004),
        ("image", {"media_id": "nobody-uploaded-this"}, 40007),
        (
            "miniprogrampage",
            {
                "title": "t",
                "appid": "wx1",
                "pagepath": "p",
                "thumb_media_id": "published-sandbox-thumb-media-id",
            },
            0,
        ),
        ("hologram", {}, 40008),
    ],
)
def test_message_types_are_checked_and_a_bad_one_spends_nothing(oa, msgtype, content, errcode):
    """Each type's needs are checked; what is refused reaches nobody and costs no quota."""
    follow(oa)
    oa.control("wechat/window", {"openid": oa.openid, "trigger": "scan"})
    document = {"touser": oa.openid, "msgtype": msgtype, msgtype: content}
    assert oa.call("/cgi-bin/message/custom/send", document)["errcode"] == errcode
    good = 0 if errcode else 1
    received = [entry for entry in oa.inbox() if entry["via"] == "custom"]
    assert [entry["content"] for entry in received] == [content] * good
    assert [oa.say() for _ in range(4)].count(0) == 3 - good


def test_the_ticket_of_the_js_sdk_is_kept(oa):
    """getticket gives one ticket for its time, and refuses unknown types."""
    first = oa.call("/cgi-bin/ticket/getticket", type="jsapi")
    assert (first["errcode"], first["expires_in"]) == (0, 7200)
    assert oa.call("/cgi-bin/ticket/getticket", type="jsapi")["ticket"] == first["ticket"]
    assert oa.call("/cgi-bin/ticket/getticket", type="x")["errcode"] == 40035


def test_reset_and_seed(oa):
    """A seed adds users; a reset forgets everything but where the callback is."""
    follow(oa)
    seeded = oa.control("seed", {"users": [{"name": "Qin Ruo", "follows": True}]})["result"]
    told = oa.call("/cgi-bin/user/info", openid=seeded[0]["openid"])
    assert told["unionid"] == seeded[0]["unionid"]
    for taken in ({"name": "Qin Ruo"}, {"name": "Qin Yi", "openid": oa.openid}):
        answer = oa.http.post(f"{oa.url}/_sandbox/seed", json={"users": [taken]})
        assert answer.status_code == 400
    oa.control("reset", {})
    assert oa.call("/cgi-bin/user/info", openid=seeded[0]["openid"])["errcode"] == 40003
    assert oa.call("/cgi-bin/user/info", openid=oa.openid)["subscribe"] == 0
    assert oa.get("/_sandbox/callback").json()["url"] == "http://127.0.0.1:9/"
