"""The main job step by step, each with what is true after it. Not for: how a step is done
(`journey.py`), or how it is shown (`demo.py`)."""

from collections.abc import Callable

from adapters import registry
from bridge.cli.journey import Journey, StepFailed

Step = tuple[str, Callable[[], list[str]]]
"""What happens, in plain words, and the doing of it, which gives lines of what is true now."""

JOINED = "She gives her details and becomes a member"
CHANGED = "She changes her name"


class Walk:
    """One journey's steps. Each raises StepFailed where it doesn't hold."""

    def __init__(self, journey: Journey) -> None:
        self._journey = journey
        self._link = ""

    def steps(self) -> tuple[Step, ...]:
        """In order."""
        return (
            ("A store asks for its QR code", self._code),
            ("A customer scans it and follows the account", self._scan),
            ("She opens the link inside WeChat", self._open),
            ("She proves her mobile with a one-time code", self._prove),
            (JOINED, self._join),
            ("She signs in at the member site (OAuth2 code + PKCE)", self._sign_in),
            ("The site reads her record", self._read),
            (CHANGED, self._edit),
            ("The site refreshes its token", self._refresh),
            ("She signs out", self._leave),
        )

    def _code(self) -> list[str]:
        scene = self._journey.make_code()["scene"]
        return [f"scene {scene} (store, campaign, channel, day, MAC; no person)"]

    def _scan(self) -> list[str]:
        self._link = self._journey.scan()
        return ["WeChat's push was signed and encrypted; the answer names the store", self._link]

    def _open(self) -> list[str]:
        page = self._journey.open_link(self._link)
        return [f"WeChat's web OAuth proved the openid; the page is {page}"]

    def _prove(self) -> list[str]:
        self._journey.prove_mobile()
        return ["the code went sealed through the lane `notify` to the SMS gateway, and back"]

    def _join(self) -> list[str]:
        self._journey.give_details()
        can = registry.adapter_class(self._journey.line.adapter).capabilities
        how = "one atomic change set" if can.atomic_batch else "step by step, the sign-in last"
        return [f"sealed, mailbox, RQ, worker, {how}; the page waited for it"]

    def _sign_in(self) -> list[str]:
        seconds = self._journey.sign_in()["expires_in"]
        return [f"access token for {seconds} s, opaque; id_token signed ES256"]

    def _read(self) -> list[str]:
        me = self._journey.read()
        return [f"{len(me.json())} fields straight from the CRM, ETag {me.headers['ETag'][:16]}…"]

    def _edit(self) -> list[str]:
        journey, name = self._journey, self._journey.member.edited_name
        etag = {"If-Match": journey.read().headers["ETag"]}
        answer = journey.edit({"given_name": name}, **etag)
        if journey.read().json()["given_name"] != name:
            raise StepFailed("the edit can't be read back")
        return [f"204 with the new ETag {answer.headers['ETag'][:16]}…; read back from the CRM"]

    def _refresh(self) -> list[str]:
        self._journey.refresh()
        return ["the refresh token was rotated; its predecessor is spent"]

    def _leave(self) -> list[str]:
        self._journey.sign_out()
        return ["grant gone, and every token of it: the next call is 401"]
