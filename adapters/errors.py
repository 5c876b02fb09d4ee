"""Every way in which a CRM call can end badly, for all adapters. Not for: HTTP answers of ours.

The tree (a leaf is what an adapter raises; the middle says what a caller may do about it):

    CrmError
    ├── Refused              asking again gives the same answer
    │   ├── NotFound         no such record
    │   ├── Conflict         a record with this id or key exists already
    │   ├── StaleVersion     the record is no longer at the version that was sent
    │   ├── Invalid          the CRM refuses a value (`fields` names canonical fields, never values)
    │   └── Unsupported      this CRM can't do it; `Capabilities` says so beforehand
    ├── Unavailable          may work later; a write may or may not have had its effect
    │   ├── Unreachable      no connection, or it was cut
    │   ├── TimedOut         no answer in time
    │   ├── Throttled        over the CRM's limits; `retry_after` seconds
    │   └── Malformed        an answer that is not what the protocol says, or a 5xx
    └── Misconfigured        an operator must act
        ├── BadCredentials   token refused, application user missing, privilege missing
        └── BadMapping       the mapping names a table or column that the CRM doesn't have

No error holds a value, a URL or a response body: only a constant `code` and names of fields.
"""

from typing import ClassVar


class CrmError(Exception):
    """Base of all. `code` is constant per class and fit for logs, outcomes and problems."""

    code: ClassVar[str] = "crm-error"

    def __init__(self, remote_code: str = "") -> None:
        """`remote_code`: the CRM's own constant code (such as `0x80060882`), never its text."""
        super().__init__(self.code)
        self.remote_code = remote_code


class Refused(CrmError):
    """Asking again gives the same answer."""

    code = "refused"


class NotFound(Refused):
    """There is no such record."""

    code = "not-found"


class Conflict(Refused):
    """A record with this id or key exists already."""

    code = "conflict"


class StaleVersion(Refused):
    """The record is no longer at the version that was sent."""

    code = "stale-version"


class Invalid(Refused):
    """The CRM refuses a value. `fields` names canonical fields where the CRM said which."""

    code = "invalid"

    def __init__(self, remote_code: str = "", fields: tuple[str, ...] = ()) -> None:
        """`fields`: canonical names only."""
        super().__init__(remote_code)
        self.fields = fields


class Unsupported(Refused):
    """This CRM, or this adapter, can't do it."""

    code = "unsupported"


class Unavailable(CrmError):
    """It may work later. A write may or may not have had its effect."""

    code = "unavailable"
    retry_after: float = 1.0


class Unreachable(Unavailable):
    """No connection, or it was cut."""

    code = "unreachable"


class TimedOut(Unavailable):
    """No answer in time."""

    code = "timed-out"


class Throttled(Unavailable):
    """Over the CRM's limits; nothing was done. `retry_after` is in seconds."""

    code = "throttled"

    def __init__(self, remote_code: str = "", retry_after: float = 1.0) -> None:
        """`retry_after`: seconds, as the CRM said, or the adapter's default."""
        super().__init__(remote_code)
        self.retry_after = retry_after


class Malformed(Unavailable):
    """An answer that the protocol doesn't allow, or a 5xx."""

    code = "malformed"


class Misconfigured(CrmError):
    """An operator must act; repeating changes nothing."""

    code = "misconfigured"


class BadCredentials(Misconfigured):
    """The CRM refuses our credential, its user, or its privilege."""

    code = "bad-credentials"


class BadMapping(Misconfigured):
    """The mapping names a table or column that the CRM doesn't have."""

    code = "bad-mapping"
