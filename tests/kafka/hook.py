"""A receiver of alerts for the tests."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from standardwebhooks import Webhook

SECRET: Final = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXM="


class Hook:
    """A receiver: an HTTP server that keeps what it was told, and refuses at first as often as it is told to."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.failures = 0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.ids.append(self.headers["webhook-id"])
                if hook.failures:
                    hook.failures -= 1
                    self.send_response(503)
                else:
                    hook.bodies.append(Webhook(SECRET).verify(body, dict(self.headers.items())))
                    self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/alerts"

    def told(self, kind: str) -> list[str]:
        return [body["data"]["state"] for body in self.bodies if body["data"]["kind"] == kind]
