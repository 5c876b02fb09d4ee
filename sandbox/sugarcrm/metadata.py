"""What the server tells of itself: modules with fields, dropdowns, the user. Not for: records."""

import hashlib
import json
from typing import Any

from sandbox.sugarcrm.errors import SugarError, not_played
from sandbox.sugarcrm.install import FLAVOR, VERSION
from sandbox.sugarcrm.schema import Module, Schema
from sandbox.sugarcrm.users import User
from sandbox.sugarcrm.wire import Call

_TYPES = ("modules", "full_module_list", "server_info")


def metadata(schema: Schema, call: Call) -> dict[str, Any]:
    """`type_filter` and `module_filter`, texts with commas; without the first, all that is played.

    The list has no module without metadata: clients look each of its names up.
    """
    types = (call.text("type_filter") or ",".join(_TYPES)).split(",")
    if not set(types) <= set(_TYPES):
        raise not_played("this type of metadata")
    only = (call.text("module_filter") or ",".join(schema.modules)).split(",")
    answer: dict[str, Any] = {}
    if "modules" in types:
        answer["modules"] = {
            name: _module(module) for name, module in schema.modules.items() if name in only
        }
    if "full_module_list" in types:
        names = {name: name for name in sorted(schema.modules)}
        answer["full_module_list"] = {**names, "_hash": _hash(names)}
    if "server_info" in types:
        answer["server_info"] = {"flavor": FLAVOR, "version": VERSION, "build": "sandbox"}
    return {**answer, "_hash": _hash(answer)}


def enum(schema: Schema, module: Module, name: str) -> dict[str, str]:
    """The options of a dropdown field: key -> label."""
    options = module.fields.get(name, {}).get("options")
    if options is None:
        raise SugarError("not_found")
    return dict(schema.dropdowns[options])


def me(schema: Schema, user: User) -> dict[str, Any]:
    """The API's user. `acl` names what the role refuses, not what it allows."""
    refused = {name: dict.fromkeys(user.refused(name), "no") for name in schema.modules}
    return {
        "current_user": {
            "type": "support_portal" if user.portal else "admin" if user.admin else "user",
            "id": user.id,
            "user_name": user.name,
            "full_name": user.full_name,
            "preferences": {"timezone": user.zone},
            "module_list": list(schema.modules),
            "acl": {
                name: {"fields": {}, "admin": "yes" if user.admin else "no", **denied}
                for name, denied in refused.items()
            },
        }
    }


def _module(module: Module) -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: {"name": name, **definition} for name, definition in module.fields.items()
    }
    for name, link in module.links.items():
        fields[name] = {"name": name, "type": "link", "source": "non-db", "module": link.module}
    body = {"fields": {**fields, "_hash": _hash(fields)}}
    return {**body, "_hash": _hash(body)}


def _hash(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:32]
