"""Whether this process can answer, and if not, why: sentences, not booleans."""

from collections.abc import Callable

Probe = Callable[[], str | None]


class Health:
    """Probes by name; each says what is wrong in a sentence, or None."""

    def __init__(self) -> None:
        self._probes: dict[str, Probe] = {}

    def watch(self, name: str, probe: Probe) -> None:
        """Ask `probe` from now on, under that name ("broker", "worker", "judge" …)."""
        self._probes[name] = probe

    def troubles(self) -> dict[str, str]:
        """What is wrong now, by the name of the probe; empty when all is well."""
        said = {name: probe() for name, probe in self._probes.items()}
        return {name: trouble for name, trouble in said.items() if trouble is not None}
