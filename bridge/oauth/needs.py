"""What the authorization server works with. Not for: making it (`bridge/parts.py`)."""

from collections.abc import Callable
from typing import Any, Protocol

from joserfc.jwk import ECKey

from bridge.seal import Pseudonyms, Siv
from bridge.services.clients import Clients
from bridge.services.identities import Reader
from bridge.store.assertions import UsedAssertions
from bridge.store.devices import Devices
from bridge.store.grants import Grants
from bridge.store.sessions import Sessions
from bridge.writes.mailbox import Mailboxes


class Needs(Protocol):
    """The web process's parts have all of it."""

    @property
    def settings(self) -> Any: ...
    @property
    def clients(self) -> Clients: ...
    @property
    def grants(self) -> Grants: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def devices(self) -> Devices: ...
    @property
    def used_assertions(self) -> UsedAssertions: ...
    @property
    def mailboxes(self) -> Mailboxes: ...
    @property
    def crm(self) -> Reader: ...
    @property
    def names(self) -> Pseudonyms: ...
    @property
    def subjects(self) -> Siv: ...
    @property
    def id_token_key(self) -> ECKey: ...
    @property
    def clock(self) -> Callable[[], float]: ...
