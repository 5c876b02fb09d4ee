"""Web OAuth inside WeChat: the browser proves its openid, and nobody can lend it another's."""

import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from bridge.wechat.web_oauth import BACK, OUTCOME, PROOF
from tests.support.wechat_line import Line, running


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One line for the whole file."""
    with running(tmp_path_factory.mktemp("wechat")) as line:
        yield line


@pytest.fixture
def line(shared):
    """Everything forgotten."""
    shared.http.post(f"{shared.ready['url']}/_sandbox/reset")
    shared.redis.do("FLUSHALL")
    shared.log.truncate(0)
    shared.log.seek(0)
    return shared


def become(line: Line, browser: requests.Session, user: str = "Lin Muyu") -> str:
    """This browser is in that user's WeChat; gives the openid."""
    url = f"{line.ready['url']}/_sandbox/wechat/as"
    return browser.get(url, params={"user": user}, timeout=5).json()["openid"]


def started(line: Line, browser: requests.Session) -> str:
    """Where `start` sends the browser."""
    answer = browser.get(f"{line.url}/wechat/oauth/start", allow_redirects=False, timeout=5)
    assert answer.status_code == 302
    return answer.headers["Location"]


def returned(browser: requests.Session, authorize: str) -> str:
    """Where WeChat sends the browser back to."""
    return browser.get(authorize, allow_redirects=False, timeout=5).headers["Location"]


def go(browser: requests.Session, url: str) -> str:
    """Where our return sends the browser."""
    answer = browser.get(url, allow_redirects=False, timeout=5)
    assert answer.status_code == 302
    return answer.headers["Location"]


def test_a_browser_in_wechat_proves_its_openid(line: Line) -> None:
    """Silently: start, WeChat, return, and back to the page that asked; the proof is in the
    session and nowhere else, and the codes are used up."""
    browser, session = line.browser("/register?continue=abc")
    openid = become(line, browser)

    back = go(browser, returned(browser, started(line, browser)))

    assert back == "/register?continue=abc"
    data = line.data(session)
    assert data[PROOF] == f"{line.ready['appid']}:{openid}"
    assert data == {BACK: back, OUTCOME: "proven", PROOF: data[PROOF]}
    assert openid not in line.rests()


def test_the_request_to_wechat_asks_for_nothing_more(line: Line) -> None:
    """snsapi_base, a state of letters and digits, the return URL of our issuer, the fragment."""
    browser, _ = line.browser()

    parts = urlsplit(started(line, browser))
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}

    assert parts.fragment == "wechat_redirect"
    assert list(query) == ["appid", "redirect_uri", "response_type", "scope", "state"]
    assert query["scope"] == "snsapi_base"
    assert query["redirect_uri"] == f"{line.url}/wechat/oauth/return"
    assert query["state"].isalnum()
    assert len(query["state"]) == 32


def test_refusing_is_remembered(line: Line) -> None:
    """Who presses "refuse" comes back without a proof, and the page knows not to ask again."""
    browser, session = line.browser()
    authorize = started(line, browser)

    answer = browser.post(authorize, data={"refuse": "1"}, allow_redirects=False, timeout=5)
    back = go(browser, answer.headers["Location"])

    assert back == "/register"
    assert line.data(session) == {BACK: "/register", OUTCOME: "refused"}


def test_a_snapshot_user_is_never_kept(line: Line) -> None:
    """The ids of a snapshot page belong to nobody."""
    browser, session = line.browser()
    authorize = started(line, browser)

    answer = browser.post(authorize, data={"snapshot": "1"}, allow_redirects=False, timeout=5)
    go(browser, answer.headers["Location"])

    assert line.data(session) == {BACK: "/register", OUTCOME: "snapshot"}


def test_a_forwarded_return_link_proves_nothing_to_another_browser(line: Line) -> None:
    """Lin's return link, opened in Zhao's browser before Lin's: nothing changes in Zhao's session,
    with or without a state of its own, and a browser without a session gets none."""
    lin, lins = line.browser()
    become(line, lin)
    link = returned(lin, started(line, lin))
    zhao, zhaos = line.browser()
    before = line.data(zhaos)

    assert go(zhao, link) == "/register"
    assert line.data(zhaos) == before
    started(line, zhao)
    before = line.data(zhaos)
    assert go(zhao, link) == "/register"
    assert line.data(zhaos) == before

    with requests.Session() as stranger:
        stranger.trust_env = False
        assert go(stranger, link) == "/register"
        assert not stranger.cookies
    go(lin, link)  # the code wasn't spent by any of them
    assert line.data(lins)[OUTCOME] == "proven"


@pytest.mark.parametrize("state", ["", "0" * 32, "é"])
def test_a_swapped_state_changes_nothing(line: Line, state) -> None:
    """A return with another state, or none, is as if it hadn't been: the true one still works."""
    browser, session = line.browser()
    become(line, browser)
    link = returned(browser, started(line, browser))
    before = line.data(session)
    code = parse_qs(urlsplit(link).query)["code"][0]

    answer = browser.get(
        f"{line.url}/wechat/oauth/return",
        params={"code": code, "state": state},
        allow_redirects=False,
        timeout=5,
    )

    assert answer.headers["Location"] == "/register"
    assert line.data(session) == before
    go(browser, link)
    assert line.data(session)[OUTCOME] == "proven"


