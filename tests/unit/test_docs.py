"""What the documents name exists: commands, settings, files, routes, links."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from marshmallow import Schema
from marshmallow.fields import Dict, List, Nested

from adapters.conformance.live import LIVE
from bridge.api.routes import ROUTES
from bridge.cli.main import cli
from config.schema import Root

ROOT = Path(__file__).parents[2]
FOLDERS = (".", "adapters", "deploy", "docs", "docs/decisions", "sandbox", "tests")
PAGES = sorted(page for folder in FOLDERS for page in (ROOT / folder).glob("*.md"))
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_MAKE = re.compile(r"(?<!keys )\bmake ([a-z-]+)(?=[ `\n)]|$)")
_BRIDGE = re.compile(r"python -m bridge ((?:[a-z-]+ ?){1,2})((?:--[a-z-]+[^`|\n#]*)?)")
_VARIABLE = re.compile(r"\bBRIDGE_[A-Z0-9_]+\b(?!…)")
_PLACES = "adapters|benchmarks|bridge|config|deploy|docs|mappings|prove|sandbox|tests"
_PATH = re.compile(rf"(?<![\w/.])((?:{_PLACES})/[\w./-]*\w/?|[a-z-]+\.(?:py|toml|in))(?![\w*<])")
_ROUTE = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) (/v1/[\w/{}<>-]+|/healthz|/readyz)")
_WORKING = {"BRIDGE_CONFIG", "BRIDGE_ENVIRONMENT", "BRIDGE_REQUIRE_BROWSER"}
_LIVE = {"BRIDGE_LIVE_"} | {name for live in LIVE.values() for name in live.variables()}
_TO_BE_MADE = {"config/production.yaml", "config/clients.yaml", "benchmarks/results/latest.json"}
_ELSEWHERE = {"POST /v1/qr-codes"}  # bridge/wechat/routes.py, where an account is configured
_PYTHONS = {"http.client"}


def _settings(schema: Schema, path: str = "") -> Iterator[tuple[str, bool]]:
    """(dotted name, whether anything may stand below it)."""
    for name, field in schema.fields.items():
        yield f"{path}{name}", isinstance(field, Dict | List)
        if isinstance(field, Nested):
            yield from _settings(field.schema, f"{path}{name}.")


SETTINGS = dict(_settings(Root()))
SECTIONS = "|".join(sorted(name for name in SETTINGS if "." not in name))
_SETTING = re.compile(rf"`((?:{SECTIONS})(?:\.[a-z_]+)+)")


def _is_setting(name: str) -> bool:
    """Is it one, or below one that takes any name (`crm.options.url`)?"""
    if name in SETTINGS:
        return True
    return any(open_ and name.startswith(f"{known}.") for known, open_ in SETTINGS.items())


def _code(page: Path) -> str:
    """Blocks and inline code, which is where commands and names stand."""
    text = page.read_text()
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))


def _shown(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(params=PAGES, ids=_shown)
def page(request: pytest.FixtureRequest) -> Path:
    """Each page that people read."""
    found: Path = request.param
    return found


def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link or picture names a file that is there."""
    links = [link.partition("#")[0] for link in _LINK.findall(page.read_text())]
    named = [link for link in links if link and not re.match(r"[a-z]+:", link)]

    assert [link for link in named if not (page.parent / link).exists()] == []


def test_every_make_target_exists(page: Path) -> None:
    """`make x` in a document is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(_MAKE.findall(_code(page))) - targets == set()


def test_every_command_and_option_exists(page: Path) -> None:
    """`python -m bridge x --y` is a command, with that option."""
    for words, rest in _BRIDGE.findall(_code(page)):
        command = _command(words.split())
        known = {option for each in command.params for option in each.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) - known == set(), words


def _command(words: list[str]) -> click.Command:
    found: click.Command = cli
    for word in words:
        if not isinstance(found, click.Group):
            break
        assert word in found.commands, words
        found = found.commands[word]
    return found


def test_every_setting_exists(page: Path) -> None:
    """A setting by its dotted name, or as a variable, is in `config/schema.py`."""
    text = page.read_text()
    variables = set(_VARIABLE.findall(text)) - _WORKING - _LIVE
    named = {name.removeprefix("BRIDGE_").lower().replace("__", ".") for name in variables}
    plain = {name if _is_setting(name) else name.removesuffix("_file") for name in named}

    dotted = {name for name in _SETTING.findall(text) if not name.endswith(".py")}

    unknown = {name for name in plain | dotted if not _is_setting(name)}
    assert unknown - _events() - _PYTHONS == set()


def _events() -> set[str]:
    """Names of the log lines that the code writes."""
    written = (path.read_text() for path in (ROOT / "bridge").rglob("*.py"))
    return set(re.findall(r"log\.(?:event|failure)\(\s*\"([a-z._-]+)\"", "\n".join(written)))


def test_every_event_to_watch_is_written() -> None:
    """The log events of docs/deploy.md are those of the code."""
    rows = (ROOT / "docs" / "deploy.md").read_text().splitlines()
    watched = {
        name
        for row in rows
        if row.startswith("| log event")
        for name in re.findall(r"`([a-z._-]+)`", row)
    }

    assert watched
    assert watched - _events() == set()


def test_every_file_exists(page: Path) -> None:
    """A path of ours that a document names is there."""
    named = {path.rstrip("./") for path in _PATH.findall(_code(page))} - _TO_BE_MADE
    near = (ROOT, page.parent, ROOT / "bridge", ROOT / "sandbox")

    assert {name for name in named if not any(_there(base, name) for base in near)} == set()


def _there(base: Path, name: str) -> bool:
    return (base / name).exists() or any(base.glob(f"*/{name}"))


def test_every_route_exists(page: Path) -> None:
    """A method and path of the API is in the table of routes."""
    text = page.read_text().replace("<br>", "\n")
    known = {f"{route.method} {_plain(route.path)}" for route in ROUTES} | _ELSEWHERE
    named = {f"{method} {_plain(path)}" for method, path in _ROUTE.findall(text)}

    assert named - known == set()


def _plain(path: str) -> str:
    return re.sub(r"[{<]\w+[}>]", "*", path).rstrip("/")


def test_the_table_of_decisions_is_whole() -> None:
    """Each decision is listed, under the title that it has."""
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text()

    for each in folder.glob("0*.md"):
        title = each.read_text().partition("\n")[0].removeprefix("# ")
        assert f"[{title}]({each.name})" in listed


def test_the_readme_is_short() -> None:
    """A stranger reads it in one go."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 250


def test_no_document_names_a_place_on_somebodys_machine() -> None:
    """Documents speak of no home directory and no temporary one but `/tmp/state.json`."""
    for each in PAGES:
        found = re.findall(r"(?<![\w.])/(?:home|root|Users|work|tmp)/[\w./-]+", each.read_text())
        assert set(found) <= {"/tmp/state.json"}, _shown(each)  # noqa: S108 - compared, not opened
