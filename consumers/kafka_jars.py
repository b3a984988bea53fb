"""Apache Kafka's jars: fetched once from Maven Central, kept in the user's cache, checked against `kafka.lock`."""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from jgo.maven import MavenContext, PythonResolver

LOCK = Path(__file__).with_name("kafka.lock")
PARALLEL_DOWNLOADS = 8


class KafkaUnavailable(RuntimeError):
    """Kafka could not be fetched; the message says which jar and what to do instead."""

    retriable = True


@dataclass(frozen=True, slots=True)
class Jar:
    """One locked artifact."""

    coordinate: str  # group:artifact:version
    sha256: str
    size: int  # bytes

    @property
    def name(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


Progress = Callable[[int, int], None]  # told how many bytes of how many are there


def quiet(done: int, total: int) -> None:
    """A progress that shows nothing."""


def locked(lock: Path = LOCK) -> list[Jar]:
    """The jars that a lock names, that of the broker unless told otherwise."""
    lines = (line for line in lock.read_text().splitlines() if line and not line.startswith("#"))
    return [Jar(coordinate, digest, int(size)) for coordinate, digest, size in map(str.split, lines)]


def kafka_version() -> str:
    """The version of the locked broker."""
    versions = [j.coordinate.split(":")[2] for j in locked() if ":kafka-clients:" in j.coordinate]
    return versions[0]


def cache_dir() -> Path:
    """Where downloads are kept: `$XDG_CACHE_HOME/sqm`, by default `~/.cache/sqm`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sqm"


def classpath(cache: Path | None = None, progress: Progress = quiet, jars: Sequence[Jar] | None = None) -> list[Path]:
    """Paths of `jars` (the broker's unless told otherwise); those not yet in the cache are downloaded and verified.

    A jar gets its name only once it is whole and its digest is right, so a broken download never stays.
    Raises KafkaUnavailable when one cannot be had.
    """
    jars = locked() if jars is None else jars
    folder = (cache or cache_dir()) / f"kafka-{kafka_version()}"
    missing = [jar for jar in jars if not _present(folder / jar.name, jar)]
    if missing:
        _fetch(missing, folder, progress)
    return [folder / jar.name for jar in jars]


def _present(path: Path, jar: Jar) -> bool:
    return path.is_file() and path.stat().st_size == jar.size


def _fetch(missing: list[Jar], folder: Path, progress: Progress) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".fetch-", dir=folder))
    except OSError as error:
        raise KafkaUnavailable(f"the cache folder {folder} is not writable ({error.strerror})") from error
    done, total = 0, sum(jar.size for jar in missing)

    def report(count: int) -> None:
        nonlocal done
        done += count
        progress(done, total)

    try:
        maven = MavenContext(repo_cache=scratch, resolver=PythonResolver(progress_callback=_reporter(report)))
        with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
            list(pool.map(lambda jar: _fetch_one(maven, jar, folder), missing))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _reporter(report: Callable[[int], None]) -> Callable[[str, int], AbstractContextManager[Callable[[int], None]]]:
    @contextmanager
    def callback(_filename: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield report

    return callback


def _fetch_one(maven: MavenContext, jar: Jar, folder: Path) -> None:
    group, artifact, version = jar.coordinate.split(":")
    try:
        got = Path(maven.project(group, artifact).at_version(version).artifact().resolve())
    except (OSError, RuntimeError) as error:  # what requests and jgo raise
        reason = "no connection" if isinstance(error, OSError) else str(error).splitlines()[0]
        raise KafkaUnavailable(
            f"Apache Kafka {kafka_version()} could not be fetched from Maven Central: {jar.coordinate}, {reason}; "
            "connect to the network once, or name a running broker with SQM_KAFKA__BOOTSTRAP"
        ) from error
    if hashlib.sha256(got.read_bytes()).hexdigest() != jar.sha256:
        raise KafkaUnavailable(
            f"what came for {jar.coordinate} is not the file that the lock names (its SHA-256 differs): "
            "try again, or name a running broker with SQM_KAFKA__BOOTSTRAP"
        )
    got.replace(folder / jar.name)


def resolve(kafka: str, log4j: str) -> list[str]:
    """Lines for `kafka.lock` of those versions, resolved by jgo and fetched to be measured."""
    lines: set[str] = set()
    with tempfile.TemporaryDirectory() as scratch:
        maven = MavenContext(repo_cache=Path(scratch))
        for coordinate in (
            f"org.apache.kafka:kafka_2.13:{kafka}",
            f"org.apache.logging.log4j:log4j-slf4j-impl:{log4j}",
        ):
            own, transitive = maven.resolver.resolve([maven.create_dependency(coordinate)])
            for dependency in (*own, *(d for d in transitive if d.scope in ("compile", "runtime"))):
                artifact, content = dependency.artifact, dependency.artifact.resolve().read_bytes()
                name = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
                lines.add(f"{name} {hashlib.sha256(content).hexdigest()} {len(content)}")
    return sorted(lines)


if __name__ == "__main__":
    print("\n".join(resolve(*sys.argv[1:3])))
