"""The sandbox's signatures and encryption against the numbers that WeChat publishes."""

import base64

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from wechatpy.crypto import WeChatCrypto

from sandbox.wechat import crypto

# "Message push" (developers.weixin.qq.com, message-push.html), its worked examples.
TOKEN, KEY, APPID = "AAAAA", "A" * 43, "wxba5fad812f8e6fb9"
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


def test_the_url_check_is_signed_as_published():
    """The signature of a URL check is the one of WeChat's worked example."""
    signature = "f464b24fc39322e44b38aa78f5edd27bd1441696"
    assert crypto.sign(TOKEN, "1714036504", "1514711492") == signature


def test_a_push_is_sealed_as_published():
    """A safe-mode push has the published ciphertext, signature and message, both ways."""
    signature = "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"
    assert crypto.sign(TOKEN, "1714112445", "415670741", ENCRYPT) == signature
    assert crypto.signed_by(signature, TOKEN, "1714112445", "415670741", ENCRYPT)
    assert crypto.decrypt(KEY, APPID, ENCRYPT) == PUSHED
    assert crypto.encrypt(KEY, APPID, PUSHED, b"a8eedb185eb2fecf") == ENCRYPT


def test_a_reply_is_sealed_as_published():
    """An encrypted reply has the published ciphertext and signature."""
    encrypted = crypto.encrypt(KEY, APPID, '{"demo_resp":"good luck"}', b"707722b803182950")
    assert encrypted == REPLY
    signature = "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"
    assert crypto.sign(TOKEN, "1713424427", "415670741", encrypted) == signature


@pytest.mark.parametrize("length", [0, 1, 11, 12, 13, 31, 32, 500])
def test_every_length_survives_the_padding(length):
    """Messages around the 32-byte padding come back whole, and wechatpy reads them."""
    message = "序" * length
    encrypted = crypto.encrypt(KEY, APPID, message)
    assert crypto.decrypt(KEY, APPID, encrypted) == message
    signature = crypto.sign(TOKEN, "1", "2", encrypted)
    judge = WeChatCrypto(TOKEN, KEY, APPID)
    assert judge.decrypt_message({"Encrypt": encrypted}, signature, "1", "2") == message


@pytest.mark.parametrize("encrypted", ["", "%%%", "AAAA", ENCRYPT[:-44], ENCRYPT[::-1]])
def test_what_is_not_ours_is_undecipherable(encrypted):
    """Anything that this key and appid did not make is refused, never half read."""
    with pytest.raises(crypto.Undecipherable):
        crypto.decrypt(KEY, APPID, encrypted)


def test_a_message_for_another_appid_is_refused():
    """A right key with a wrong appid opens nothing."""
    with pytest.raises(crypto.Undecipherable, match="another appid"):
        crypto.decrypt(KEY, "wx0000000000000000", ENCRYPT)


@pytest.mark.parametrize("tail", [b"\0", b"\x21", b"\x01\x02"])
def test_wrong_padding_is_refused(tail):
    """A plaintext whose last bytes aren't PKCS#7 to 32 is refused, even with the right appid."""
    plain = (b"r" * 16 + b"\0\0\0\1x" + APPID.encode()).ljust(64 - len(tail), b"\0") + tail
    key = crypto.key_of(KEY)
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    encrypted = base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()
    with pytest.raises(crypto.Undecipherable, match="padding"):
        crypto.decrypt(KEY, APPID, encrypted)
