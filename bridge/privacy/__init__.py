"""The privacy scanner: looks for planted values where something may rest. Not for: preventing it.

`forms.py` knows how a value may be disguised, `places.py` where to look, `scan.py` puts both
together, and `report.py` writes `docs/privacy.md`.
"""

from bridge.privacy.forms import Canary, Finder
from bridge.privacy.scan import Finding, Scan

__all__ = ["Canary", "Finder", "Finding", "Scan"]
