"""The whole line for a proof: roomy limits, since everybody comes from one address, and a member.

Not for: proofs that need one Redis only.
"""

import itertools
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from bridge.cli.journey import Journey, Member
from bridge.cli.line import Line

ROOMY = {
    f"BRIDGE_LIMITS__{name}": most
    for name, most in {
        "CODES_PER_ADDRESS": "1000",
        "CODES_PER_NETWORK": "100000",
        "SIGN_INS_PER_IDENTIFIER": "1000",
        "SIGN_INS_PER_NETWORK": "1000000",
        "REGISTRATIONS_PER_NETWORK": "1000000",
    }.items()
}
_numbers = itertools.count(secrets.randbelow(10**7))


@contextmanager
def line() -> Iterator[Line]:
    """One that runs."""
    with Line(overrides=ROOMY) as running:
        yield running


def mobile() -> str:
    """One that nobody has."""
    return f"+86137{next(_numbers) % 10**8:08}"


def member(running: Line) -> Journey:
    """Registered through the pages, and signed in."""
    mark = secrets.token_hex(3)
    person = Member(f"晓明{mark}", "欧阳", f"member.{mark}@example.cn", mobile())
    journey = Journey(running, person)
    journey.phone = journey.desktop()
    journey.phone.get(f"{running.url}/register")
    journey.prove_mobile()
    journey.give_details()
    journey.sign_in()
    return journey


def session() -> requests.Session:
    """A client of its own, without the shell's proxy."""
    made = requests.Session()
    made.trust_env = False
    return made
