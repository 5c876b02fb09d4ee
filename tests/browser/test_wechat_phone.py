"""The page of the sandbox's WeChat in a browser: a person plays the customer.

The account behind it is a receiver on wechatpy, whose welcome leads to a page of its own.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask, Response, redirect, request
from playwright.sync_api import Browser, Page, expect
from wechatpy import create_reply

from sandbox.kit.run import running
from tests.browser.conftest import DEVICES
from tests.browser.look import trouble
from tests.sandbox.wechat_driver import Caller, Receiver

pytestmark = pytest.mark.browser
HOSTILE = (
    "<a href='javascript:alert(1)'>no link</a><img src=x onerror=document.title='taken'>"
    "<script>document.title='taken'</script>"
)


class Account(Receiver):
    """Welcomes with a link to /join, which asks WeChat who is there and then says it."""

    def __init__(self, ready: dict[str, Any]) -> None:
        super().__init__(ready)
        self.ready = ready
        self.home = self.server.url
        self.answer = lambda message: create_reply(
            f'欢迎 welcome {HOSTILE}\n<a href="{self.home}/join?s=1">Become a member</a>', message
        )

    def add_to(self, app: Flask) -> None:
        app.add_url_rule("/join", view_func=self._join)
        app.add_url_rule("/back", view_func=self._back)
        app.add_url_rule("/form", view_func=self._form, methods=["POST"])

    def _join(self) -> Any:
        query = f"appid={self.ready['appid']}&redirect_uri={self.home}/back&response_type=code"
        where = f"{self.ready['url']}/connect/oauth2/authorize?{query}&scope=snsapi_base&state=s"
        response = redirect(where)
        response.set_cookie("joining", "1", samesite="Lax")
        return response

    def _back(self) -> Response:
        given = {"appid": self.ready["appid"], "secret": self.ready["secret"]}
        given |= {"code": request.args["code"], "grant_type": "authorization_code"}
        told = requests.get(f"{self.ready['url']}/sns/oauth2/access_token", params=given, timeout=5)
        inside = "MicroMessenger" in request.headers["User-Agent"]
        body = f"<h1>{told.json()['openid']} {inside} {request.cookies.get('joining')}</h1>"
        body += f"<form method=post action='{self.home}/form'><button>Join</button></form>"
        answer = Response(body, content_type="text/html; charset=utf-8")
        answer.headers["X-Frame-Options"] = "DENY"
        answer.headers["Content-Security-Policy"] = "frame-ancestors 'none'; form-action 'self'"
        return answer

    def _form(self) -> str:
        return f"<h1>from {request.headers['Origin'] == self.home}</h1>"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """One WeChat sandbox, and an account that it pushes to."""
    place: Path = tmp_path_factory.mktemp("wechat")
    with running({"wechat": 0}, place) as ready, requests.Session() as session:
        session.trust_env = False
        account = Account(ready["wechat"])
        caller = Caller(ready["wechat"], session)
        caller.control("callback", {"url": account.url})
        yield {"oa": caller, "account": account, "url": ready["wechat"]["phone_url"]}
        account.server.close()


@pytest.fixture
def oa(box: dict[str, Any]) -> Caller:
    """The account's API, as at the start."""
    caller: Caller = box["oa"]
    caller.control("reset", {})
    caller.control("clock", {"set": None})
    return caller


