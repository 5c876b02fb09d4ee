"""The package for SuiteCRM: what is in it, and what the sandbox's module loader makes of it."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.module_package import assign
from adapters.provisioning import ProvisionTrouble
from adapters.sugarcrm.package import SugarPackage
from adapters.suitecrm.package import SuitePackage
from mappings.loader import Mapping, load
from sandbox.kit.package import read
from sandbox.kit.php import assignments
from sandbox.sugarcrm import install as sugar_install
from sandbox.sugarcrm import schema as sugar_schema
from sandbox.suitecrm import schema
from sandbox.suitecrm.install import install

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "mappings" / "suitecrm.yaml"


@pytest.fixture
def changed(tmp_path: Path) -> Any:
    """`changed(change)`: the shipped mapping with `change(document)` done to it."""

    def make(change: Any) -> Mapping:
        document = yaml.safe_load(SHIPPED.read_text())
        change(document)
        path = tmp_path / "mapping.yaml"
        path.write_text(yaml.safe_dump(document))
        return load(path)

    return make


def test_the_sandbox_starts_with_what_the_package_brings() -> None:
    """A stock server with the package installed is the server that the sandbox plays otherwise."""
    package = SuitePackage(load(SHIPPED), {})

    installed = install(schema.stock(), read(package.packed()))

    assert schema.schema_of(installed) == schema.schema_of(schema.bridged())


def test_sugars_package_brings_what_its_sandbox_starts_with() -> None:
    """Every column that SugarCRM's sandbox has of ours, and as long, by the package alone."""
    mapping = load(ROOT / "mappings" / "sugarcrm.yaml")
    package = read(SugarPackage(mapping, {}).packed())

    made = sugar_install.install(sugar_schema.stock(), package)["modules"]
    played = sugar_schema.bridged()["modules"]

    ours = [(m, f) for m, e in played.items() for f in e["fields"] if f.startswith("cb_")]
    assert len(ours) == 32
    for module, name in ours:
        field, wanted = made[module]["fields"][name], played[module]["fields"][name]
        kinds = {field["type"].replace("combo", ""), wanted["type"].replace("combo", "")}
        assert len(kinds - {"id", "varchar"}) <= 1, name
        if "," not in str(wanted.get("len", ",")):
            assert int(field["len"]) >= int(wanted["len"]), name


def test_the_package_is_the_same_each_time() -> None:
    """Byte for byte, so that a change of it is a change of the mapping."""
    assert SuitePackage(load(SHIPPED), {}).packed() == SuitePackage(load(SHIPPED), {}).packed()


def test_a_field_more_is_a_newer_package_that_takes_nothing_away(changed: Any) -> None:
    """Installed over the first, it adds its column, leaves all others, and has a higher version."""
    first = SuitePackage(load(SHIPPED), {}).packed()
    more = {"club": {"column": "cb_club_c", "type": "text", "length": 30}}
    second = SuitePackage(changed(lambda d: d["kinds"]["member"]["ext"].update(more)), {}).packed()

    before = install(schema.stock(), read(first))
    after = install(before, read(second))

    old, new = (each["modules"]["Contacts"]["fields"] for each in (before, after))
    assert new.keys() - old.keys() == {"cb_club_c"}
    assert old.items() <= new.items()
    versions = [_version(read(each).manifest["version"]) for each in (first, second)]
    assert versions[0] < versions[1]


def _version(text: str) -> list[int]:
    return [int(part) for part in text.split(".")]


def test_staff_can_choose_every_word_of_an_option() -> None:
    """Each choice column names a list of the package, with every value that the mapping writes."""
    package = read(SuitePackage(load(SHIPPED), {}).packed())
    named = {row["name"]: row["ext1"] for row in package.custom_fields if row["type"] == "enum"}
    for module in package.modules:
        columns = module.fields.items()
        named |= {name: given["options"] for name, given in columns if given["type"] == "enum"}

    assert len(named) == 5
    for field in (f for kind in load(SHIPPED).kinds.values() for f in kind.fields.values()):
        if field.column in named:
            values = {v for v in vars(field.converter)["options"].values() if v is not None}
            assert values <= set(package.texts[named[field.column]]), field.name


def test_the_credential_is_kept_out_of_reports_lists_and_imports() -> None:
    """V8 hides no column, but staff's own reports and mass changes needn't show it."""
    package = read(SuitePackage(load(SHIPPED), {}).packed())
    (row,) = (row for row in package.custom_fields if row["name"] == "cb_credential_c")

    assert (row["reportable"], row["importable"], row["mass_update"]) == ("0", "false", "0")


def test_what_the_loader_would_rename_is_refused(changed: Any) -> None:
    """A custom field of the CRM's own module that doesn't end in `_c`, and no prefix at all."""

    def without_ending(document: Any) -> None:
        document["kinds"]["member"]["fields"]["stamp"]["column"] = "cb_stamp"

    with pytest.raises(ProvisionTrouble, match=r"member\.stamp: a custom field of Contacts"):
        SuitePackage(changed(without_ending), {})
    with pytest.raises(ProvisionTrouble, match="no prefix"):
        SuitePackage(changed(lambda document: document.pop("prefix")), {})


def test_only_names_with_the_prefix_are_made(changed: Any) -> None:
    """A column of the CRM's own, or of somebody else's, is never in the package."""

    def elsewhere(document: Any) -> None:
        document["kinds"]["member"]["fields"]["stamp"]["column"] = "other_stamp_c"

    names = {
        row["name"] for row in read(SuitePackage(changed(elsewhere), {}).packed()).custom_fields
    }

    assert "other_stamp_c" not in names
    assert "phone_mobile" not in names


def test_a_label_is_nothing_but_text() -> None:
    """Quotes and backslashes of a label can't end the string that they stand in."""
    label = "It's \\ a 'test'\\"

    text = assign("$mod_strings['LBL_X']", {"a": label, "b": [label, True, 3]})

    assert assignments(text) == {"mod_strings": {"LBL_X": {"a": label, "b": [label, True, 3]}}}
    assert re.search(r"'It\\'s \\\\ a \\'test\\'\\\\'", text)
