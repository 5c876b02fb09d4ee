"""A package for the module loader that SugarCRM and SuiteCRM have in common: `manifest.php`,
custom fields on the CRM's own modules, and modules of ours with their tables.

Only literals and one small class per module are written: SuiteCRM's scanner lets no `die` pass, so
files don't begin with the line that the CRM's own have.
Not for: what one of the two accepts (`adapters/<crm>/package.py`).
Source: ModuleInstall/ModuleInstaller.php and modules/DynamicFields of SuiteCRM 7.14.6.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from adapters.base import Description
from adapters.guide import Guide
from adapters.needs import Need, needs
from adapters.provisioning import Packager, ProvisionTrouble
from mappings.loader import Mapping as CrmMapping

_HEAD = "<?php\n"
_LANGUAGE = "en_us"
_DIGITS, _PLACES = "18", "2"
# What a module of template `basic` has without being told.
_BASIC = ("id", "name", "date_entered", "date_modified", "description", "deleted")


class ModulePackage(Packager):
    """`accepts`: what stands in the manifest about versions and editions. `types`: what the loader
    calls a column's type, where that isn't what the metadata show."""

    guide: ClassVar[Guide]
    accepts: ClassVar[Mapping[str, Any]]
    types: ClassVar[Mapping[str, str]] = {}
    templates: ClassVar[tuple[str, ...]] = ("basic",)

    def __init__(self, mapping: CrmMapping, options: Mapping[str, Any]) -> None:
        """Raises ProvisionTrouble on names that the loader would change or refuse."""
        self._prefix = mapping.prefix
        self._id = f"{mapping.prefix}_crm_bridge"
        # Of a CRM that has nothing, everything is needed.
        listed = list(needs(mapping, self.guide, Description({}, {}), options))
        tables = [need for need in listed if need.what == "table" and self._is_ours(need.table)]
        self._modules = {need.table: need for need in tables}
        made = (need for need in listed if need.what == "column" and self._is_made(need))
        self._columns = [replace(n, type=self.types.get(n.type, n.type)) for n in made]
        problems = list(self._problems())
        if problems:
            raise ProvisionTrouble(problems)

    def files(self) -> Iterator[tuple[str, str]]:
        """See Packager."""
        yield "manifest.php", self._manifest()
        yield f"language/application.{_LANGUAGE}.php", self._application_texts()
        for table in self._stock():
            yield f"language/{table}.{_LANGUAGE}.php", _texts(self._of(table))
        for table, need in self._modules.items():
            place = f"modules/{table}"
            yield f"{place}/{table}.php", self._bean(table)
            yield f"{place}/vardefs.php", self._vardefs(table)
            yield f"{place}/language/{_LANGUAGE}.lang.php", _texts(self._of(table), need.label)
            for name, content in self.views(table, self._of(table)):
                yield f"{place}/{name}", content

    def views(self, table: str, columns: Sequence[Need]) -> Iterator[tuple[str, str]]:
        """(path in the module, content) of what staff see of a module of ours."""
        return iter(())

    def _is_ours(self, name: str) -> bool:
        return bool(self._prefix) and name.startswith(f"{self._prefix}_")

    def _is_made(self, need: Need) -> bool:
        if need.table in self._modules:
            return need.name not in _BASIC
        return self._is_ours(need.name)

    def _problems(self) -> Iterator[str]:
        if not self._prefix:
            yield "the mapping has no prefix, so nothing in it is ours to make"
        for need in self._columns:
            if need.table not in self._modules and not need.name.endswith("_c"):
                yield f"{need.field}: a custom field of {need.table} ends in _c"

    def _of(self, table: str) -> list[Need]:
        return [need for need in self._columns if need.table == table]

    def _stock(self) -> list[str]:
        """The CRM's own modules that get fields."""
        return list(dict.fromkeys(n.table for n in self._columns if n.table not in self._modules))

    def _version(self) -> str:
        """Grows with the mapping, so that a longer package is taken for a newer one."""
        room = sum((need.length or 0) + len(need.options) for need in self._columns)
        return f"1.{len(self._columns)}.{room}"

    def _manifest(self) -> str:
        manifest = {
            **self.accepts,
            "author": "CRM bridge",
            "description": "Fields and modules that the CRM bridge's mapping names.",
            "icon": "",
            "is_uninstallable": True,
            "name": "CRM bridge",
            "readme": "",
            "remove_tables": "prompt",
            "type": "module",
            "version": self._version(),
        }
        installdefs = {
            "id": self._id,
            "beans": [_bean_entry(table) for table in self._modules],
            "copy": [
                {"from": f"<basepath>/modules/{table}", "to": f"modules/{table}"}
                for table in self._modules
            ],
            "language": [self._language("application"), *map(self._language, self._stock())],
            "custom_fields": [
                _custom_field(need) for table in self._stock() for need in self._of(table)
            ],
        }
        return f"{_HEAD}{assign('$manifest', manifest)}{assign('$installdefs', installdefs)}"

    @staticmethod
    def _language(module: str) -> dict[str, str]:
        place = f"<basepath>/language/{module}.{_LANGUAGE}.php"
        return {"from": place, "to_module": module, "language": _LANGUAGE}

    def _application_texts(self) -> str:
        lines = [_HEAD]
        for table, need in self._modules.items():
            lines.append(assign(f"$app_list_strings['moduleList']['{table}']", need.label))
            lines.append(assign(f"$app_list_strings['moduleListSingular']['{table}']", need.label))
        for need in self._columns:
            if need.options:
                words = {"": ""} | {str(v): _label(word) for word, v in need.options.items()}
                lines.append(assign(f"$app_list_strings['{_list_name(need)}']", words))
        return "".join(lines)

    def _bean(self, table: str) -> str:
        return (
            f"{_HEAD}\nclass {table} extends Basic\n{{\n"
            "    public $new_schema = true;\n"
            f"    public $module_dir = '{table}';\n"
            f"    public $object_name = '{table}';\n"
            f"    public $table_name = '{table}';\n"
            "    public $importable = false;\n\n"
            "    public function bean_implements($interface)\n    {\n"
            "        return $interface === 'ACL';\n    }\n}\n"
        )

    def _vardefs(self, table: str) -> str:
        columns = self._of(table)
        definition = {
            "table": table,
            "audited": False,
            "duplicate_merge": False,
            "unified_search": False,
            "fields": {need.name: _vardef(need) for need in columns},
            "indices": [
                {
                    "name": f"idx_{table}_{need.name}",
                    "type": "index",
                    "fields": [need.name, "deleted"],
                }
                for need in columns
                if need.to
            ],
            "relationships": {},
            "optimistic_locking": True,
        }
        templates = ", ".join(f"'{name}'" for name in self.templates)
        return (
            f"{_HEAD}{assign(f'$dictionary[{table!r}]', definition)}"
            f"VardefManager::createVardef('{table}', '{table}', array({templates}));\n"
        )


