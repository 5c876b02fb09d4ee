"""The main job, as its users do it: scan, welcome, register, sign in, read, edit, refresh, leave.

The demo prints it, a flow test runs it, and the numbers at its end go on into STATE. Everything
goes over HTTP as from outside. Not for: anything about one step alone (the tests of that part).
"""

import base64
import hashlib
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from bridge.cli.line import Line
from bridge.cli.published import SANDBOX_CLIENT_SECRETS
from bridge.cli.visitor import Visitor

WECHAT_AGENT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Mobile/15E148 MicroMessenger/8.0.50(0x18003237) NetType/WIFI Language/zh_CN"
)
REDIRECT = "http://127.0.0.1:8765/callback"
SCOPE = (
    "openid profile member:read member:write member:erase member:export "
    "consents:read consents:write account:read account:write"
)
_CODE = re.compile(r"(?<!\d)(\d{6})(?!\d)")
_LINK = re.compile(r"https?://[^\s\"<>]+/register\?s=[^\s\"<>]+")


class StepFailed(Exception):
    """A step didn't hold. The text is the demo's own, about the sandbox's made-up member."""


@dataclass
class Member:
    """Made up, for the sandbox. Also the canaries that the privacy scan looks for."""

    given_name: str = "晓明三七"
    family_name: str = "欧阳"
    email: str = "xiaoming.q7x@example.cn"
    mobile: str = "+8613812345678"
    birth_date: str = "1990-05-17"
    password: str = "shanlan-7Q-wanbiao"  # noqa: S105 - the sandbox's made-up member's
    edited_name: str = "晓鸣三七改"

    def canaries(self) -> dict[str, str]:
        """Field -> value, for the scan."""
        return vars(self)


