"""Every setting of the program: environment variables that begin with `SQM_`, a `.env` file, or flags.

Nested settings join their names with two underscores (`SQM_KAFKA__BOOTSTRAP`). The reference page is made from
the descriptions here.
"""

import difflib
import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from monitor.names import Topic
from monitor.policy.durations import parse_span

PREFIX = "SQM_"
NESTED = "__"


def _split(value: object) -> object:
    """A list given as text: comma separated."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _hole(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}/\d+@\d+", value):
        raise ValueError(
            "a hole is accepted by its name, topic/partition@offset, as the halted partition gives it: "
            "sqm.events/3@1200"
        )
    return value


Paths = Annotated[tuple[Path, ...], BeforeValidator(_split)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Every = Annotated[timedelta, BeforeValidator(parse_span), Field(gt=timedelta(0))]
TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,200}$")]
HoleNames = Annotated[tuple[Annotated[str, AfterValidator(_hole)], ...], BeforeValidator(_split)]
TopicNames = Annotated[tuple[TopicName, ...], BeforeValidator(_split)]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _events_topics(data: dict[str, Any]) -> tuple[str, ...]:
    return (f"{data.get('topic_prefix', 'sqm')}.{Topic.EVENTS}",)


def _group(data: dict[str, Any]) -> str:
    return str(data.get("topic_prefix", "sqm"))


class KafkaSettings(_Group):
    """How to reach Kafka, and what the topics are called."""

    bootstrap: str = Field(
        default="127.0.0.1:9092",
        description="Addresses of brokers, `host:port`, comma separated.",
        min_length=1,
    )
    topic_prefix: TopicName = Field(default="sqm", description="What the names of all own topics begin with.")
    events_topics: Annotated[TopicNames, Field(min_length=1)] = Field(
        default_factory=_events_topics,
        description="Topics that events come in by, comma separated, all with the same number of partitions. "
        "Default: `<topic_prefix>.events`.",
    )
    group: Annotated[str, Field(min_length=1)] = Field(
        default_factory=_group,
        description="Consumer group of the workers. Default: the topic prefix, so that two systems at one Kafka do "
        "not take each other's places.",
    )
    partitions: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=4, description="Partitions of an events topic that does not exist yet and is created."
    )
    replication: Annotated[int, Field(ge=1, le=32)] = Field(
        default=1, description="Replicas of topics that are created; 3 where there are three brokers or more."
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How the connection is secured."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="PLAIN", description="How one logs in, where `security_protocol` is one of the SASL_ ones."
    )
    sasl_username: str | None = Field(default=None, description="The name to log in with.")
    sasl_password: SecretStr | None = Field(default=None, description="The password to log in with.")
    sasl_password_file: Path | None = Field(default=None, description="A file that holds the password instead.")
    ssl_cafile: Path | None = Field(
        default=None,
        description="PEM file of the authority that signed the brokers' certificates; else the system's.",
    )
    ssl_certfile: Path | None = Field(
        default=None, description="PEM file of the own certificate, where brokers ask for it."
    )
    ssl_keyfile: Path | None = Field(default=None, description="PEM file of its private key.")
    ssl_key_password: SecretStr | None = Field(default=None, description="The password of that private key.")
    ssl_check_hostname: bool = Field(
        default=True, description="Whether a broker's certificate must carry the broker's host name."
    )
    session_timeout_seconds: Annotated[float, Field(ge=6, le=1800)] = Field(
        default=45.0, description="How long a silent worker keeps its partitions before others take them."
    )
    request_timeout_seconds: Seconds = Field(default=40.0, description="How long one answer of a broker may take.")
    retry_pause_seconds: Seconds = Field(
        default=15.0,
        description="The longest pause between two tries to reach Kafka; pauses grow up to it from 0.2 s.",
    )

    @model_validator(mode="after")
    def _login_is_whole(self) -> "KafkaSettings":
        if self.security_protocol.startswith("SASL_"):
            if not self.sasl_username:
                raise ValueError(f"security_protocol {self.security_protocol} needs SQM_KAFKA__SASL_USERNAME")
            if self.sasl_password is None and self.sasl_password_file is None:
                raise ValueError(
                    f"security_protocol {self.security_protocol} needs SQM_KAFKA__SASL_PASSWORD "
                    "or SQM_KAFKA__SASL_PASSWORD_FILE"
                )
        return self

    def topic(self, which: Topic) -> str:
        """The full name of one of the program's own topics."""
        return f"{self.topic_prefix}.{which}"

    def password(self) -> str | None:
        """The password to log in with; a file that cannot be read is an OSError that names it."""
        if self.sasl_password_file is not None:
            return self.sasl_password_file.read_text(encoding="utf-8").rstrip("\r\n")
        return self.sasl_password.get_secret_value() if self.sasl_password is not None else None