def test_a_return_that_nobody_began_changes_nothing(line: Line) -> None:
    """In a session that has no state, an empty state isn't a match: a good code proves nothing."""
    lin, _ = line.browser()
    become(line, lin)
    code = parse_qs(urlsplit(returned(lin, started(line, lin))).query)["code"][0]
    browser, session = line.browser()

    assert go(browser, f"{line.url}/wechat/oauth/return?code={code}&state=") == "/register"

    assert line.data(session) == {BACK: "/register"}


def test_a_replayed_return_changes_nothing(line: Line) -> None:
    """The same link again: the state is used up, and WeChat isn't asked."""
    browser, session = line.browser()
    become(line, browser)
    link = returned(browser, started(line, browser))
    go(browser, link)
    before, asked = line.data(session), line.asked("/sns/oauth2/access_token")

    assert go(browser, link) == "/register"

    assert line.data(session) == before
    assert line.asked("/sns/oauth2/access_token") == asked


def test_a_replayed_code_proves_nothing(line: Line) -> None:
    """Lin's used code in Zhao's own flow, under Zhao's own state: WeChat refuses it, and no proof
    is kept."""
    lin, _ = line.browser()
    become(line, lin)
    link = returned(lin, started(line, lin))
    go(lin, link)
    code = parse_qs(urlsplit(link).query)["code"][0]
    zhao, zhaos = line.browser()
    state = parse_qs(urlsplit(started(line, zhao)).query)["state"][0]

    go(zhao, f"{line.url}/wechat/oauth/return?code={code}&state={state}")

    assert line.data(zhaos) == {BACK: "/register", OUTCOME: "failed"}
    assert line.lines("wechat.oauth-error")[0]["code"] == "40163"


def test_a_return_that_is_opened_several_times_at_once_counts_once(line: Line) -> None:
    """Some WeChat versions open a page twice: one of the requests asks WeChat, and its proof isn't
    undone by the others."""
    browser, session = line.browser()
    openid = become(line, browser)
    link = returned(browser, started(line, browser))
    cookies = dict(browser.cookies)

    def again(_: int) -> int:
        return requests.get(link, cookies=cookies, allow_redirects=False, timeout=5).status_code

    asked = line.asked("/sns/oauth2/access_token")
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(again, range(6))) == {302}

    assert line.asked("/sns/oauth2/access_token") == asked + 1
    data = line.data(session)
    assert data == {BACK: "/register", OUTCOME: "proven", PROOF: f"{line.ready['appid']}:{openid}"}


def test_a_failed_second_try_keeps_the_first_proof(line: Line) -> None:
    """What was proven stays proven when a later try fails."""
    browser, session = line.browser()
    become(line, browser)
    go(browser, returned(browser, started(line, browser)))
    proof = line.data(session)[PROOF]
    state = parse_qs(urlsplit(started(line, browser)).query)["state"][0]

    go(browser, f"{line.url}/wechat/oauth/return?code=unknown&state={state}")

    assert line.data(session)[PROOF] == proof


def test_what_the_page_wrote_meanwhile_is_kept(line: Line) -> None:
    """While WeChat is asked, the page may save something: it isn't overwritten."""
    browser, session = line.browser()
    become(line, browser)
    link = returned(browser, started(line, browser))
    line.control("faults", {"kind": "slow", "seconds": 1, "match": {"path_prefix": "/sns"}})

    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(go, browser, link)
        time.sleep(0.5)
        meanwhile = line.channel.sessions.load(session.id)
        assert meanwhile is not None
        meanwhile.data["mobile"] = "masked"
        line.channel.sessions.save(meanwhile)
        ended.result()

    assert line.data(session)["mobile"] == "masked"
    assert line.data(session)[OUTCOME] == "proven"


def test_wechat_in_trouble_sends_the_browser_on(line: Line) -> None:
    """A hanging or broken WeChat costs the proof, not the registration."""
    browser, session = line.browser()
    become(line, browser)
    link = returned(browser, started(line, browser))
    line.control("faults", {"kind": "html", "status": 502, "match": {"path_prefix": "/sns"}})

    assert go(browser, link) == "/register"

    assert line.data(session)[OUTCOME] == "failed"


def test_without_a_page_that_asked_there_is_no_start(line: Line) -> None:
    """A link to start, opened by somebody who isn't registering, goes to the registration page and
    not to WeChat; no parameter chooses where to go on."""
    stranger = requests.Session()
    stranger.trust_env = False
    browser, session = line.browser(back=None)

    for each in (stranger, browser):
        for query in ("", "?back=https://evil.example", "?next=//evil.example"):
            assert go(each, f"{line.url}/wechat/oauth/start{query}") == "/register"
    assert line.data(session) == {}


def test_nothing_of_it_is_logged(line: Line) -> None:
    """Neither openid, code nor state stands in the log."""
    browser, _ = line.browser()
    openid = become(line, browser)
    link = returned(browser, started(line, browser))
    go(browser, link)

    logged = line.log.getvalue()
    assert line.lines("wechat.oauth")[0]["outcome"] == "proven"
    for values in parse_qs(urlsplit(link).query).values():
        assert values[0] not in logged
    assert openid not in logged
