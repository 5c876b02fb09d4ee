"""What every part of the sandbox is built from: clock, faults, log of requests, server, own CA.

Not for anything that belongs to one remote system; that lives in the part's own folder.
"""

from sandbox.kit.part import Beside, Kit, Part

__all__ = ["Beside", "Kit", "Part"]
