"""Sugar's module loader: over REST as the vendor's harness uses it, and by the control plane."""

import io
import zipfile

import pytest

from tests.sandbox.sugar import Sugar, label

MANIFEST = """<?php
$manifest = array(
    'name' => 'Club', 'version' => '1.0', 'type' => 'module',
    'acceptable_sugar_versions' => array('regex_matches' => array('^25[.]')),
    'acceptable_sugar_flavors' => array('ENT', 'ULT'),
);
$installdefs = array(
    'id' => 'acme_club',
    'beans' => array(array('module' => 'acme_Club', 'class' => 'acme_Club',
        'path' => 'modules/acme_Club/acme_Club.php', 'tab' => true)),
    'copy' => array(array('from' => '<basepath>/modules/acme_Club', 'to' => 'modules/acme_Club')),
    'custom_fields' => array(
        array('name' => 'acme_mood_c', 'module' => 'Contacts', 'type' => 'enum',
            'max_size' => '20', 'ext1' => 'acme_mood_list'),
        array('name' => 'acme_score', 'module' => 'Contacts', 'type' => 'decimal',
            'max_size' => '18', 'ext1' => '2'),
    ),
    'language' => array(array('from' => '<basepath>/language/en_us.php',
        'to_module' => 'application', 'language' => 'en_us')),
);
"""
LISTS = """<?php
$app_list_strings['moduleList']['acme_Club'] = 'Clubs';
$app_list_strings['acme_mood_list'] = array('' => '', 'good' => 'Good');
"""
BEAN = "<?php\nclass acme_Club extends Basic {\n}\n"
VARDEFS = """<?php
$dictionary['acme_Club'] = array('table' => 'acme_club', 'fields' => array(
    'acme_seats' => array('name' => 'acme_seats', 'type' => 'int', 'len' => '4'),
    'acme_open' => array('name' => 'acme_open', 'type' => 'bool', 'default' => '0'),
));
VardefManager::createVardef('acme_Club', 'acme_Club', array('basic', 'assignable'));
"""
FILES = {
    "manifest.php": MANIFEST,
    "language/en_us.php": LISTS,
    "modules/acme_Club/acme_Club.php": BEAN,
    "modules/acme_Club/vardefs.php": VARDEFS,
}


def packed(old="", new=""):
    """The package, with one text in it changed."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as zipped:
        for name, text in FILES.items():
            zipped.writestr(name, text.replace(old, new) if old else text)
    return content.getvalue()


def upload(sugar, content):
    """As curl sends a file."""
    url = f"{sugar.root}/rest/v11_24/Administration/packages"
    files = {"upgrade_zip": ("club.zip", content, "application/zip")}
    return sugar.http.post(url, files=files, timeout=10)


def listed(sugar, which):
    """Names of the packages in a list."""
    packages = sugar.call("GET", f"Administration/packages/{which}").json()["packages"]
    return [(each["name"], each["version"]) for each in packages]


def mood(sugar):
    """The definition of the package's field, None where there is none."""
    params = {"type_filter": "modules", "module_filter": "Contacts"}
    modules = sugar.call("GET", "metadata", params=params).json()["modules"]
    return modules["Contacts"]["fields"].get("acme_mood_c")


def test_a_package_is_uploaded_installed_uninstalled_and_deleted(sugar):
    """What it brings is there from its install to its uninstall; records stay."""
    id = sugar.make(last_name="Li")
    staged = upload(sugar, packed()).json()
    assert listed(sugar, "staged") == [("Club", "1.0")]
    assert mood(sugar) is None
    answer = sugar.call("GET", f"Administration/packages/{staged['file_install']}/install")
    assert answer.status_code == 200
    assert (listed(sugar, "staged"), listed(sugar, "installed")) == ([], [("Club", "1.0")])
    assert mood(sugar)["len"] == "20"
    assert sugar.call("GET", "Contacts/enum/acme_mood_c").json() == {"": "", "good": "Good"}
    sugar.call("PUT", f"Contacts/{id}", {"acme_mood_c": "good", "acme_score_c": "1.5"})
    assert sugar.read(id, "acme_mood_c", "acme_score_c") == ["good", 1.5]
    club = sugar.make("acme_Club", name="A", acme_seats=4)
    assert sugar.read(club, "acme_seats", "acme_open", module="acme_Club") == [4, False]
    sugar.call("GET", f"Administration/packages/{staged['id']}/uninstall")
    assert mood(sugar) is None
    assert label(sugar.call("GET", "acme_Club")) == (404, "no_method")
    assert sugar.call("DELETE", f"Administration/packages/{staged['unFile']}").status_code == 200
    assert listed(sugar, "staged") == []
    gone = sugar.call("GET", f"Administration/packages/{staged['file_install']}/install")
    assert label(gone) == (404, "not_found")


def test_packages_are_an_administrators(sugar, sugarcrm):
    """403 for others."""
    writer = Sugar(sugarcrm, "writer")
    assert label(upload(writer, packed())) == (403, "not_authorized")
    answer = writer.call("GET", "Administration/packages/staged")
    assert label(answer) == (403, "not_authorized")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("^25[.]", "^14[.]"),
        ("'ENT', 'ULT'", "'CE'"),
        ("'regex_matches' => array('^25[.]')", ""),
        ("'type' => 'enum'", "'type' => 'currency_id'"),
        ("'ext1' => 'acme_mood_list'", "'ext1' => 'nobody'"),
        ("'basic', 'assignable'", "'assignable'"),
        ("'basic', 'assignable'", "'basic', 'magic'"),
        ("class acme_Club extends Basic", "class acme_Club"),
    ],
)
def test_a_package_that_the_loader_refuses(sugar, old, new):
    """And nothing is changed."""
    staged = upload(sugar, packed(old, new))
    if staged.status_code == 200:
        path = f"Administration/packages/{staged.json()['file_install']}/install"
        assert label(sugar.call("GET", path)) == (422, "invalid_parameter")
    else:
        assert label(staged) == (422, "invalid_parameter")
    assert mood(sugar) is None
    assert listed(sugar, "installed") == []


def test_no_zip_is_no_package(sugar):
    """422."""
    assert label(upload(sugar, b"<?php")) == (422, "invalid_parameter")


def test_the_control_plane_installs_at_once(sugar):
    """A zip in the body, on whatever is there; reset takes it away."""
    sugar.control("package", {"installed": False})
    url = f"{sugar.root}/_sandbox/package"
    headers = {"Content-Type": "application/zip"}
    assert sugar.http.post(url, data=packed(), headers=headers, timeout=10).status_code == 200
    assert mood(sugar)["options"] == "acme_mood_list"
    assert label(sugar.call("GET", "cb_identity")) == (404, "no_method")
    sugar.control("reset")
    assert mood(sugar) is None
    assert sugar.http.post(url, data=b"x", headers=headers, timeout=10).status_code == 400
