"""`python -m consumers.simulate`: publish simulated services to the Kafka that the settings name, until stopped.

Tells on stdout how far it is, a JSON object a line: `{"sent": 1000, "of": 5000}` while it publishes what is
missing of the history, `{"live": true}` from then on.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sys

from aiokafka.errors import KafkaError

from consumers import logs
from consumers.client import BadConnection
from consumers.settings import SettingsError, load
from consumers.simulate.publish import NotOurs, Publisher
from consumers.topics import TopicsUnfit


def tell(**what: object) -> None:
    """One line for whoever started this."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(what), flush=True)


async def publish(seed: int) -> None:
    """History, then live."""
    settings = load()
    logs.configure(settings)
    publisher = Publisher(settings, seed)
    await publisher.catch_up(lambda done, of: tell(sent=done, of=of))
    tell(live=True)
    await publisher.go_on()


async def until_stopped(seed: int) -> None:
    """`publish` until SIGTERM or SIGINT."""
    work = asyncio.ensure_future(publish(seed))
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, work.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await work


def main() -> int:
    """Exit code 0 when stopped, 2 for a mistake that one sentence explains."""
    parser = argparse.ArgumentParser(prog="python -m consumers.simulate", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="other seeds make other cases (default: 1)")
    try:
        asyncio.run(until_stopped(parser.parse_args().seed))
    except (SettingsError, BadConnection, TopicsUnfit, NotOurs, KafkaError, OSError) as error:
        print(f"simulated services: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