@pytest.fixture
def phone(browser: Browser, box: dict[str, Any]) -> Iterator[Callable[..., Page]]:
    """`phone("desktop", "en")` opens the page; nothing in it may complain or ask elsewhere."""
    contexts, complaints = [], []
    known = (box["oa"].url, box["oa"].ready["browser_url"], "about:")

    def make(device: str = "desktop", lang: str = "en", **options: Any) -> Page:
        context = browser.new_context(locale=lang, **{**DEVICES[device], **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on(
            "request",
            lambda r: None if r.url.startswith(known) else complaints.append("another host"),
        )
        page.goto(box["url"])
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


def _code(oa: Caller, **more: Any) -> None:
    assert "ticket" in oa.qr("st01", **more)


@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_a_customer_scans_reads_and_joins(
    phone: Callable[..., Page], oa: Caller, device: str
) -> None:
    """A scan follows, the welcome arrives with its window, and its link opens as in WeChat."""
    _code(oa)
    page = phone(device)
    page.get_by_role("button", name="Scan").click()
    expect(page.locator(".chat")).to_contain_text("You followed the account")
    expect(page.locator(".chat")).to_contain_text("welcome no link<img")
    expect(page.get_by_role("link", name="no link")).to_have_count(0)
    expect(page.locator(".window")).to_contain_text("followed · 1 minute")
    expect(page.locator(".window time")).to_contain_text("0:5")
    page.get_by_role("link", name="Become a member").click()
    inside = page.frame_locator("iframe")
    expect(inside.locator("h1")).to_have_text(f"{oa.openid} True 1")
    inside.get_by_role("button", name="Join").click()
    expect(inside.locator("h1")).to_have_text("from True")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("iframe")).to_be_hidden()
    assert page.title() == "WeChat sandbox"


def test_what_is_sent_later_arrives_by_itself(phone: Callable[..., Page], oa: Caller) -> None:
    """A customer message shows without a reload, and takes one from the window she opened."""
    _code(oa)
    page = phone()
    page.get_by_role("button", name="Scan").click()
    page.get_by_label("A message").fill("在吗 <b>")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".me")).to_contain_text("在吗 <b>")
    expect(page.get_by_text("wrote · 48 hours")).to_be_visible()
    assert oa.say("one moment") == 0
    expect(page.locator(".chat")).to_contain_text("one moment")
    page.get_by_role("button", name="+48 hours").click()
    expect(page.get_by_text("None is open")).to_be_visible()
    assert oa.say("too late") == 45015
    page.get_by_role("button", name="Unfollow").click()
    expect(page.locator(".bar")).to_contain_text("doesn't follow")
    assert not oa.call("/cgi-bin/user/info", openid=oa.openid)["subscribe"]


def test_a_notice_shows_as_a_card(phone: Callable[..., Page], oa: Caller) -> None:
    """A subscription notice arrives with its title and its values."""
    template = oa.ready["templates"][0]
    oa.control("wechat/prompt", {"openid": oa.openid, "template_id": template, "answer": "accept"})
    notice = {"touser": oa.openid, "template_id": template, "data": {"thing1": {"value": "Gold"}}}
    assert oa.call("/cgi-bin/message/subscribe/bizsend", notice)["errcode"] == 0
    page = phone()
    expect(page.locator(".bubble.card span")).to_have_text("Gold")
    expect(page.locator(".line")).to_contain_text("subscription message")


def test_an_ended_code_cannot_be_scanned(phone: Callable[..., Page], oa: Caller) -> None:
    """Once its time has come a code shows as ended, with nothing to press."""
    _code(oa, expire_seconds=60)
    page = phone()
    expect(page.locator(".code")).to_contain_text("until")
    page.get_by_role("button", name="+1 minute").click()
    expect(page.locator(".code")).to_contain_text("ended")
    expect(page.get_by_role("button", name="Scan")).to_be_disabled()


def test_the_phone_is_handed_to_somebody_else(phone: Callable[..., Page], oa: Caller) -> None:
    """Each person has a chat of their own; a new one can be added, under a name of their own."""
    page = phone()
    page.get_by_role("button", name="Follow the account").click()
    expect(page.locator(".bar")).to_contain_text("Lin Muyu · follows")
    page.get_by_label("Name of somebody new").fill("Qin Ruo")
    page.get_by_role("button", name="Add").click()
    expect(page.locator(".bar")).to_contain_text("Qin Ruo · doesn't follow")
    expect(page.locator(".line")).to_have_count(0)
    page.get_by_label("Name of somebody new").fill("Qin Ruo")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_have_text("That name is empty or taken.")
    page.get_by_label("Whose phone").select_option(label="Lin Muyu")
    page.get_by_role("button", name="Hand over").click()
    expect(page.locator(".line")).to_have_count(1)


@pytest.mark.parametrize(
    ("device", "lang"), [("phone", "zh-CN"), ("small", "en"), ("desktop", "zh-CN")]
)
def test_the_page_is_right(phone: Callable[..., Page], oa: Caller, device: str, lang: str) -> None:
    """Empty and full, in both languages and on all sizes, the page has nothing against it."""
    page = phone(device, lang)
    assert page.locator("html").get_attribute("lang") == lang
    assert trouble(page) == {}
    _code(oa)
    _code(oa, expire_seconds=90)
    page.reload()
    page.locator(".code button").first.click()
    expect(page.locator(".line")).to_have_count(1)
    assert trouble(page) == {}


def test_it_works_without_its_script(phone: Callable[..., Page], oa: Caller) -> None:
    """Every act is a plain form, and a link of the site opens in WeChat's browser."""
    _code(oa)
    page = phone(java_script_enabled=False)
    page.get_by_role("button", name="Scan").click()
    link = page.get_by_role("link", name="Become a member")
    assert link.get_attribute("href") == f"{oa.ready['browser_url']}/join?s=1"
