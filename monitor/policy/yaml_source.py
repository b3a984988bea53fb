"""YAML text to plain data in which every scalar is the text that was written, with the line of each value.

Reading scalars as text keeps `0.95` exact, `NO` a country and `09:00` a time of day. Only a plain `null`,
`~` or nothing is None.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import yaml

from monitor.policy.problems import FileProblems, Path, Problem, field_text

MOST_NODES = 200_000  # aliases count each time they are used, so that no small file can grow without end

_NULL = ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its data, and the line (from 1) on which each key or item was written."""

    file: str
    data: Any
    lines: dict[Path, int]
    places: Mapping[str, Sequence[int]] = field(default_factory=dict)  # of lists that lost items: where each stood

    def without(self, wrong: Iterable[Path], *, whole_items: bool) -> "Document":
        """The same without what is wrong: of the items of lists at the top only the wrong fields, or `whole_items`.

        Of other fields at the top all is left out. `places` keeps where the items that are left stood.
        """
        wrong = list(wrong)
        data = dict(self.data)
        places = dict(self.places)
        for name in {str(path[0]) for path in wrong}:
            items = data.pop(name, None)
            if not isinstance(items, list):
                continue
            within = [path[1:] for path in wrong if path[0] == name and len(path) > 1]
            lost = {rest[0] for rest in within if whole_items or len(rest) == 1}
            kept = [i for i in range(len(items)) if i not in lost]
            data[name] = [_without_keys(items[i], {rest[1] for rest in within if rest[0] == i}) for i in kept]
            places[name] = [self.places[name][i] for i in kept] if name in self.places else kept
        return Document(self.file, data, self.lines, places)

    def written(self, path: Sequence[str | int]) -> Path:
        """Where in the file the value at `path` of `data` stands."""
        if len(path) > 1 and isinstance(path[1], int) and path[0] in self.places:
            return (path[0], self.places[str(path[0])][path[1]], *path[2:])
        return tuple(path)

    def line(self, path: Sequence[str | int]) -> int:
        """The line of `path`, or of the nearest thing around it that was written."""
        known = self.written(path)
        while known and known not in self.lines:
            known = known[:-1]
        return self.lines[known]

    def problem(self, path: Sequence[str | int], message: str, nearest: str | None = None) -> Problem:
        """An error at `path`."""
        return Problem(self.file, self.line(path), field_text(self.written(path)), message, nearest)

    def hint(self, path: Sequence[str | int], message: str) -> Problem:
        """A hint at `path`."""
        return Problem(self.file, self.line(path), field_text(self.written(path)), message, severity="hint")


def _without_keys(item: Any, keys: Set[str | int]) -> Any:
    return {key: value for key, value in item.items() if key not in keys} if isinstance(item, Mapping) else item


def documents(file: str, text: str) -> list[Document]:
    """All documents of a YAML text (separated by `---`); empty ones are left out.

    Raises FileProblems for text that is no YAML, for a key given twice, and for runaway aliases.
    """
    try:
        nodes = [node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        said += ' (a value that begins with ! is written in quotes: "!free")' if "tag" in said else ""
        raise FileProblems([Problem(file, mark.line + 1 if mark else 0, "", f"not YAML: {said}")]) from None
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise FileProblems([Problem(file, 0, "", f"not YAML: {said}")]) from None
    except RecursionError:
        raise FileProblems([Problem(file, 0, "", "nested too deeply")]) from None
    found = [_Reader(file).document(node) for node in nodes]
    return [document for document in found if document.data is not None]


class _Reader:
    """Turns the nodes of one document into data, keeping the lines."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self.nodes = 0

    def document(self, node: yaml.Node) -> Document:
        self.lines[()] = node.start_mark.line + 1
        data = self.value(node, ())
        if self.problems:
            raise FileProblems(self.problems)
        return Document(self.file, data, self.lines)

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.nodes += 1
        if self.nodes > MOST_NODES or len(path) > 50:
            line = node.start_mark.line + 1
            raise FileProblems([Problem(self.file, line, field_text(path), "too large, or nested too deeply")])
        if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
            said = f'a tag has no meaning here: write "{node.tag}" in quotes'
            self.problems.append(Problem(self.file, node.start_mark.line + 1, field_text(path), said))
            return None
        if isinstance(node, yaml.ScalarNode):
            plain = node.style is None
            return None if plain and node.value in _NULL else self.text(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.item(child, (*path, i)) for i, child in enumerate(node.value)]
        return self.mapping(node, path)

    def text(self, node: yaml.ScalarNode, path: Path) -> str:
        """What the scalar says. JSON escapes a character beyond U+FFFF as two halves, which YAML leaves apart."""
        written: str = node.value
        try:
            return written.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            said = "holds half a character (a lone surrogate)"
            self.problems.append(Problem(self.file, node.start_mark.line + 1, field_text(path), said))
            return ""

    def item(self, node: yaml.Node, path: Path) -> Any:
        self.lines[path] = node.start_mark.line + 1
        return self.value(node, path)

    def mapping(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, child in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(Problem(self.file, line, field_text(path), "a key must be one word"))
                continue
            name = self.text(key, path)
            here = (*path, name)
            if name in found:
                first = self.lines[here]
                said = f"given twice, first on line {first}"
                self.problems.append(Problem(self.file, line, field_text(here), said))
                continue
            self.lines[here] = line
            found[name] = self.value(child, here)
        return found