@dataclass
class Journey:
    """One member's way through the line. `trace` is the W3C trace id that WeChat's push brought
    (the real WeChat brings none; then the bridge makes one)."""

    line: Line
    member: Member = field(default_factory=Member)
    user: int = 0
    trace: str = field(default_factory=lambda: secrets.token_hex(16))
    tokens: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A browser of the member's, and a session for clients and the sandbox."""
        self.http = requests.Session()
        self.http.trust_env = False
        self.phone = Visitor(WECHAT_AGENT)
        self.wechat: dict[str, Any] = self.line.sandbox["wechat"]
        self.follower: dict[str, str] = self.wechat["users"][self.user]

    # -- at the store ----------------------------------------------------------------------------

    def make_code(self) -> dict[str, Any]:
        """The store's back end asks for a parametric QR code."""
        token = self.client_token("store-backend", "qr:write")
        body = {"store": "SH001", "campaign": "autumn", "channel": "window", "kind": "permanent"}
        made = self.http.post(f"{self.line.url}/v1/qr-codes", json=body, headers=bearer(token))
        self.facts["qr"] = self._expect(made, 201).json()
        return dict(self.facts["qr"])

    def scan(self) -> str:
        """The member scans it; WeChat pushes `subscribe`; gives the welcome's link."""
        push = {
            "openid": self.follower["openid"],
            "ticket": self.facts["qr"]["ticket"],
            "traceparent": f"00-{self.trace}-{secrets.token_hex(8)}-01",
        }
        done = self.http.post(f"{self.wechat['url']}/_sandbox/scan", json=push)
        text = self._expect(done, 200).text
        inbox = self.http.get(
            f"{self.wechat['url']}/_sandbox/messages", params={"openid": self.follower["openid"]}
        ).json()
        self.facts["welcome"] = str(inbox["messages"])
        found = _LINK.search(self.facts["welcome"]) or _LINK.search(text)
        if not found:
            raise StepFailed("the welcome holds no registration link")
        return found[0].replace("&amp;", "&")

    # -- on the phone ----------------------------------------------------------------------------

    def open_link(self, link: str) -> str:
        """The link is opened inside WeChat, whose web OAuth proves the openid."""
        url = f"{self.wechat['url']}/_sandbox/wechat/as"
        self.phone.get(url, params={"openid": self.follower["openid"]})
        self.phone.get(link)
        self._see(self.phone, "mobile")
        return self.phone.path()

    @staticmethod
    def desktop() -> Visitor:
        """A browser that isn't inside WeChat."""
        return Visitor("Mozilla/5.0 (X11; Linux x86_64) Firefox/140", "en")

    def prove_mobile(self) -> None:
        """A one-time code to the mobile, and back."""
        sent = time.time()
        self.phone.submit(mobile=self.member.mobile)
        self._see(self.phone, "code")
        self.phone.submit(code=self.code(self.member.mobile, sent))
        self._see(self.phone, "given_name")

    def give_details(self) -> None:
        """Name, e-mail, birth date, password, consents; the page waits for the CRM."""
        year, month, day = self.member.birth_date.split("-")
        names = {
            name: getattr(self.member, name)
            for name in ("given_name", "family_name", "email", "password")
        }
        consents = {
            name: "2026-11"
            for name in self.phone.forms()[0].optional
            if name.startswith("consent_")
        }
        born = {"birth_year": year, "birth_month": month, "birth_day": day}
        self.phone.submit(**names, **born, **consents)
        deadline = time.monotonic() + 20
        while self.phone.path() == "/register/pending" and time.monotonic() < deadline:
            time.sleep(0.3)
            self.phone.get(f"{self.line.url}/register/pending")
        if self.phone.path() != "/register/welcome":
            raise StepFailed(f"registration ended on {self.phone.path()}: {self.phone.text()}")

    # -- at the member site ----------------------------------------------------------------------

    def sign_in(self) -> dict[str, Any]:
        """Authorization code + PKCE through the hosted page, in a browser that is not WeChat."""
        verifier = secrets.token_urlsafe(48)
        state, site = secrets.token_urlsafe(16), self.desktop()
        query = {
            "response_type": "code",
            "client_id": "portal",
            "redirect_uri": REDIRECT,
            "scope": SCOPE,
            "state": state,
            "nonce": secrets.token_urlsafe(16),
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
        }
        site.get(f"{self.line.url}/oauth/authorize?{urlencode(query)}")
        self._see(site, "identifier")
        back = site.submit(
            identifier=self.member.mobile, password=self.member.password, stop_at=REDIRECT
        )
        given = parse_qs(urlsplit(back.headers.get("Location", "")).query)
        if given.get("state") != [state] or given.get("iss") != [self.line.url]:
            raise StepFailed(f"sign-in ended on {site.path()} with {back.status_code}")
        self.site = site
        self.tokens = self._token(
            grant_type="authorization_code",
            code=given["code"][0],
            redirect_uri=REDIRECT,
            code_verifier=verifier,
        )
        return self.tokens

    def read(self) -> requests.Response:
        """`GET /v1/me`."""
        answer = self.http.get(f"{self.line.url}/v1/me", headers=self.authorized())
        return self._expect(answer, 200)

    def edit(self, changes: dict[str, Any], **headers: str) -> requests.Response:
        """`PATCH /v1/me`, which waits for the CRM."""
        url = f"{self.line.url}/v1/me"
        answer = self.http.patch(url, json=changes, headers=self.authorized() | headers)
        return self._expect(answer, 204)

    def refresh(self) -> dict[str, Any]:
        """Another access token, and the successor of the refresh token."""
        old = self.tokens["refresh_token"]
        self.tokens = self._token(grant_type="refresh_token", refresh_token=old)
        if self.tokens["refresh_token"] == old:
            raise StepFailed("the refresh token was not rotated")
        return self.tokens

    def sign_out(self) -> None:
        """Revoke; the access token is dead at once."""
        data = {"token": self.tokens["refresh_token"], "client_id": "portal"}
        self._expect(self.http.post(f"{self.line.url}/oauth/revoke", data=data), 200)
        self._expect(self.http.get(f"{self.line.url}/v1/me", headers=self.authorized()), 401)

    # -- what the steps share --------------------------------------------------------------------

    def client_token(self, client: str, scope: str) -> str:
        """Client credentials."""
        answer = self.http.post(
            f"{self.line.url}/oauth/token",
            data={"grant_type": "client_credentials", "scope": scope},
            auth=(client, SANDBOX_CLIENT_SECRETS[client]),
        )
        return str(self._expect(answer, 200).json()["access_token"])

    def code(self, address: str, since: float) -> str:
        """The newest one-time code that went to `address`."""
        outbox = self.line.sandbox["outbox"]["url"]
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            query = {"to": address, "wait": "2"}
            found = self.http.get(f"{outbox}/_sandbox/outbox", params=query).json()["messages"]
            texts = [message["text"] for message in found]
            codes = [match[1] for text in texts if (match := _CODE.search(text))]
            if codes and codes[0] != self.facts.get("last_code"):
                self.facts["last_code"] = codes[0]
                return codes[0]
            time.sleep(0.1)
        raise StepFailed("no code arrived at the sandbox's outbox")

    def crm_rows(self) -> dict[str, list[dict[str, Any]]]:
        """The CRM's tables now: {table: rows}."""
        crm = self.line.crm
        url = f"{crm['url']}/_sandbox/state"
        return dict(self.http.get(url, verify=crm["ca_file"]).json()["tables"])

    def crm_requests(self) -> list[dict[str, Any]]:
        """What the CRM was asked, newest last."""
        crm = self.line.crm
        url = f"{crm['url']}/_sandbox/requests"
        return list(self.http.get(url, verify=crm["ca_file"]).json()["requests"])

    def authorized(self) -> dict[str, str]:
        """The Authorization header."""
        return bearer(self.tokens["access_token"])

    def _token(self, **form: str) -> dict[str, Any]:
        data = {"client_id": "portal", **form}
        return dict(
            self._expect(self.http.post(f"{self.line.url}/oauth/token", data=data), 200).json()
        )

    @staticmethod
    def _see(visitor: Visitor, name: str) -> None:
        """The visitor's page must have a form with this field."""
        page = visitor.page
        if page.status_code != 200 or not any(name in form.fields for form in visitor.forms()):
            place = urlsplit(page.url).path
            raise StepFailed(f"{place}: {page.status_code}, no {name}: {visitor.text()}")

    @staticmethod
    def _expect(answer: requests.Response, status: int) -> requests.Response:
        if answer.status_code != status:
            place = urlsplit(answer.url).path
            raise StepFailed(f"{place}: {answer.status_code} instead of {status}: {answer.text}")
        return answer


def bearer(token: str) -> dict[str, str]:
    """RFC 6750 section 2.1."""
    return {"Authorization": f"Bearer {token}"}


def challenge_of(verifier: str) -> str:
    """S256 (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
