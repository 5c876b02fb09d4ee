"""How long an answer takes tells nobody who is a member.

Not for: what the answer says (flow tests compare the bodies). Two kinds of request come in random
order from a few connections; the best threshold on the time is scored as a classifier is, by the
area under its ROC curve: 0.5 is guessing, 1 is knowing.
"""

import itertools
import random
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from bridge.cli.journey import Journey, bearer, challenge_of
from prove.line import line, member, mobile, session
from prove.result import Result

LONG, SHORT = 1000, 60
CALLERS = 4
MOST = 0.55
Ask = Callable[[], int]
_FIRST = {
    "client_id": "app",
    "response_type": "code",
    "scope": "openid member:read",
    "code_challenge": challenge_of("v" * 43),
    "code_challenge_method": "S256",
}


def run(long: bool) -> Result:
    """On a line of its own. With few times the figure is rough: then 0.7 is asked."""
    seed, times = secrets.randbits(32), LONG if long else SHORT
    with line() as running:
        known = [member(running) for _ in range(2)]
        signing_in = measure(*sign_ins(known), times, seed)
        resetting = measure(*resets(known), times, seed)
    most = MOST if long else 0.7
    seen = f"AUC {signing_in:.3f} at sign-in, {resetting:.3f} at reset, 2 × {times} times each"
    promise = f"Times don't tell a member from nobody (AUC under {most})"
    return Result(promise, seen, max(signing_in, resetting) < most, seed)


def sign_ins(known: Sequence[Journey]) -> tuple[Ask, Ask]:
    """A wrong password for a member's number (each in turn: there is a limit for one), and for one
    that nobody has."""
    url, numbers = f"{known[0].line.url}/oauth/challenge", _turns(known, "mobile")

    def ask(username: str) -> int:
        form = _FIRST | {"username": username, "password": "not-this-one"}
        with session() as http:
            return http.post(url, data=form, timeout=60).status_code

    return lambda: ask(next(numbers)), lambda: ask(mobile())


def resets(known: Sequence[Journey]) -> tuple[Ask, Ask]:
    """A reset link for a member's mailbox, and for one that nobody has."""
    url = f"{known[0].line.url}/v1/password-resets"
    headers = bearer(known[0].client_token("store-backend", "resets:write"))
    mailboxes = _turns(known, "email")
    strangers = itertools.cycle(f"nobody.{secrets.token_hex(3)}@example.cn" for _ in known)

    def ask(email: str) -> int:
        form = {"kind": "email", "value": email}
        with session() as http:
            return http.post(url, json=form, headers=headers, timeout=60).status_code

    return lambda: ask(next(mailboxes)), lambda: ask(next(strangers))


def _turns(known: Sequence[Journey], name: str) -> Iterator[str]:
    return itertools.cycle([getattr(each.member, name) for each in known])


def measure(one: Ask, other: Ask, times: int, seed: int) -> float:
    """The AUC of the better direction. Asserts that both kinds get one and the same status."""
    order = [one, other] * times
    random.Random(seed).shuffle(order)  # noqa: S311 - for repeating, not for secrets
    for ask in (one, other) * 3:
        ask()

    def timed(ask: Ask) -> tuple[bool, float, int]:
        began = time.perf_counter()
        status = ask()
        return ask is one, time.perf_counter() - began, status

    with ThreadPoolExecutor(CALLERS) as pool:
        seen = list(pool.map(timed, order))
    assert len({status for _, _, status in seen}) == 1
    area = auc([t for mine, t, _ in seen if mine], [t for mine, t, _ in seen if not mine])
    return max(area, 1 - area)


def auc(ones: list[float], others: list[float]) -> float:
    """How often one of `ones` is longer than one of `others` (Mann and Whitney's U, scaled)."""
    ranked = sorted([(t, 1) for t in ones] + [(t, 0) for t in others])
    below, won = 0, 0.0
    for _, mine in ranked:
        won += below if mine else 0
        below += not mine
    return won / (len(ones) * len(others))
