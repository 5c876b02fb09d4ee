"""The callback's signatures and encryption, by WeChat's published numbers and by wechatpy."""

import base64
from types import SimpleNamespace

import pytest
from wechatpy.crypto import WeChatCrypto

from bridge.errors import Problem
from bridge.wechat import callbacks, crypto
from bridge.wechat.channel import Channel
from bridge.wechat.crypto import Forged

# The worked examples of "Message push" (developers.weixin.qq.com, message-push.html).
TOKEN, KEY, APPID = "AAAAA", "A" * 43, "wxba5fad812f8e6fb9"
RAW_KEY = crypto.key_of(KEY)
ENCRYPT = (
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJG"
    "QqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrf"
    "MZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgR"
    "tWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
)
PUSHED = (
    '{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY",'
    '"CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}'
)
REPLY = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="


def channel(clock: float, **account: str) -> SimpleNamespace:
    kept = {"token": TOKEN, "appid": APPID, "original_id": "gh_97417a04a28d"}
    return SimpleNamespace(
        account=SimpleNamespace(**kept | account),
        aes_keys=(RAW_KEY,),
        clock=lambda: clock,
        scenes=None,
        brand=SimpleNamespace(stores={}),
        seen=SimpleNamespace(first=lambda *given: None),
        issuer="https://members.example",
    )


URL_CHECK = {
    "signature": "f464b24fc39322e44b38aa78f5edd27bd1441696",
    "timestamp": "1714036504",
    "nonce": "1514711492",
    "echostr": "4375120948345356249",
}
PUSH = {
    "signature": "6c5c811b55cc85e0e1b54100749188c20beb3f5d",
    "msg_signature": "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
    "encrypt_type": "aes",
    "timestamp": "1714112445",
    "nonce": "415670741",
}
BODY = f'{{"ToUserName":"gh_97417a04a28d","Encrypt":"{ENCRYPT}"}}'.encode()


def test_the_published_url_check_passes() -> None:
    """The echostr of WeChat's example comes back alone."""
    assert callbacks.verify(channel(1714036504), URL_CHECK) == URL_CHECK["echostr"]


@pytest.mark.parametrize(
    "change",
    [{"signature": ""}, {"nonce": "1"}, {"timestamp": "1714036505"}, {"echostr": "<b>"}],
    ids=["no signature", "nonce", "timestamp", "markup to echo"],
)
def test_a_changed_url_check_is_refused(change) -> None:
    """Nothing is echoed unless token, timestamp and nonce are the signed ones."""
    with pytest.raises(Problem):
        callbacks.verify(channel(1714036504), URL_CHECK | change)


def test_the_published_push_is_answered() -> None:
    """WeChat's example of a JSON push in safe mode opens; an event that we don't know is
    acknowledged."""
    assert callbacks.hear(channel(1714112445), PUSH, BODY, "00-0").text == "success"


@pytest.mark.parametrize(
    ("change", "late"),
    [
        ({"msg_signature": PUSH["signature"]}, 0),
        ({"msg_signature": ""}, 0),
        ({"nonce": "415670742"}, 0),
        ({"encrypt_type": "raw"}, 0),
        ({"encrypt_type": ""}, 0),
        ({}, callbacks.WINDOW + 1),
        ({}, -callbacks.WINDOW - 1),
    ],
    ids=["plain signature", "none", "nonce", "raw", "plain mode", "stale", "from the future"],
)
def test_the_published_push_with_a_change_is_refused(change, late) -> None:
    """The plain signature, another nonce, plain mode and a stale timestamp are each refused."""
    with pytest.raises(Problem) as caught:
        callbacks.hear(channel(1714112445 + late), PUSH | change, BODY, "00-0")

    assert caught.value.type == "forbidden"


def test_a_push_to_another_account_is_refused() -> None:
    """A message whose ToUserName isn't our account is refused even with our keys."""
    with pytest.raises(Problem):
        callbacks.hear(channel(1714112445, original_id="gh_other"), PUSH, BODY, "00-0")


def test_the_published_push_opens_and_seals() -> None:
    """Ciphertext and message of WeChat's example, both ways."""
    assert crypto.decrypt([RAW_KEY], APPID, ENCRYPT) == (PUSHED, RAW_KEY)
    assert crypto.encrypt(RAW_KEY, APPID, PUSHED, b"a8eedb185eb2fecf") == ENCRYPT


def test_the_published_reply_is_sealed_as_published() -> None:
    """Ciphertext and signature of WeChat's example of a reply."""
    encrypted = crypto.encrypt(RAW_KEY, APPID, '{"demo_resp":"good luck"}', b"707722b803182950")

    assert encrypted == REPLY
    signed = crypto.sign(TOKEN, "1713424427", "415670741", encrypted)
    assert signed == "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"


@pytest.mark.parametrize("length", [0, 1, 3, 10, 11, 12, 400])
def test_wechatpy_opens_what_we_seal(length) -> None:
    """Whatever the padding's length, a client that isn't ours reads the reply."""
    message = "序" * length
    encrypted = crypto.encrypt(RAW_KEY, APPID, message)
    signature = crypto.sign(TOKEN, "1", "2", encrypted)
    judge = WeChatCrypto(TOKEN, KEY, APPID)

    assert judge.decrypt_message({"Encrypt": encrypted}, signature, "1", "2") == message
    assert crypto.decrypt([RAW_KEY], APPID, encrypted).text == message


def test_the_previous_key_still_opens() -> None:
    """After a rotation both keys are tried, and the one that opened is named for the reply."""
    new = crypto.key_of("B" * 43)

    assert crypto.decrypt([new, RAW_KEY], APPID, ENCRYPT).key == RAW_KEY


def _flipped(place: int) -> str:
    raw = bytearray(base64.b64decode(ENCRYPT))
    raw[place] ^= 1
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "encrypted", ["", "%%%", "AAAA", ENCRYPT[:-44], ENCRYPT[::-1], _flipped(-1), _flipped(18)]
)
def test_what_is_not_ours_is_forged(encrypted) -> None:
    """Nothing that this key didn't make is half read, whatever breaks first."""
    with pytest.raises(Forged):
        crypto.decrypt([RAW_KEY], APPID, encrypted)


def test_a_message_for_another_appid_is_forged() -> None:
    """A right key with a wrong appid opens nothing."""
    with pytest.raises(Forged):
        crypto.decrypt([RAW_KEY], "wx0000000000000000", ENCRYPT)


def test_a_signature_outside_ascii_is_refused_calmly() -> None:
    """A signature with any characters at all is Forged, not an error of the comparison."""
    with pytest.raises(Forged):
        crypto.check("é" * 40, TOKEN, "1", "2")


@pytest.mark.parametrize("keys", [("", ""), ("A" * 42, ""), ("!" * 43, ""), (KEY, "A" * 42)])
def test_a_key_that_is_none_is_seen_at_start(keys) -> None:
    """A channel isn't made with an EncodingAESKey that couldn't open anything, and doesn't say
    which it was."""
    account = SimpleNamespace(aes_key=keys[0], previous_aes_key=keys[1])
    with pytest.raises(ValueError, match=r"aes_key|EncodingAESKey") as caught:
        Channel(account, "", None, None, None, None, None, None)  # type: ignore[arg-type]

    assert "AAAA" not in str(caught.value)
