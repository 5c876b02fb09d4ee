"""`python -m tests.judges.package [SUITECRM]`: PHP reads the package that `provision` writes, and,
where SUITECRM is the unpacked source of 7.14.6, so do its own package scanner and field classes.

Not for: installing it, which needs a server. It needs `php` on the PATH.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from adapters.suitecrm.package import SuitePackage
from mappings.loader import load

HERE = Path(__file__).parent
MAPPING = HERE.parents[1] / "mappings" / "suitecrm.yaml"


def main() -> int:
    """0 where nobody objects; 2 where PHP is missing."""
    php = shutil.which("php")
    if not php:
        sys.stderr.write("This judge is PHP: install php-cli 8.\n")
        return 2
    with tempfile.TemporaryDirectory() as directory:
        for name, content in SuitePackage(load(MAPPING), {}).files():
            path = Path(directory, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        for path in Path(directory).rglob("*.php"):
            subprocess.run([php, "-l", path], check=True, stdout=subprocess.DEVNULL)
        if len(sys.argv) == 1:
            return 0
        command = [php, "-d", "display_errors=1", HERE / "package.php", directory]
        return subprocess.run(command, cwd=sys.argv[1], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
