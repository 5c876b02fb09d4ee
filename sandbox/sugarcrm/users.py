"""The API's users and what each may do. Not for: members, who are contacts (`portal.py`)."""

import dataclasses
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ACTIONS = ("access", "view", "list", "create", "edit", "delete")


@dataclasses.dataclass
class User:
    """`denied`: module, or `*` for all -> actions that the user's role refuses."""

    id: str
    name: str
    password: str
    full_name: str
    admin: bool = False
    zone: str = "UTC"
    denied: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    portal: bool = False

    def may(self, action: str, module: str) -> bool:
        """Whether the role lets the user do it."""
        return action not in self.refused(module)

    def refused(self, module: str) -> list[str]:
        """Actions that the user may not do."""
        return [*self.denied.get("*", ()), *self.denied.get(module, ())]

    def change(self, document: dict[str, Any]) -> None:
        """admin, zone, password or denied. Raises ValueError."""
        for name, value in document.items():
            if name == "zone":
                try:
                    ZoneInfo(value)
                except (ZoneInfoNotFoundError, TypeError):
                    raise ValueError("no such zone") from None
            elif name == "denied":
                if not all(set(actions) <= set(ACTIONS) for actions in value.values()):
                    raise ValueError("no such action")
            elif name not in ("admin", "password"):
                raise ValueError("known here: admin, zone, password, denied")
            setattr(self, name, value)


def users() -> dict[str, User]:
    """An administrator, and of the bridge's two one who may write and one who may only read."""
    made = (
        User("1", "admin", "sugar-admin-password", "Administrator", admin=True),
        User(
            "5ca1ab1e-0000-4000-8000-000000000002",
            "writer",
            "sugar-writer-password",
            "Bridge Writer",
        ),
        User(
            "5ca1ab1e-0000-4000-8000-000000000003",
            "reader",
            "sugar-reader-password",
            "Bridge Reader",
            denied={"*": ["create", "edit", "delete"]},
        ),
    )
    return {user.name: user for user in made}
