"""Members who prove their password: a contact signs in to the portal. Not for: its pages."""

from sandbox.sugarcrm.errors import SugarError
from sandbox.sugarcrm.settings import Settings
from sandbox.sugarcrm.store import Store
from sandbox.sugarcrm.users import User
from sandbox.sugarcrm.values import collated, hashed


class Portal:
    """Looks contacts up by their portal name."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store

    def user(self, name: str, password: str) -> User | None:
        """The contact as a user of the portal; None where name or password is wrong."""
        if not self._settings.portal_enabled:
            raise SugarError("portal_not_configured")
        for row in self._store.rows("Contacts"):
            held, hash_ = row.values.get("portal_name"), row.values.get("portal_password")
            if not held or not hash_ or collated(held) != collated(name):
                continue
            if hashed(password, salt_of(hash_)) != hash_:
                return None
            if not row.values.get("portal_active"):
                raise SugarError("inactive_portal_user")
            return User(row.id, held, "", held, portal=True)
        return None


def salt_of(hash_: str) -> str:
    """The salt at the front of a held hash."""
    return hash_.removeprefix("$2y$10$")[:22]
