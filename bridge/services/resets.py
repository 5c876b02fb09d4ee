"""The start of a password reset: a code by SMS, or a link by mail, to whatever address was typed.

Not for: the new password (`credentials.py`). Nothing is read from the CRM here, and the message
goes out whoever has the address, so neither the answer nor its time tells who is a member; what the
message opens is told to whoever got it.
"""

from typing import Protocol
from urllib.parse import urlencode

from bridge.services import codes, messages
from bridge.services.clients import Clients
from bridge.services.codes import Asker
from bridge.services.messages import Message
from bridge.store.challenges import About
from bridge.store.limits import network
from bridge.store.links import LIFE_SECONDS, Links

PAGE = "/reset/link"
"""The hosted page that a link leads to, where the client has no page of its own."""


class Needs(codes.Needs, Protocol):
    """The parts that a reset begins with."""

    @property
    def links(self) -> Links: ...


def send_code(parts: Needs, mobile: str, asker: Asker) -> str:
    """As `codes.start`."""
    return codes.start(parts, "mobile", mobile, "reset", asker)


def send_link(parts: Needs, email: str, asker: Asker, page: str) -> None:
    """A link to `page`, for this address, good for half an hour. Raises Problem: `validation`,
    `too-many`, and what `Mailboxes.accept` raises; StoreDown."""
    normal = codes.reachable(parts, "email", email)
    parts.limits.hit("codes_per_network", network(asker.address))
    parts.limits.hit("codes_per_client", asker.client)
    parts.limits.hit("codes_per_address", "email", normal)
    parts.limits.hit("messages_per_day")
    token = parts.links.new(About("email", normal, "reset", asker.binding))
    link = f"{page}?{urlencode({'token': token})}"  # a query, which no access log may hold
    values = {"link": link, "minutes": LIFE_SECONDS // 60}
    message = Message("reset-link", "email", normal, asker.language, LIFE_SECONDS, values=values)
    try:
        messages.send(parts, message, asker.trace)
    except BaseException:
        parts.links.cancel(token)
        raise


def page_of(clients: Clients, client_id: str, issuer: str) -> str:
    """Where a client's links lead: its own page, if it registered one, else ours."""
    client = clients.get(client_id)
    return (client.reset_uri if client else "") or issuer + PAGE
