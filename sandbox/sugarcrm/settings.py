"""What an administrator may set, and what nobody could verify: a knob each, with its default.

A field under `UNVERIFIED` stands for a fact that no document and no client of others' states. Its
default is this sandbox's choice. A client that is right under every value needs no luck.
"""

import dataclasses
from typing import Any, Literal, get_args, get_origin, get_type_hints


@dataclasses.dataclass
class Settings:
    """`POST /_sandbox/settings {name: value}`; `reset` brings the defaults back."""

    # An administrator's.
    newest_version: str = "v11_24"
    disable_unknown_platforms: bool = True
    platforms: list[str] = dataclasses.field(
        default_factory=lambda: ["base", "mobile", "portal", "crm_bridge", "api", "zucker"]
    )
    access_lifetime: int = 3600
    refresh_lifetime: int = 1209600
    portal_enabled: bool = True
    sync_key_admin_only: bool = True
    """So since about 14.x."""
    opt_out_new_addresses: bool = False

    # Unverified.
    max_num_cap: int = 1000
    wrong_password: str = "401 need_login"
    wrong_client: str = "401 invalid_client"
    spent_refresh_token: str = "401 invalid_grant"
    unknown_platform: str = "422 invalid_parameter"
    conflict_shows_record: bool = False
    email_array: Literal["replace", "merge"] = "replace"
    """Does an array of addresses replace those that the record has?"""
    email_flags: Literal["json", "text"] = "json"
    """`true` or `"1"`: the documents' samples have both."""
    id_on_create: bool = False
    """Is an `id` that is sent with a POST kept? Otherwise it is passed over."""
    null_clears: bool = False
    """Does `null` empty a field? Otherwise it is passed over; `""` always empties."""
    empty_text: Literal["text", "null"] = "text"
    """A text that was never set: `""` or `null`."""
    unknown_fields: Literal["ignore", "refuse"] = "ignore"
    """A field that the module doesn't have, in a write or under `fields`."""
    required_fields: Literal["ignore", "enforce"] = "ignore"
    long_texts: Literal["refuse", "cut"] = "refuse"
    not_equals_meets_empty: bool = False
    """Does a field that was never set meet `$not_equals` and `$not_in`?"""
    sync_key_by_post: bool = True
    """Can a plain POST or PUT set `sync_key`? Otherwise it is passed over there."""

    def change(self, document: dict[str, Any]) -> None:
        """All of it or, where one is wrong, nothing. Raises ValueError."""
        hints = get_type_hints(Settings)
        for name, value in document.items():
            if name not in hints or not _fits(hints[name], value):
                raise ValueError("no such setting, or a value that it doesn't take")
        for name, value in document.items():
            setattr(self, name, value)


UNVERIFIED = tuple(
    field.name
    for field in dataclasses.fields(Settings)
    if field.name
    not in (
        "newest_version",
        "disable_unknown_platforms",
        "platforms",
        "access_lifetime",
        "refresh_lifetime",
        "portal_enabled",
        "sync_key_admin_only",
        "opt_out_new_addresses",
    )
)


def _fits(hint: Any, value: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is list:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return type(value) is hint
