"""What the tests of the sandbox's WeChat share: a caller of its API and a callback receiver.

The receiver decrypts, parses and answers with wechatpy, which nobody here wrote.
"""

import contextlib

from flask import Flask, request
from wechatpy import create_reply, parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import InvalidAppIdException, InvalidSignatureException
from wechatpy.utils import check_signature

from sandbox.kit.server import serve


class Caller:
    """Calls the sandbox as an account's server would, with a stable token where one is due."""

    def __init__(self, ready, http) -> None:
        self.ready, self.http, self.url = ready, http, ready["url"]
        self.users = {user["name"]: user for user in ready["users"]}
        self.openid = ready["users"][0]["openid"]

    def credentials(self, **more):
        """The body of a token request."""
        given = {"grant_type": "client_credential", "appid": self.ready["appid"]}
        return given | {"secret": self.ready["secret"]} | more

    def stable(self, **more):
        """`stable_token`, as the whole answer."""
        return self.http.post(
            f"{self.url}/cgi-bin/stable_token", json=self.credentials(**more)
        ).json()

    def token(self, **more):
        """`token`, as the whole answer."""
        return self.http.get(f"{self.url}/cgi-bin/token", params=self.credentials(**more)).json()

    def get(self, path, **params):
        """A GET without a token."""
        return self.http.get(self.url + path, params=params)

    def call(self, path, document=None, token=None, **params):
        """An API call; its JSON."""
        params["access_token"] = token or self.stable()["access_token"]
        method = "GET" if document is None else "POST"
        return self.http.request(method, self.url + path, params=params, json=document).json()

    def control(self, path, document):
        """A POST to the control plane; its JSON, which must come with a 200."""
        answer = self.http.post(f"{self.url}/_sandbox/{path}", json=document)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def say(self, text="hello", openid=None):
        """A customer message of text; its errcode."""
        document = {"touser": openid or self.openid, "msgtype": "text", "text": {"content": text}}
        return self.call("/cgi-bin/message/custom/send", document)["errcode"]

    def inbox(self, openid=None):
        """What the follower has received."""
        answer = self.get("/_sandbox/messages", openid=openid or self.openid)
        return answer.json()["messages"]

    def qr(self, scene="st01", **more):
        """A parametric code for a store."""
        kind = "QR_STR_SCENE" if "expire_seconds" in more else "QR_LIMIT_STR_SCENE"
        document = {"action_name": kind, "action_info": {"scene": {"scene_str": scene}}}
        return self.call("/cgi-bin/qrcode/create", document | more)


class Receiver:
    """A callback endpoint built on wechatpy; `answer(message)` gives the reply or a raw body."""

    def __init__(self, ready) -> None:
        self.token = ready["token"]
        self.crypto = WeChatCrypto(ready["token"], ready["aes_key"], ready["appid"])
        self.heard, self.requests = [], []
        self.answer = lambda message: create_reply("欢迎 ]] welcome", message)
        app = Flask("receiver")
        app.add_url_rule("/wx", view_func=self.verify, methods=["GET"])
        app.add_url_rule("/wx", view_func=self.hear, methods=["POST"])
        self.add_to(app)
        self.server = serve(app)
        self.url = f"{self.server.url}/wx"

    def add_to(self, app):
        """More routes, for an account that has pages too."""

    def verify(self):
        args = request.args
        try:
            check_signature(self.token, args["signature"], args["timestamp"], args["nonce"])
        except InvalidSignatureException:
            return "no", 403
        return args["echostr"]

    def hear(self):
        args, body = request.args, request.get_data()
        self.requests.append((dict(args), body, dict(request.headers)))
        try:
            clear = self.opened(args, body)
        except (InvalidSignatureException, InvalidAppIdException):
            return "no", 403
        message = parse_message(clear)
        self.heard.append(message)
        reply = self.answer(message)
        if not hasattr(reply, "render"):
            return reply
        if args.get("encrypt_type") != "aes":
            return reply.render()
        return self.crypto.encrypt_message(reply.render(), args["nonce"], args["timestamp"])

    def opened(self, args, body):
        if args.get("encrypt_type") != "aes":
            check_signature(self.token, args["signature"], args["timestamp"], args["nonce"])
            return body
        if args.get("timestamp") and request.is_json:
            body = request.get_json()
        return self.crypto.decrypt_message(
            body, args["msg_signature"], args["timestamp"], args["nonce"]
        )


@contextlib.contextmanager
def receiving(caller):
    """A receiver that the sandbox pushes to."""
    receiver = Receiver(caller.ready)
    caller.control("callback", {"url": receiver.url})
    try:
        yield receiver
    finally:
        receiver.server.close()