class WorkerSettings(_Group):
    """How a worker folds events into state."""

    processes: Annotated[int, Field(ge=1, le=256)] = Field(
        default=1,
        description="How many workers `sqm worker` runs side by side, each in a process of its own: one for each core, "
        "at most one for each partition.",
    )
    slot: Annotated[int, Field(ge=0, le=9999)] | None = Field(
        default=None,
        description="Number of this worker among those of one host. Default: the first that no other worker with the "
        "same data folder has.",
    )
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] = Field(
        default_factory=socket.gethostname,
        description="Name of this host in the worker's static group membership. Default: the host's name.",
    )
    static: bool = Field(
        default=True,
        description="Whether the worker joins its group under host and slot, so that after a restart it gets its "
        "partitions back at once. Without, it is a new member each time: for hosts whose names do not last.",
    )
    standby: Annotated[int, Field(ge=0, le=16)] = Field(
        default=0,
        description="How many warm copies of each partition's state other workers keep, so that they go on at once "
        "where a worker ends; each takes as much memory as the state itself. A silent worker loses its partitions "
        "after 10 s then, or after `SQM_KAFKA__SESSION_TIMEOUT_SECONDS` where that is less. The same for all workers.",
    )
    checkpoint_seconds: Annotated[float, Field(ge=0.05, le=60)] = Field(
        default=1.0,
        description="How often what was folded is committed: state, verdicts, refused events and offsets. Up to three "
        "times as long while there is more to read.",
    )
    checkpoint_events: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        default=200_000,
        description="The most records a worker folds between two commits, shared by its partitions.",
    )
    batch_records: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=20_000, description="The most records that are decoded at once."
    )
    accept_loss: HoleNames = Field(
        default=(),
        description="Holes to go on from, comma separated, each as a halted partition names it: "
        "`sqm.events/3@1200`. Any other hole halts; the ledger keeps those that were accepted for ever.",
    )
    snapshot_deltas: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=32,
        description="After at most that many commits of a partition, one slice of its state is written anew.",
    )


class ApiSettings(_Group):
    """Where figures are served."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; `0.0.0.0` for all of this machine's.")
    port: Port = Field(default=8010, description="Port to listen on; 0 for any that is free.")


class JudgeSettings(_Group):
    """How figures are judged."""

    tick_seconds: Annotated[float, Field(ge=0.05, le=60)] = Field(
        default=1.0, description="How often SLAs are judged, alerts stepped and figures rendered."
    )
    session_timeout_seconds: Annotated[float, Field(ge=6, le=1800)] = Field(
        default=10.0, description="How long a silent judge stays the active one."
    )


class Settings(BaseSettings):
    """All settings; see `load`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=NESTED,
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        enable_decoding=False,
        extra="ignore",
        frozen=True,
    )

    policy: Paths = Field(default=(), description="Policy files, comma separated. Default: the built-in policy.")
    clock: Literal["wall", "event"] = Field(
        default="wall",
        description="`wall`: time goes on by itself. `event`: it is the newest event's, for backfills and replays.",
    )
    data_dir: Path = Field(
        default=Path(".sqm"),
        description="Folder for locks of workers' slots, what `sqm verify` puts aside, and the demo's broker.",
    )
    verdicts: Literal["changes", "all"] = Field(
        default="changes",
        description="What goes to the verdicts topic: `changes` is breached, at risk, corrected, reopened and "
        "restated; `all` adds met, and those of measured events.",
    )
    verify_every: Every | None = Field(
        default=None,
        description="How often the judge has `sqm verify` run beside it, such as `24h`; not at all by default.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severity that is logged."
    )
    log_format: Literal["auto", "text", "json"] = Field(
        default="auto", description="`auto` is text on a terminal, JSON lines elsewhere."
    )
    kafka: KafkaSettings = Field(default_factory=KafkaSettings, description="How to reach Kafka.")
    worker: WorkerSettings = Field(default_factory=WorkerSettings, description="How events are folded.")
    judge: JudgeSettings = Field(default_factory=JudgeSettings, description="How figures are judged.")
    api: ApiSettings = Field(default_factory=ApiSettings, description="Where figures are served.")


class SettingsError(Exception):
    """Settings that cannot be used; one problem a line: variable, value, what was expected."""

    retriable = False

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(env_file: Path | str | None = ".env", **overrides: Any) -> Settings:
    """Settings from flags (`overrides`, nested ones as dicts), the environment and `.env`, in that order.

    Raises SettingsError that names each variable at fault, its value and what was expected.
    """
    try:
        return Settings(**{"_env_file": env_file, **overrides})
    except ValidationError as error:
        found = [
            detail for detail in error.errors() if detail["type"] != "default_factory_not_called"
        ]  # follows from one
        raise SettingsError([_problem(detail) for detail in found]) from None


def variable(path: tuple[str | int, ...]) -> str:
    """The environment variable of a setting: ("kafka", "bootstrap") is SQM_KAFKA__BOOTSTRAP."""
    names = [part.upper() for part in path if isinstance(part, str)]
    return PREFIX + NESTED.join(names)


def described(model: type[BaseModel] = Settings, at: tuple[str, ...] = ()) -> Iterator[tuple[str, FieldInfo]]:
    """Each setting's environment variable and its field, in the order they are declared."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from described(field.annotation, (*at, name))
        else:
            yield variable((*at, name)), field


def _problem(detail: ErrorDetails) -> str:
    path = detail["loc"]
    name = variable(path)
    if detail["type"] == "extra_forbidden":
        known = [known_name for known_name, _ in described()]
        near = difflib.get_close_matches(name, known, n=1)
        return f"{name}: there is no such setting" + (f"; did you mean {near[0]}?" if near else "")
    message = detail["msg"].removeprefix("Value error, ")
    if isinstance(detail["input"], BaseModel | dict) or detail["type"] == "missing":
        return f"{name}: {message}"
    shown = "***" if "PASSWORD" in name else repr(detail["input"])
    return f"{name}={shown}: {message[0].lower()}{message[1:]}"
