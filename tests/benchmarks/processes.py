"""The contestants' processes: started, listened to, ended."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from queue import Empty, Queue
from tempfile import TemporaryFile
from threading import Thread
from typing import IO, Any, Final

LAST: Final = "peak_mb"  # what is told with the last words
PATIENCE: Final = 600.0  # seconds without a word


class Process:
    """One of them; what it says comes by `heard`."""

    def __init__(
        self, number: int, command: Sequence[str], env: Mapping[str, str], heard: "Queue[tuple[int, str]]"
    ) -> None:
        self.number = number
        self.ended = False
        self._errors: IO[str] = TemporaryFile("w+")  # noqa: SIM115 - open as long as the process is
        self._process = subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        self._listening = Thread(target=self._listen, args=(heard,), daemon=True)
        self._listening.start()

    def _listen(self, heard: "Queue[tuple[int, str]]") -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            heard.put((self.number, line))
        heard.put((self.number, ""))

    def errors(self) -> str:
        """The end of what it had to complain of."""
        self._errors.seek(0)
        return self._errors.read()[-4_000:]

    def ask_to_end(self) -> None:
        """Its input ends, upon which it tells what is left to tell."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def end(self) -> None:
        """Make sure that it is gone."""
        self.ended = True
        self._process.kill()
        self._process.wait()
        self._listening.join()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            assert stream is not None
            stream.close()


class Processes:
    """Several that run the same command side by side."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], count: int = 1) -> None:
        self._heard: Queue[tuple[int, str]] = Queue()
        self._all = [Process(number, command, env, self._heard) for number in range(count)]

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._all:
            process.end()

    def lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """What they say, with who said it."""
        while True:
            try:
                number, line = self._heard.get(timeout=PATIENCE)
            except Empty:
                raise SystemExit(f"nothing was heard for {PATIENCE:.0f} s") from None
            if not line and self._all[number].ended:
                continue
            if not line:
                raise SystemExit(f"a contestant failed:\n{self._all[number].errors()}")
            told = json.loads(line)
            self._all[number].ended |= LAST in told  # it may be gone before another has said as much
            yield number, told

    def kill(self, number: int) -> None:
        """With -9."""
        self._all[number].end()

    def last_words(self) -> list[dict[str, Any]]:
        """Ask them to end; what each tells then."""
        for process in self._all:
            process.ask_to_end()
        found: dict[int, dict[str, Any]] = {}
        for number, line in self.lines():
            if LAST in line:
                found[number] = line
            if len(found) == len(self._all):
                break
        return list(found.values())
