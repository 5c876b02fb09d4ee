"""Each role holds its own keys and refuses the other's."""

from pathlib import Path

import pytest

from bridge.keys import FILES, Keys, KeyTrouble, make


def test_made_keys_serve_both_roles_and_agree(tmp_path: Path) -> None:
    """What both roles need is the same; what one role needs the other doesn't have."""
    make(tmp_path)

    web, worker = Keys(tmp_path / "web", "web"), Keys(tmp_path / "worker", "worker")

    assert web.one("envelope") == worker.one("envelope")
    with pytest.raises(KeyError):
        web["private"]
    assert not (tmp_path / "web" / "private").exists()
    assert not (tmp_path / "worker" / "keyring").exists()
    assert web.id_token_key().as_dict(private=False)["crv"] == "P-256"


def test_key_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    """Nobody else on the host reads a key."""
    make(tmp_path)

    assert all(
        (tmp_path / "web" / n).stat().st_mode & 0o777 == 0o400
        for n, roles in FILES.items()
        if "web" in roles
    )


def test_a_private_key_on_the_web_tier_is_refused(tmp_path: Path) -> None:
    """A process refuses to start with a key of the other role."""
    make(tmp_path)
    (tmp_path / "web" / "private").write_text((tmp_path / "worker" / "private").read_text())

    with pytest.raises(KeyTrouble) as caught:
        Keys(tmp_path / "web", "web")

    assert "private" in caught.value.problems[0]


def test_every_mistake_is_listed_at_once(tmp_path: Path) -> None:
    """A missing and a malformed key are both named, without key material."""
    make(tmp_path)
    (tmp_path / "web" / "link").unlink()
    bad = tmp_path / "web" / "index"
    bad.chmod(0o600)
    bad.write_text("k1 not-a-key\n")

    with pytest.raises(KeyTrouble) as caught:
        Keys(tmp_path / "web", "web")

    assert len(caught.value.problems) == 2
    assert "not-a-key" not in str(caught.value)


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    """A second `keys make` in the same place is refused: identity keys are for life."""
    make(tmp_path)

    with pytest.raises(FileExistsError):
        make(tmp_path)
