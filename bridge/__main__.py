"""`python -m bridge`. Not for: anything but handing over to the command line."""

from bridge.cli.main import main

main()
