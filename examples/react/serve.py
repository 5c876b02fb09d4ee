"""Serve the member page on 127.0.0.1, for the demo and the tests. Python's own server is enough:
everything is in `public/`, and `/config.json` says where the bridge is.

Not for: production, where any server of static files does it. Keep the policy that is sent here:
the page needs its own scripts and styles, and calls to the bridge.

    python examples/react/serve.py --port 8001 --bridge http://127.0.0.1:8000
"""

import argparse
import json
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PUBLIC = Path(__file__).with_name("public")


class Handler(SimpleHTTPRequestHandler):
    """Files of `public/`, and the configuration."""

    def __init__(self, *args: Any, bridge: str, port: int) -> None:
        own = f"http://127.0.0.1:{port}/"
        self.config = {"bridge": bridge, "client_id": "react", "return_to": own}
        super().__init__(*args, directory=str(PUBLIC))

    def do_GET(self) -> None:
        """`/config.json` or a file."""
        if self.path != "/config.json":
            super().do_GET()
            return
        body = json.dumps(self.config).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        """What every answer has."""
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header(
            "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
            f"connect-src 'self' {self.config['bridge']}; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'",
        )
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """No log: a URL says where a sign-in came back."""


def main() -> None:
    """Until it is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--bridge", default="http://127.0.0.1:8000")
    given = parser.parse_args()
    handler = partial(Handler, bridge=given.bridge, port=given.port)
    ThreadingHTTPServer(("127.0.0.1", given.port), handler).serve_forever()


if __name__ == "__main__":
    main()
