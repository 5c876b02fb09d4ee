"""Our package for SuiteCRM's module loader (Admin > Module Loader). Not for: installing it.

Read in the source of 7.14.6, and not installed on a server: see docs/suitecrm.md.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from adapters.module_package import ModulePackage, assign, text_name
from adapters.needs import Need
from adapters.suitecrm.guide import GUIDE

_WIDTHS = [{"label": "10", "field": "30"}, {"label": "10", "field": "30"}]
_SHOWN = 4
"""Columns in the list that staff see."""


class SuitePackage(ModulePackage):
    """Custom fields of Contacts, and one module per table of ours."""

    guide = GUIDE
    # 7.14 and what follows it, and SuiteCRM 8's legacy part, call themselves Sugar 6.5 inside.
    accepts: ClassVar[dict[str, object]] = {
        "acceptable_sugar_flavors": ["CE"],
        "acceptable_sugar_versions": {"regex_matches": [r"^6\.5\."]},
        "acceptable_suitecrm_versions": {"regex_matches": [r"^7\.1[0-9]\.", r"^8\."]},
    }

    def views(self, table: str, columns: Sequence[Need]) -> Iterator[tuple[str, str]]:
        """List and form without which a click on the module's tab is an error page."""
        names = ["name", *(need.name for need in columns if not need.secret)]
        listed = {name.upper(): _listed(name) for name in names[: _SHOWN + 1]}
        rows = [[name] for name in names]
        basic = {"maxColumns": "2", "widths": _WIDTHS}
        search = {
            "templateMeta": {"maxColumns": "3", "maxColumnsBasic": "4", "widths": _WIDTHS[0]},
            "layout": {"basic_search": ["name"], "advanced_search": ["name"]},
        }
        detail = {"templateMeta": {"form": {"buttons": []}, **basic}, "panels": {"default": rows}}
        edit = {"templateMeta": basic, "panels": {"default": [["name"]]}}
        yield "metadata/listviewdefs.php", _view(f"$listViewDefs['{table}']", listed)
        yield "metadata/searchdefs.php", _view(f"$searchdefs['{table}']", search)
        yield "metadata/detailviewdefs.php", _view(f"$viewdefs['{table}']['DetailView']", detail)
        yield "metadata/editviewdefs.php", _view(f"$viewdefs['{table}']['EditView']", edit)


def _listed(name: str) -> dict[str, object]:
    return {"width": "20", "label": text_name(name), "default": True, "link": name == "name"}


def _view(target: str, definition: object) -> str:
    return f"<?php\n{assign(target, definition)}"
