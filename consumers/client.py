"""Kafka clients made from settings: consumers, transactional producers, admin; and how one keeps trying."""

import asyncio
import logging
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.helpers import create_ssl_context

from consumers.settings import KafkaSettings

log = structlog.get_logger()

FIRST_PAUSE: Final = 0.2  # seconds
PATIENCE: Final = 5.0  # seconds that a client may take to close
HEARTBEAT_SECONDS: Final = 1.0  # by its next one a member hears of a rebalance: until all have, the others rest
PARTITION_BYTES: Final = 4 * 1024 * 1024  # read ahead of each partition
BATCH_BYTES: Final = 1_000_000  # of one produced batch; brokers take 1 MiB unless told otherwise
TRANSACTION_SECONDS: Final = 60

T = TypeVar("T")


class _Heard(logging.Handler):
    """The last thing that aiokafka's client logged: its errors do not say why nobody could be reached."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "aiokafka":  # what it says of groups and producers has loggers below
            self.last = record.getMessage()


_heard = _Heard()
logging.getLogger("aiokafka").addHandler(_heard)


class BadConnection(Exception):
    """Certificates or passwords that cannot be read: trying again does not help."""

    retriable = False


class Pauses:
    """Growing pauses between tries: 0.2 s, then twice as long each time, up to the setting; a fifth is chance."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._next = FIRST_PAUSE

    def next(self) -> float:
        """Seconds to wait now."""
        pause = min(self._next, self._longest)
        self._next = min(self._next * 2, self._longest)
        return pause * random.uniform(0.8, 1.0)

    def reset(self) -> None:
        """It worked: begin with short ones again."""
        self._next = FIRST_PAUSE


async def persist(
    what: str, kafka: KafkaSettings, attempt: Callable[[], Awaitable[T]], tell: Callable[[str], None] | None = None
) -> T:
    """The answer of `attempt`, tried again with growing pauses while Kafka cannot be reached.

    Every failure is logged with the address, and told to `tell` in a sentence. Errors that are not Kafka's, or that
    trying again cannot cure, pass.
    """
    pauses = Pauses(kafka.retry_pause_seconds)
    while True:
        _heard.last = ""
        try:
            return await attempt()
        except KafkaError as error:
            if not passing(error):
                raise
            pause, why = pauses.next(), _heard.last or said(error)
            log.warning("Kafka does not answer", at=kafka.bootstrap, what=what, error=why, again_in=round(pause, 1))
            if tell is not None:
                tell(f"Kafka at {kafka.bootstrap} does not answer ({why}); it is tried again and again")
            await asyncio.sleep(pause)


def passing(error: BaseException) -> bool:
    """Whether trying again may help."""
    return isinstance(error, KafkaConnectionError) or bool(getattr(error, "retriable", False))


def said(error: BaseException) -> str:
    """An error in one line: aiokafka's often have no text of their own."""
    return str(error) or type(error).__name__


def _login(kafka: KafkaSettings) -> dict[str, Any]:
    """What all clients are told: addresses, timeouts, TLS and SASL."""
    options: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap,
        "security_protocol": kafka.security_protocol,
        "request_timeout_ms": int(kafka.request_timeout_seconds * 1000),
    }
    try:
        if kafka.security_protocol in ("SSL", "SASL_SSL"):
            options["ssl_context"] = _ssl(kafka)
        if kafka.security_protocol.startswith("SASL_"):
            options["sasl_mechanism"] = kafka.sasl_mechanism
            options["sasl_plain_username"] = kafka.sasl_username
            options["sasl_plain_password"] = kafka.password()
    except ssl.SSLError as error:
        raise BadConnection(f"{_files(kafka)}: not usable as PEM certificates and key ({error})") from error
    except OSError as error:  # of certificates it does not say which
        raise BadConnection(f"{error.filename or _files(kafka)}: {error.strerror}") from error
    return options


def _files(kafka: KafkaSettings) -> str:
    return ", ".join(str(path) for path in (kafka.ssl_cafile, kafka.ssl_certfile, kafka.ssl_keyfile) if path)


def _ssl(kafka: KafkaSettings) -> ssl.SSLContext:
    password = kafka.ssl_key_password
    context: ssl.SSLContext = create_ssl_context(
        cafile=kafka.ssl_cafile,
        certfile=kafka.ssl_certfile,
        keyfile=kafka.ssl_keyfile,
        password=password.get_secret_value() if password is not None else None,
    )
    context.check_hostname = kafka.ssl_check_hostname
    return context


def consumer(kafka: KafkaSettings, **options: Any) -> AIOKafkaConsumer:
    """A consumer of committed records that never commits nor moves by itself; not started."""
    told: dict[str, Any] = {
        "isolation_level": "read_committed",
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "max_partition_fetch_bytes": PARTITION_BYTES,
        "session_timeout_ms": int(kafka.session_timeout_seconds * 1000),
        "fetch_max_wait_ms": 250,
    }
    return AIOKafkaConsumer(**_login(kafka), **(told | options))


class Producer(AIOKafkaProducer):
    """A producer that can be given up while its broker is away."""

    async def close(self) -> None:
        """Close within a few seconds; what was not committed is lost, as it should be."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self.stop()
        except (TimeoutError, KafkaError):
            await self.abandon()

    async def abandon(self) -> None:
        """Stop at once. aiokafka's own `stop` waits until all is delivered, for ever if need be."""
        self._closed = True
        task = self._sender.sender_task
        # The sender awaits its requests when cancelled; cancelled again, it cancels them.
        while task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=0.1)
        await self.client.close()


def producer(kafka: KafkaSettings, transactional_id: str | None = None, **options: Any) -> Producer:
    """A producer of zstd batches, idempotent or transactional; not started."""
    told: dict[str, Any] = {
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": "zstd",
        "max_batch_size": BATCH_BYTES,
        "max_request_size": 16 * BATCH_BYTES,
    }
    if transactional_id is not None:
        told |= {"transactional_id": transactional_id, "transaction_timeout_ms": TRANSACTION_SECONDS * 1000}
    return Producer(**_login(kafka), **(told | options))


C = TypeVar("C", AIOKafkaConsumer, Producer)


async def started(client: C) -> C:
    """Start a client; one that fails to is closed."""
    try:
        await client.start()
    except BaseException:
        await (client.abandon() if isinstance(client, Producer) else client.stop())
        raise
    return client


@asynccontextmanager
async def administrating(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client, closed at the end."""
    admin = AIOKafkaAdminClient(**_login(kafka))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()
