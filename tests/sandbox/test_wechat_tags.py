"""Tags, batches of users and the reset of quotas in the sandbox's WeChat, asked by wechatpy."""

import pytest
from wechatpy import WeChatClient
from wechatpy.exceptions import WeChatClientException

from tests.sandbox.wechat_driver import Caller


@pytest.fixture
def oa(start, http):
    """The account of a fresh sandbox, with 52 followers."""
    made = Caller(start("wechat")["wechat"], http)
    people = [{"name": f"Fan {n}", "follows": True} for n in range(52)]
    made.fans = [user["openid"] for user in made.control("seed", {"users": people})["result"]]
    return made


@pytest.fixture
def client(oa):
    """wechatpy's client, pointed at the sandbox."""
    token = oa.stable()["access_token"]
    made = WeChatClient(oa.ready["appid"], oa.ready["secret"], access_token=token)
    made.auto_retry = False
    made.API_BASE_URL = f"{oa.url}/cgi-bin/"
    return made


def refused(call, *given):
    """The errcode of a call that must fail."""
    with pytest.raises(WeChatClientException) as caught:
        call(*given)
    return caught.value.errcode


def test_a_tag_is_made_put_on_and_taken_off(oa, client):
    """Tags are counted, shown in user/info, and leave with the fan."""
    number = client.tag.create("金卡 gold")["id"]
    client.tag.update(number, "gold")
    client.tag.tag_user(number, oa.fans[:3])
    client.tag.untag_user(number, oa.fans[1])
    assert client.tag.get_tag_users(number)["data"]["openid"] == [oa.fans[0], oa.fans[2]]
    assert client.tag.get_tag_users(number, oa.fans[0])["data"]["openid"] == [oa.fans[2]]
    assert client.tag.get_user_tag(oa.fans[0]) == [number]
    assert client.user.get(oa.fans[0])["tagid_list"] == [number]
    assert client.tag.get() == [{"id": number, "name": "gold", "count": 2}]
    oa.control("callback", {"url": "http://127.0.0.1:9/"})
    oa.control("push", {"event": "unsubscribe", "openid": oa.fans[0]})
    assert client.tag.get()[0]["count"] == 1
    client.tag.delete(number)
    assert client.tag.get() == []


def test_the_limits_of_tags_are_told_by_number(oa, client):
    """Names, reserved and unknown ids, fans at once, tags of a fan and of an account."""
    number = client.tag.create("gold")["id"]
    assert refused(client.tag.create, "gold") == 45157
    assert refused(client.tag.create, "金" * 11) == 45158
    assert refused(client.tag.delete, 2) == 45058
    assert refused(client.tag.delete, 99) == 45159
    assert refused(client.tag.tag_user, number, oa.fans[:51]) == 40032
    assert refused(client.tag.tag_user, number, [oa.openid]) == 49003
    more = [client.tag.create(f"tag {n}")["id"] for n in range(99)]
    assert refused(client.tag.create, "one more") == 45056
    for each in more[:20]:
        client.tag.tag_user(each, oa.fans[0])
    assert refused(client.tag.tag_user, number, oa.fans[:2]) == 45059
    assert client.tag.get_user_tag(oa.fans[1]) == []


def test_users_come_in_batches_of_a_hundred(oa, client):
    """batchget tells of each as user/info does; over a hundred is 40032."""
    told = client.user.get_batch([oa.openid, oa.fans[0]])
    assert [user["subscribe"] for user in told] == [0, 1]
    assert refused(client.user.get_batch, oa.fans[:50] * 2 + [oa.fans[0]]) == 40032


def test_quotas_are_reset_ten_times_a_month(oa, client):
    """clear_quota gives the day's calls back; the eleventh in a month is 48006."""
    oa.control("clock", {"set": 1_800_000_000})
    oa.control("wechat/settings", {"quotas": {"/cgi-bin/qrcode/create": 1}})
    token = oa.stable()["access_token"]
    assert "ticket" in oa.qr()
    assert oa.qr()["errcode"] == 45009
    given = {"appid": oa.ready["appid"]}
    for _ in range(10):
        assert oa.call("/cgi-bin/clear_quota", given, token=token)["errcode"] == 0
    assert "ticket" in oa.qr()
    assert oa.call("/cgi-bin/clear_quota", given, token=token)["errcode"] == 48006
    assert oa.call("/cgi-bin/clear_quota", {"appid": "wx"}, token=token)["errcode"] == 40013
