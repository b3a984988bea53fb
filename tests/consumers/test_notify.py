"""Telling receivers: what they get, in which order, and what becomes of failures."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from threading import Event, Thread
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook

from consumers import notify
from consumers.alerts_log import Delivery, Row
from consumers.notify import Courier, Result
from consumers.receivers import alertmanager_alert, delivery_id
from monitor.frames import ALERTS
from monitor.policy.model import Receiver

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECRET = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXM="


def alert(identity: str = "a-1", state: str = "firing", **changed: Any) -> Row:
    known = {"id": identity, "kind": "burn", "severity": "page", "sla": "answers", "service": "billing"}
    known |= {"state": state, "reason": "burning", "title": "billing: Answered in time", "detail": "12 of 80"}
    return dict.fromkeys(ALERTS) | known | {"since": T0, "at": T0, "wall": T0, "values": '{"n":80}'} | changed


class Server:
    """An HTTP server that answers what it is told to, then 204, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.requests: list[tuple[dict[str, str], str]] = []
        self.may_answer = Event()
        self.may_answer.set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                server.requests.append(({k.lower(): v for k, v in self.headers.items()}, body))
                server.may_answer.wait()
                self.send_response(server.answers.pop(0) if server.answers else 204)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_port


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


@pytest.fixture
async def courier(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Courier]:
    monkeypatch.setattr(notify, "FIRST_PAUSE", timedelta(milliseconds=5))
    monkeypatch.setattr(notify, "LONGEST_PAUSE", timedelta(milliseconds=20))
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    made = Courier()
    yield made
    await made.close()


async def until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not true():
        assert asyncio.get_running_loop().time() < deadline, "waited in vain"
        await asyncio.sleep(0.01)


def hook(port: int, **more: Any) -> Receiver:
    return Receiver.model_validate({"webhook": f"http://127.0.0.1:{port}/x", **more})


async def test_a_webhook_is_signed_and_carries_type_time_and_alert(courier: Courier, server: Server) -> None:
    courier.use({"hook": hook(server.port, secret_env="HOOK_SECRET")})
    courier.send([Delivery("hook", alert())])
    await until(lambda: len(courier.settled()) == 1)
    headers, body = server.requests[0]
    payload = Webhook(SECRET).verify(body, headers)
    assert payload["type"] == "sqm.alert.firing"
    assert payload["timestamp"] == "2026-11-20T12:00:00Z"
    assert payload["data"]["labels"] == {"service": "billing"}
    assert payload["data"]["values"] == {"n": 80}
    assert headers["webhook-id"] == "a-1.firing.1795176000000"
    assert courier.counts == {("hook", Result.DELIVERED): 1}


async def test_what_fails_is_tried_again_under_the_same_id_and_nothing_overtakes_it(
    courier: Courier, server: Server
) -> None:
    server.answers = [500, 503, 429]
    courier.use({"hook": hook(server.port)})
    courier.send([Delivery("hook", alert()), Delivery("hook", alert(state="resolved"))])
    await until(lambda: len(courier.settled()) == 2)
    ids = [headers["webhook-id"] for headers, _ in server.requests]
    assert ids == [delivery_id(alert())] * 4 + [delivery_id(alert(state="resolved"))]
    assert courier.counts == {("hook", Result.RETRIED): 3, ("hook", Result.DELIVERED): 2}


async def test_what_is_refused_as_such_is_given_up_and_the_next_is_told(courier: Courier, server: Server) -> None:
    server.answers = [400]
    courier.use({"hook": hook(server.port)})
    courier.send([Delivery("hook", alert("a-1")), Delivery("hook", alert("a-2"))])
    await until(lambda: len(courier.settled()) == 2)
    assert courier.counts == {("hook", Result.GIVEN_UP): 1, ("hook", Result.DELIVERED): 1}


async def test_no_receiver_waits_for_another(courier: Courier, server: Server) -> None:
    with closing(socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))  # nothing listens there
        courier.use({"away": hook(nobody.getsockname()[1]), "hook": hook(server.port)})
        courier.send([Delivery("away", alert()), Delivery("hook", alert())])
        await until(lambda: [d.receiver for d in courier.settled()] == ["hook"])
        await until(lambda: courier.counts["away", Result.RETRIED] >= 3)


async def test_the_same_delivery_is_taken_once_until_it_is_recorded(courier: Courier, server: Server) -> None:
    courier.use({"hook": hook(server.port)})
    for _ in range(3):
        courier.send([Delivery("hook", alert())])
    await until(lambda: len(courier.settled()) == 1)
    courier.send([Delivery("hook", alert())])
    courier.recorded(courier.settled())
    assert courier.settled() == []
    assert len(server.requests) == 1


