"""Whether this process can answer, and if not, why: sentences, not booleans."""

from collections.abc import Callable

from consumers.health import RoleHealth

Probe = Callable[[], str | None]


class Health:
    """Probes by name; each says what is wrong in a sentence, or None."""

    def __init__(self) -> None:
        self._probes: dict[str, Probe] = {}
        self.roles: list[RoleHealth] = []  # what roles know of themselves, for metrics

    def watch(self, name: str, part: RoleHealth | Probe) -> None:
        """Ask that part from now on, under that name ("worker", "judge" …); of a role its metrics are shown, too."""
        if isinstance(part, RoleHealth):
            self.roles.append(part)
            self._probes[name] = part.trouble
        else:
            self._probes[name] = part

    def troubles(self) -> dict[str, str]:
        """What is wrong now, by the name of the part; empty when all is well."""
        said = {name: probe() for name, probe in self._probes.items()}
        return {name: trouble for name, trouble in said.items() if trouble is not None}
