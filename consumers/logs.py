"""Where log lines go: to stderr, as text for people on a terminal, else as a JSON object each."""

import logging
import sys

import structlog
from aiokafka.errors import KafkaError

from consumers.settings import Settings


def configure(settings: Settings) -> None:
    """Send what is logged with at least the level of the settings to stderr, aiokafka's and uvicorn's words too."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if text:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    errors: list[structlog.typing.Processor] = [] if text else [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[*shared, *errors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *errors, renderer],
        )
    )
    # What the libraries say matters from `warning` on; every lost connection of theirs is one of ours, said better.
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    logging.getLogger("aiokafka").propagate = False  # consumers/client.py hears it, and says why
    logging.getLogger("asyncio").addFilter(_news)


def _news(record: logging.LogRecord) -> bool:
    """Not that nobody asked for a failure of Kafka's: its client leaves several behind for one that was told."""
    of_kafka = record.exc_info is not None and isinstance(record.exc_info[1], KafkaError)
    return not (of_kafka and record.getMessage().startswith("Future exception was never retrieved"))
