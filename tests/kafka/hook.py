"""A receiver of alerts: an HTTP server that keeps what it was told, and under which ids."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXM="
SECRET_ENV = "HOOK_SECRET"


class Hook:
    """It refuses at first as often as it is told to, and answers while it may. `ids` has every try, `bodies` what was
    taken.
    """

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.taken: list[str] = []  # ids of `bodies`
        self.failures = 0
        self.may_answer = Event()
        self.may_answer.set()
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
                    hook.taken.append(self.headers["webhook-id"])
                    hook.may_answer.wait()
                    self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/alerts"

    def told(self, kind: str) -> list[str]:
        return [body["data"]["state"] for body in self.bodies if body["data"]["kind"] == kind]


@contextmanager
def receiving() -> Iterator[Hook]:
    """A receiver that listens meanwhile; who tells it needs `SECRET` in the variable `SECRET_ENV`."""
    made = Hook()
    thread = Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join()
