"""What goes wrong at a start for reasons that one sentence explains: printed as such, with exit code 2."""

import errno
import os
import socket
from pathlib import Path
from typing import Final

from consumers.broker import BrokerFailed
from consumers.changelog import FrameError
from consumers.client import BadConnection
from consumers.kafka_jars import KafkaUnavailable
from consumers.scan import RecordsGone
from consumers.settings import ApiSettings, SettingsError
from consumers.simulate.publish import NotOurs
from consumers.slots import SlotTaken
from consumers.tables import FileError
from consumers.topics import TopicsUnfit
from consumers.verify.reader import KafkaAway
from consumers.verify.run import Unverifiable
from monitor.policy import FileProblems


class Unusable(Exception):
    """A port, a folder or another part of the machine that cannot be used; the message names it."""

    retriable = False


class UnknownCase(Exception):
    """A case of which nothing is known where it was looked for; the message says where else it may be."""

    retriable = False


EXPLAINED: Final = (
    BadConnection,
    BrokerFailed,
    FileError,
    FileProblems,
    FrameError,
    KafkaAway,
    KafkaUnavailable,
    NotOurs,
    RecordsGone,
    SettingsError,
    SlotTaken,
    TopicsUnfit,
    UnknownCase,
    Unusable,
    Unverifiable,
)


def listener(api: ApiSettings) -> socket.socket:
    """A socket that listens where the settings say. Raises Unusable with the address and the reason."""
    family = socket.AF_INET6 if ":" in api.host else socket.AF_INET
    try:
        return socket.create_server((api.host, api.port), family=family)
    except OSError as error:
        where = f"{api.host}, port {api.port}"
        if error.errno == errno.EADDRINUSE:
            raise Unusable(f"{where} is taken by another program: choose another port with --port") from None
        if error.errno == errno.EACCES:
            raise Unusable(f"{where} needs privileges: choose a port from 1024 on with --port") from None
        raise Unusable(f"{where} cannot be listened on: {error.strerror or error}") from None


def address(listening: socket.socket) -> str:
    """What to open in a browser."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}/"


def writable(folder: Path) -> Path:
    """That folder, made if it is missing. Raises Unusable where nothing can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise Unusable(
            f"the data folder {folder} cannot be written ({error.strerror}): choose another with --data-dir"
        ) from None
    return folder