async def test_who_stops_hears_the_answer_to_what_is_being_told_and_tells_nothing_more(
    courier: Courier, server: Server
) -> None:
    server.may_answer.clear()
    courier.use({"hook": hook(server.port)})
    courier.send([Delivery("hook", alert("a-1")), Delivery("hook", alert("a-2"))])
    await until(lambda: len(server.requests) == 1)
    asyncio.get_running_loop().call_soon(server.may_answer.set)
    await courier.stop()
    assert [delivery.alert["id"] for delivery in courier.settled()] == ["a-1"]
    assert len(server.requests) == 1


async def test_who_stops_does_not_wait_long_for_an_answer(
    courier: Courier, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "LAST_WORDS_SECONDS", 0.05)
    server.may_answer.clear()
    courier.use({"hook": hook(server.port)})
    courier.send([Delivery("hook", alert())])
    await until(lambda: len(server.requests) == 1)
    await courier.stop()
    server.may_answer.set()
    assert courier.settled() == []


SECRETS = {
    "not set": ({"secret_env": "NO_SUCH_SECRET"}, "environment variable NO_SUCH_SECRET is not set"),
    "no file": ({"secret_file": "/no/such/file"}, "/no/such/file cannot be read"),
    "not base64": ({"secret_env": "BAD_SECRET"}, "its secret is not usable"),
}


@pytest.mark.parametrize(("secret", "said"), SECRETS.values(), ids=SECRETS)
async def test_a_secret_that_is_not_usable_is_said_and_never_shown(
    secret: dict[str, str],
    said: str,
    courier: Courier,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("BAD_SECRET", "whsec_")
    courier.use({"hook": hook(server.port, **secret)})
    courier.send([Delivery("hook", alert())])
    await until(lambda: courier.counts["hook", Result.RETRIED] >= 1)
    shown = "".join(capsys.readouterr())
    assert said in shown
    assert "whsec_" not in shown.replace("it is whsec_ and base64", "")
    assert server.requests == []


async def test_a_receiver_that_left_the_policy_is_given_up(courier: Courier) -> None:
    courier.send([Delivery("gone", alert())])
    await until(lambda: courier.counts == {("gone", Result.GIVEN_UP): 1})


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # apprise loads what the next Python no longer has
async def test_an_apprise_address_gets_title_and_detail(
    courier: Courier, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS_URL", f"json://127.0.0.1:{server.port}/")
    courier.use({"ops": Receiver(apprise_env="OPS_URL")})
    courier.send([Delivery("ops", alert()), Delivery("ops", alert(state="resolved"))])
    await until(lambda: len(courier.settled()) == 2)
    told = [json.loads(body) for _, body in server.requests]
    assert [(t["title"], t["message"], t["type"]) for t in told] == [
        ("FIRING (page) billing: Answered in time", "12 of 80", "failure"),
        ("RESOLVED (page) billing: Answered in time", "12 of 80", "success"),
    ]


def test_alertmanager_tells_alerts_apart_by_what_does_not_move() -> None:
    told = alertmanager_alert(alert(), T0 + timedelta(seconds=5))
    assert told["labels"] == {"alertname": "sqm_burn", "severity": "page", "sla": "answers", "service": "billing"}
    assert (told["startsAt"], told["endsAt"]) == (T0.isoformat(), (T0 + timedelta(seconds=305)).isoformat())
    breach = alert(kind="breach", case="c-1", clock="first_response", cycle=1)
    assert "service" not in alertmanager_alert(breach, T0)["labels"]
    over = alertmanager_alert(alert(state="resolved", ended=T0 + timedelta(minutes=1)), T0 + timedelta(minutes=2))
    assert over["endsAt"] == (T0 + timedelta(minutes=1)).isoformat()


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    assert program is not None
    (tmp_path / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "--config.file=am.yml", "--storage.path=am", f"--web.listen-address=127.0.0.1:{port}"]
    with subprocess.Popen([*command, "--cluster.listen-address="], cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.mark.prometheus
async def test_alertmanager_shows_what_fires_and_forgets_what_resolved(courier: Courier, alertmanager: str) -> None:
    begun = datetime.now(UTC) - timedelta(minutes=1)
    courier.use({"am": Receiver(url=alertmanager)})
    courier.send([Delivery("am", alert(since=begun, at=begun))])
    await until(lambda: len(courier.settled()) == 1, 60)
    async with httpx2.AsyncClient() as client:

        async def shown() -> list[dict[str, Any]]:
            return list((await client.get(f"{alertmanager}/api/v2/alerts")).json())

        assert [a["annotations"]["summary"] for a in await shown()] == ["billing: Answered in time"]
        courier.repeat(lambda name: [alert(since=begun, at=begun)], datetime.now(UTC))
        over = alert(state="resolved", since=begun, at=begun, ended=begun + timedelta(seconds=30))
        courier.send([Delivery("am", over)])
        await until(lambda: len(courier.settled()) == 2)
        assert await shown() == []
