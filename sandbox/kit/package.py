"""A package of the module loader that SugarCRM and SuiteCRM have in common, read from its zip.

Not for: what either makes of it. What the loaders refuse is a ValueError here.
Source: ModuleInstall/ModuleInstaller.php and ModuleScanner.php of SuiteCRM 7.14.6.
"""

import io
import re
import zipfile
from dataclasses import dataclass
from typing import Any

from sandbox.kit.php import assignments

_BASE = "<basepath>/"
_EXTENSIONS = (".php", ".txt", ".html", ".js", ".css", ".png", ".tpl", ".xml", ".hbs")
# Some of what the scanner refuses.
_FORBIDDEN = re.compile(
    r"\b(eval|exec|system|fopen|file_put_contents|unlink|call_user_func)\s*\(|\b(die|exit)\b|`"
)
_CREATE = re.compile(r"VardefManager::createVardef\('(\w+)', '(\w+)', array\(([^)]*)\)\);")


@dataclass(frozen=True)
class CustomModule:
    """One of `beans`: its class, table, template names and own columns as vardefs tell them."""

    name: str
    table: str
    tab: bool
    templates: tuple[str, ...]
    fields: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Package:
    """What a package brings. `texts`: of the language files that go to `application`."""

    manifest: dict[str, Any]
    modules: tuple[CustomModule, ...]
    custom_fields: tuple[dict[str, Any], ...]
    texts: dict[str, Any]


def read(content: bytes) -> Package:
    """Raises ValueError with what the loader wouldn't take."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as zipped:
            files = {n: zipped.read(n).decode() for n in zipped.namelist() if not n.endswith("/")}
    except (zipfile.BadZipFile, UnicodeDecodeError):
        raise ValueError("no zip file of texts") from None
    for name, text in files.items():
        if not name.endswith(_EXTENSIONS) or _FORBIDDEN.search(text):
            raise ValueError(f"{name}: the loader's scanner refuses it")
    if "manifest.php" not in files:
        raise ValueError("no manifest.php")
    given = assignments(files["manifest.php"])
    manifest, defs = given.get("manifest"), given.get("installdefs")
    if not isinstance(manifest, dict) or manifest.get("type") != "module":
        raise ValueError("manifest.php: type must be module")
    if not isinstance(defs, dict) or not defs.get("id"):
        raise ValueError("manifest.php: installdefs has no id")
    copied = _copied(files, defs.get("copy", []))
    return Package(
        manifest,
        tuple(_module(bean, copied) for bean in defs.get("beans", [])),
        tuple(defs.get("custom_fields", [])),
        _texts(files, defs.get("language", [])),
    )


def _copied(files: dict[str, str], entries: list[dict[str, str]]) -> dict[str, str]:
    """Path on the server -> content."""
    found: dict[str, str] = {}
    for entry in entries:
        place = entry["from"].removeprefix(_BASE)
        these = {
            f"{entry['to']}{name.removeprefix(place)}": text
            for name, text in files.items()
            if name == place or name.startswith(f"{place}/")
        }
        if not entry["from"].startswith(_BASE) or not these:
            raise ValueError("manifest.php: copy names a file that isn't in the package")
        found |= these
    return found


def _module(bean: dict[str, Any], copied: dict[str, str]) -> CustomModule:
    name, made, path = str(bean.get("module")), str(bean.get("class")), str(bean.get("path"))
    if not re.search(rf"\bclass {re.escape(made)} extends Basic\b", copied.get(path, "")):
        raise ValueError(f"{name}: no class of a bean at its path")
    vardefs = copied.get(f"modules/{name}/vardefs.php", "")
    definition = assignments(vardefs).get("dictionary", {}).get(made, {})
    created = _CREATE.search(vardefs)
    if not definition.get("table") or created is None or created[1] != name:
        raise ValueError(f"{name}: its vardefs make no table")
    templates = tuple(re.findall(r"'(\w+)'", created[3]))
    fields = definition.get("fields") or {}
    return CustomModule(name, definition["table"], bool(bean.get("tab")), templates, fields)


def _texts(files: dict[str, str], entries: list[dict[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in entries:
        place = entry["from"].removeprefix(_BASE)
        if place not in files:
            raise ValueError("manifest.php: language names a file that isn't in the package")
        if entry["to_module"] == "application":
            found |= assignments(files[place]).get("app_list_strings", {})
    return found
