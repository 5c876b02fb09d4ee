"""The doctor's look at key files: which, how old, who can read them.

Not for: key material, of which none is shown.
"""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from bridge.cli.checks import Check, failed, ok, unsure
from bridge.keys import FILES, Keys

_DAY = 86_400
_OLD = 400
"""Days after which a file that can be rotated should be (docs/deploy.md, "Keys")."""
_FOR_LIFE = ("identity", "subject", "index")
"""Never rotated, or only with empty mailboxes."""


def checks(directory: Path, keys: Keys) -> Iterator[Check]:
    """All of them."""
    own = [name for name, roles in FILES.items() if keys.role in roles]
    yield _files(own, keys)
    yield _age({name: (directory / name).stat().st_mtime for name in own})
    loose = [name for name in own if (directory / name).stat().st_mode & 0o077]
    if loose:
        do = "chmod 0400 the files and 0700 the directory, owned by the process's user"
        yield failed("keys, permissions", f"others can read {', '.join(loose)}", do)


def _files(own: list[str], keys: Keys) -> Check:
    """How many of each, by key id."""
    sealed = {name: [kid for kid, _ in keys[name]] for name in own if not name.endswith(".json")}
    count, kids = len(own), sorted({kid for each in sealed.values() for kid in each})
    aged = [name for name, each in sealed.items() if len(each) > 1]
    said = f"{count} files of this role and none of the other's; key ids {', '.join(kids)}"
    return ok("keys", said + (f"; with a previous key: {', '.join(aged)}" if aged else ""))


def _age(written: Mapping[str, float]) -> Check:
    """By when the files were written; copying without `cp -p` makes them younger."""
    days = {name: int((time.time() - moment) / _DAY) for name, moment in written.items()}
    old = [name for name, age in days.items() if age > _OLD and name not in _FOR_LIFE]
    said = f"the oldest file was written {max(days.values())} days ago"
    if old:
        do = "rotate them, one at a time, as docs/deploy.md says"
        return unsure("keys, age", f"{said}; over {_OLD} days: {', '.join(old)}", do)
    return ok("keys, age", said)
