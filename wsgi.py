"""The web process's entry point, for any WSGI server. Not for: anything else."""

from bridge.app import create_app
from bridge.parts import web_parts

app = create_app(web_parts())
