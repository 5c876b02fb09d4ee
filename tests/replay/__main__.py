"""`python -m tests.replay [record | CRM …]`: plays the recorded client on a line of each CRM.

With `record` it is recorded anew, on the first. Exit status 1 where an answer differs outside of
what the CRM declares that it can't do.
"""

import sys

from bridge.cli.line import CRM, Line, crms
from tests.replay.play import Player
from tests.replay.trace import TRACE, dump, load


def main(arguments: list[str]) -> int:
    """The exit status."""
    if arguments == ["record"]:
        with Line(crm=CRM) as line:
            TRACE.write_text(dump(Player(line).record()))
        print(f"{TRACE} written")
        return 0
    steps = load()
    found = {name: _differences(name) for name in arguments or crms()}
    for name, differences in found.items():
        print(f"{name}: {len(steps)} steps, {len(differences)} answers differ")
        for sentence in differences:
            print(f"  {sentence}")
    return int(any(found.values()))


def _differences(name: str) -> list[str]:
    with Line(crm=name) as line:
        return Player(line).play(load())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
