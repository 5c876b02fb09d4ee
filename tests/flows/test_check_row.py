"""A process that holds another identity key than the CRM's refuses to start."""

import pytest

from bridge import keys
from bridge.cli.line import Line
from bridge.parts import web_parts, worker_parts
from config.settings import ConfigTrouble


@pytest.mark.parametrize("role", ["web", "worker"])
def test_another_identity_key_refuses_to_start(role: str) -> None:
    """Under another key everybody would be registered anew: both roles refuse, and say why."""
    make = web_parts if role == "web" else worker_parts
    with Line() as line:
        environ = line.environ(role)
        make(environ)  # with its own key it starts

        keys.make(line.directory / "other")
        mine = line.directory / "keys" / role / "identity"
        mine.chmod(0o600)
        mine.write_text((line.directory / "other" / role / "identity").read_text())
        with pytest.raises(ConfigTrouble) as refused:
            make(environ)

    assert "check row" in str(refused.value)
