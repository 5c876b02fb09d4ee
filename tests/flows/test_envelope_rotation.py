"""The envelope key is rotated under a running line, without a refused write."""

from pathlib import Path

from bridge.cli.line import Line
from bridge.seal import b64
from tests.flows.on_the_line.conftest import ROOMY, Watch, journey_of
from tests.flows.on_the_line.test_crm_trouble import patch

NEW = f"new {b64(b'n' * 32)}"


def _rewrite(line: Line, change: str) -> None:
    """Both roles' files: `behind` or `front` for the new key."""
    for role in ("web", "worker"):
        path = Path(line.directory / "keys" / role / "envelope")
        old = next(text for text in path.read_text().splitlines() if text != NEW)
        path.chmod(0o600)
        path.write_text("\n".join([old, NEW] if change == "behind" else [NEW, old]) + "\n")


def test_the_envelope_key_is_rotated_without_a_gap() -> None:
    """New key behind, then in front, with web and worker restarted one after the other."""
    with Line(overrides=ROOMY) as line:
        journey = journey_of(line, Watch(line))
        journey.phone = journey.desktop()
        journey.phone.get(f"{line.url}/register")
        journey.prove_mobile()
        journey.give_details()
        journey.sign_in()
        statuses = []
        for change in ("behind", "front"):
            _rewrite(line, change)
            for part in ("worker", "web"):
                line.children[part].stop()
                (line.start_worker if part == "worker" else line.start_web)()
                statuses.append(patch(journey, f"{change} {part}").status_code)

        assert statuses == [204] * 4
