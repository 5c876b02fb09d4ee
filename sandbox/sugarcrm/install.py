"""What the module loader makes of a package: custom fields, and modules with their tables.

Not for: reading the package (`sandbox/kit/package.py`); the endpoints (`packages.py`). No real
server said that it takes a package of ours: what the loader refuses is SuiteCRM's, its relative.
"""

import copy
import re
from typing import Any

from sandbox.kit.package import CustomModule, Package
from sandbox.sugarcrm.schema import Document

VERSION, FLAVOR = "25.1.0", "ENT"
_KNOWN = (
    *("varchar", "enum", "multienum", "phone", "url", "text", "id", "name"),
    *("bool", "date", "datetime", "datetimecombo", "decimal", "int"),
)
# Of these a module has columns that a record shows; the others bring rights and teams.
_TEMPLATES = {"basic": "basic", "person": "person"}
_OTHERS = ("assignable", "team_security", "taggable", "following", "favorite")


def install(document: Document, package: Package) -> Document:
    """The server's definitions with what the package brings; what is there already stays. Raises
    ValueError where the loader would refuse."""
    _accepted(package.manifest)
    changed = copy.deepcopy(document)
    changed["dropdowns"] |= {
        name: words for name, words in package.texts.items() if name != "moduleList"
    }
    for module in package.modules:
        label = package.texts.get("moduleList", {}).get(module.name, module.name)
        made = changed["modules"].setdefault(module.name, _made(module, label))
        for name, given in module.fields.items():
            made["fields"][name] = _field(name, given, changed)
    for row in package.custom_fields:
        entry = changed["modules"].get(row.get("module"))
        if entry is not None:  # the loader passes over a module that it doesn't know
            name = str(row["name"])
            name = name if name.endswith("_c") else f"{name}_c"
            entry["fields"][name] = _custom(name, row, changed)
    return changed


def _accepted(manifest: dict[str, Any]) -> None:
    versions = manifest.get("acceptable_sugar_versions", {})
    patterns = versions.get("regex_matches") if isinstance(versions, dict) else None
    exact = versions.get("exact_matches", []) if isinstance(versions, dict) else versions
    if patterns is None and not exact:
        raise ValueError("manifest.php: acceptable_sugar_versions is missing")
    if VERSION not in exact and not any(re.search(each, VERSION) for each in patterns or ()):
        raise ValueError(f"manifest.php: not for version {VERSION}")
    if FLAVOR not in manifest.get("acceptable_sugar_flavors", [FLAVOR]):
        raise ValueError(f"manifest.php: not for the flavor {FLAVOR}")


def _made(module: CustomModule, label: str) -> dict[str, Any]:
    if "basic" not in module.templates:
        raise ValueError(f"{module.name}: not of the template basic")
    if not set(module.templates) <= {*_TEMPLATES, *_OTHERS}:
        raise ValueError(f"{module.name}: a template that isn't played")
    templates = [_TEMPLATES[name] for name in module.templates if name in _TEMPLATES]
    return {
        "bean": module.name,
        "label": label,
        "templates": templates,
        "fields": {},
        "links": {},
    }


def _custom(name: str, row: dict[str, Any], document: Document) -> dict[str, Any]:
    """A row of `fields_meta_data`: the options' name and a decimal's places are in `ext1`."""
    given: dict[str, Any] = {"type": row["type"]}
    if row["type"] in ("enum", "multienum") and row.get("ext1"):
        given["options"] = row["ext1"]
    if row.get("max_size"):
        given["len"] = row["max_size"]
    if row["type"] == "decimal" and row.get("ext1"):
        given["precision"] = row["ext1"]
    return {**_field(name, given, document), "source": "custom_fields"}


def _field(name: str, given: dict[str, Any], document: Document) -> dict[str, Any]:
    """What the metadata shows of a field; a decimal's length has its places in it."""
    if given["type"] not in _KNOWN:
        raise ValueError(f"{name}: the type {given['type']} isn't played")
    if given.get("options") and given["options"] not in document["dropdowns"]:
        raise ValueError(f"{name}: no list of its options")
    shown = {k: given[k] for k in ("type", "len", "precision", "options", "default") if k in given}
    if shown["type"] == "decimal":
        places = int(shown.pop("precision", 2))
        shown |= {"len": f"{shown.get('len', 18)},{places}", "precision": places}
    if shown["type"] == "bool" and "default" in shown:
        shown["default"] = shown["default"] in ("1", True)
    return shown
