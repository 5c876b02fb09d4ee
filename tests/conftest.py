"""For all tests: everything is on this machine, so no proxy of the shell's stands between."""

import os

os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