def _bean_entry(table: str) -> dict[str, Any]:
    """`tab`: V8's metadata lists only modules that have one (Api/V8/Helper/ModuleListProvider)."""
    return {"module": table, "class": table, "path": f"modules/{table}/{table}.php", "tab": True}


def _custom_field(need: Need) -> dict[str, Any]:
    """A row of `fields_meta_data`, as Studio exports it."""
    row = {
        "name": need.name,
        "module": need.table,
        "label": text_name(need.name),
        "type": need.type,
        "max_size": str(need.length or ""),
        "require_option": "0",
        "default_value": "",
        "audited": "0",
        "mass_update": "0",
        "duplicate_merge": "0",
        "reportable": "0" if need.secret else "1",
        "importable": "false",
        "ext1": _list_name(need) if need.options else "",
        "ext2": "",
        "ext3": "",
        "ext4": "",
    }
    if need.type == "decimal":
        row |= {"max_size": _DIGITS, "precision": _PLACES, "ext1": _PLACES}
    return row


def _vardef(need: Need) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": need.name,
        "vname": text_name(need.name),
        "type": need.type,
        "required": False,
        "audited": False,
        "importable": "false",
        "massupdate": False,
    }
    if need.type == "datetimecombo":
        made["dbType"] = "datetime"
    if need.type == "bool":
        made["default"] = "0"
    elif need.type == "decimal":
        made |= {"len": _DIGITS, "precision": _PLACES}
    elif need.length:
        made["len"] = str(need.length)
    if need.options:
        made["options"] = _list_name(need)
    return made


def _texts(columns: Sequence[Need], module: str = "") -> str:
    """Labels; of a module of ours also what its menus show."""
    own = {"LBL_MODULE_NAME": module, "LBL_MODULE_TITLE": module, "LBL_LIST_FORM_TITLE": module}
    texts = (own if module else {}) | {text_name(need.name): need.label for need in columns}
    return _HEAD + "".join(assign(f"$mod_strings['{name}']", text) for name, text in texts.items())


def text_name(column: str) -> str:
    """What the column's label is called in language files."""
    return f"LBL_{column.removesuffix('_c').upper()}"


def _list_name(need: Need) -> str:
    return f"{need.table.lower()}_{need.name}_list"


def _label(word: str) -> str:
    return word if word != word.lower() else word.replace("_", " ").capitalize()


def assign(target: str, value: Any) -> str:
    """A PHP statement."""
    return f"{target} = {_php(value)};\n"


def _php(value: Any, depth: int = 0) -> str:
    """A literal. Nothing in a single-quoted string of PHP is special but these two."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    pad = "    " * (depth + 1)
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    named = isinstance(value, Mapping)
    lines = [
        f"{pad}{_php(key) + ' => ' if named else ''}{_php(each, depth + 1)},\n"
        for key, each in pairs
    ]
    return f"array(\n{''.join(lines)}{'    ' * depth})" if lines else "array()"
