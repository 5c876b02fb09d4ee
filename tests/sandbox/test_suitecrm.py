"""What was measured on a real SuiteCRM 7.14.6 beyond the recordings, and what isn't played."""

import pytest
import requests

from sandbox.kit.run import running
from sandbox.suitecrm import values

ID = "aaaaaaaa-0000-4000-8000-000000000001"
FIELDS = "fields%5BContacts%5D"


class Suite:
    """A client of the V8 API."""

    def __init__(self, ready):
        self.ready = ready
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = ready["ca_file"]
        sent = {"grant_type": "client_credentials", "client_id": ready["client_id"]}
        sent["client_secret"] = ready["client_secret"]
        token = self.call("POST", "access_token", json=sent).json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    def call(self, method, path, **given):
        """One request below /Api/."""
        return self.http.request(method, f"{self.ready['url']}/Api/{path}", timeout=10, **given)

    def write(self, method, **attributes):
        """A POST or PATCH of the one contact."""
        data = {"type": "Contacts", "id": ID, "attributes": attributes}
        return self.call(method, "V8/module", json={"data": data})

    def read(self, *names):
        """What a GET shows of it."""
        answer = self.call("GET", f"V8/module/Contacts/{ID}?{FIELDS}={','.join(names)}")
        attributes = answer.json()["data"]["attributes"]
        return [attributes[name] for name in names]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """One sandbox for the tests of this file."""
    with running({"suitecrm": 0}, tmp_path_factory.mktemp("suitecrm")) as ready:
        yield Suite(ready["suitecrm"])


@pytest.fixture
def suite(served):
    """Empty, with our package."""
    served.http.post(f"{served.ready['url']}/_sandbox/reset", timeout=10)
    return served


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("2026-12-01 10:00:31", "2026-12-01T10:00:00+00:00"),
        ("2026-12-01T10:00:00Z", ""),
        ("2026-12-01T10:00:00+00:00", ""),
        ("2026-12-01T10:00:00", ""),
        ("2026-12-01 10:00", ""),
    ],
)
def test_datetimes(sent, shown):
    """Only `YYYY-MM-DD HH:MM:SS` is kept; ISO is nothing; what is kept is shown to the minute."""
    assert values.shown("datetime", values.kept("datetime", sent, None)) == shown


def test_impossible_date(suite):
    """A day that doesn't exist is kept as nothing, with 201."""
    assert suite.write("POST", birthdate="2000-02-30").status_code == 201
    assert suite.read("birthdate") == [""]


def test_changes_that_are_dropped(suite):
    """A change of e-mail or of the opt-out is answered 201 and lost."""
    suite.write("POST", email1="a@example.com")
    assert suite.write("PATCH", email1="b@example.com", email_opt_out="1").status_code == 201
    assert suite.read("email1", "email_opt_out") == ["a@example.com", "0"]


def test_scripts_are_cut(suite):
    """A script is cut out of a text without a word."""
    suite.write("POST", last_name="a<script>alert(1)</script>b")
    assert suite.read("last_name") == ["ab"]


def test_the_date_modified_that_is_sent_is_ignored(suite):
    """There is no version to write on."""
    suite.write("POST", last_name="x")
    (before,) = suite.read("date_modified")
    suite.write("PATCH", date_modified="2000-01-01 00:00:00", first_name="y")
    assert suite.read("date_modified", "first_name")[0] >= before


def test_filters_compare_as_mysql(suite):
    """Case and spaces at the end don't count; null meets no comparison."""
    suite.write("POST", last_name="Lee")
    for text, rows in (("LEE", 1), ("lee ", 1), ("Le", 0)):
        path = f"V8/module/Contacts?{FIELDS}=last_name&filter%5Blast_name%5D%5Beq%5D={text}"
        assert len(suite.call("GET", path).json()["data"]) == rows
    path = f"V8/module/Contacts?{FIELDS}=last_name&filter%5Bfirst_name%5D%5Bneq%5D=x"
    assert suite.call("GET", path).json()["data"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "V8/current-user"),
        ("GET", "V8/module/Nope"),
        ("GET", "V8/module/Contacts?filter%5Blast_name%5D%5Beq%5D="),
        ("GET", "V8/module/Contacts?nosuch=1"),
        ("GET", "V8/meta/fields/Accounts"),
        ("PUT", "V8/module"),
        ("GET", "access_token"),
        ("GET", "V9/module/Contacts"),
    ],
)
def test_what_was_never_recorded(suite, method, path):
    """It is answered 501, never with a guess."""
    answer = suite.call(method, path)
    assert answer.status_code == 501
    assert answer.json()["errors"]["detail"].startswith("The sandbox does not play this")


def test_control_plane(suite):
    """Faults, requests seen, seed and state are the kit's; tokens can be ended."""
    url = f"{suite.ready['url']}/_sandbox"
    made = suite.http.post(f"{url}/seed", json={"Contacts": [{"id": ID, "last_name": "Lee"}]})
    assert made.json()["result"] == {"Contacts": [ID]}
    assert suite.http.get(f"{url}/state").json()["tables"]["Contacts"][0]["last_name"] == "Lee"
    suite.http.post(f"{url}/faults", json={"kind": "status", "status": 503})
    assert suite.call("GET", "V8/meta/modules").status_code == 503
    assert suite.http.get(f"{url}/requests").json()["requests"][-1]["fault"] == "status"
    before = suite.http.headers["Authorization"]
    suite.http.post(f"{url}/tokens", json={"expire": True})
    assert suite.call("GET", "V8/meta/modules").status_code == 401
    fresh = Suite(suite.ready)
    suite.http.headers["Authorization"] = fresh.http.headers["Authorization"]
    assert suite.http.headers["Authorization"] != before
