"""Keys are rotated under a running line: nothing is refused, and nothing is done twice."""

from pathlib import Path

from bridge.cli.journey import Journey
from bridge.cli.line import Line
from bridge.seal import b64
from tests.flows.on_the_line.conftest import ROOMY, Watch, journey_of
from tests.flows.on_the_line.crm import Crm
from tests.flows.on_the_line.test_crm_trouble import patch

NEW = f"new {b64(b'n' * 32)}"


def _rewrite(line: Line, name: str, change: str, roles: tuple[str, ...]) -> None:
    """The roles' files: `behind` or `front` for the new key."""
    for role in roles:
        path = Path(line.directory / "keys" / role / name)
        old = next(text for text in path.read_text().splitlines() if text != NEW)
        path.chmod(0o600)
        path.write_text("\n".join([old, NEW] if change == "behind" else [NEW, old]) + "\n")


def _member(line: Line, watch: Watch) -> Journey:
    journey = journey_of(line, watch)
    journey.phone = journey.desktop()
    journey.phone.get(f"{line.url}/register")
    journey.prove_mobile()
    journey.give_details()
    journey.sign_in()
    return journey


def test_the_envelope_key_is_rotated_without_a_gap() -> None:
    """New key behind, then in front, with web and worker restarted one after the other."""
    with Line(overrides=ROOMY) as line:
        watch = Watch(line)
        journey = _member(line, watch)
        statuses = []
        for change in ("behind", "front"):
            _rewrite(line, "envelope", change, ("web", "worker"))
            for part in ("worker", "web"):
                line.children[part].stop()
                (line.start_worker if part == "worker" else line.start_web)()
                statuses.append(patch(journey, f"{change} {part}").status_code)

        assert statuses == [204] * 4
        assert watch.findings() == []


def test_a_retry_across_a_new_operation_key_is_the_same_write() -> None:
    """The key of operation ids is rotated between a request and its repetition: one effect."""
    key = {"Idempotency-Key": '"a-key-of-sixteen-characters"'}
    with Line(overrides=ROOMY) as line:
        crm, watch = Crm(line), Watch(line)
        journey = _member(line, watch)
        since = crm.last()
        first = patch(journey, "同一次", **key)
        _rewrite(line, "operation", "front", ("web",))
        line.children["web"].stop()
        line.start_web()
        again = patch(journey, "同一次", **key)

        assert (first.status_code, again.status_code) == (204, 204)
        assert crm.effects("given_name", since) == ["同一次"]
        assert watch.findings() == []
