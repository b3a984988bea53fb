"""What is wrong in a policy though every single value is right; one function, one message."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise, product

from monitor.indicators import BY_ID
from monitor.names import LABELS, Clock
from monitor.policy.calendar_model import Shift
from monitor.policy.conditions import FAMILIES, KIND, Condition
from monitor.policy.durations import BusinessDays, format_span
from monitor.policy.model import IndicatorMeasure, PolicyDocument, Sla, TargetDocument
from monitor.policy.problems import Path, Problem, listed, nearest
from monitor.policy.values import decimal_text, percent
from monitor.policy.yaml_source import Document
from monitor.slas import burn

MOST_COMBINATIONS = 100_000  # of label values that are tried to find an unreachable line

ANSWERED = (Clock.FIRST_RESPONSE, Clock.NEXT_RESPONSE, Clock.ACKNOWLEDGEMENT)


def lint(document: Document, policy: PolicyDocument) -> list[Problem]:
    """Everything wrong or doubtful within one version."""
    checks = (labels, targets, unreachable, calendars, slas, feeds, weights, limits, frozen)
    return [problem for check in checks for problem in check(document, policy)]


def lint_versions(read: Sequence[tuple[Document, PolicyDocument]]) -> list[Problem]:
    """What is wrong between the versions of one policy."""
    problems = []
    if read:
        first_document, first = read[0]
        for document, policy in read[1:]:
            if policy.policy != first.policy:
                said = f"versions of one policy bear one name: {first_document.file} says {first.policy!r}"
                problems.append(document.problem(("policy",), said))
    seen: dict[object, Document] = {}
    for document, policy in read:
        earlier = seen.setdefault(policy.effective_from, document)
        if earlier is not document:
            place = f"{earlier.file}:{earlier.line(('effective_from',))}"
            said = f"two versions with the same effective_from (the other: {place})"
            problems.append(document.problem(("effective_from",), said))
    return problems


def labels(document: Document, policy: PolicyDocument) -> Iterator[Problem]:
    """`labels` are among those an event may carry, each once."""
    for i, label in enumerate(policy.labels):
        if label not in LABELS:
            yield _unknown_label(document, ("labels", i), label, LABELS, "events carry")
        elif label in policy.labels[:i]:
            yield document.problem(("labels", i), f"{label} is listed twice")


def targets(document: Document, policy: PolicyDocument) -> Iterator[Problem]:
    """Each line speaks of known labels and calendars, and of what its clock can do."""
    for i, line in enumerate(policy.targets):
        path: Path = ("targets", i)
        yield from _conditions(document, (*path, "when"), line.when, (KIND, *LABELS), "a case has")
        yield from _calendar_named(document, policy, (*path, "calendar"), line.calendar)
        yield from (_promise if line.clock == Clock.PROMISE else _measured)(document, policy, path, line)
        if line.bots_answer and line.clock not in ANSWERED:
            said = f"no answer stops {line.clock}: it has a meaning for {listed(ANSWERED)}"
            yield document.problem((*path, "bots_answer"), said)
        family = line.when.get(KIND)
        if line.clock == Clock.ACKNOWLEDGEMENT and family and not family.holds("complaint"):
            yield document.problem((*path, "when", KIND), "only complaints are acknowledged")


def _promise(document: Document, policy: PolicyDocument, path: Path, line: TargetDocument) -> Iterator[Problem]:
    for name in ("within", "calendar", "pauses", "on_change"):
        if getattr(line, name) != TargetDocument.model_fields[name].default:
            said = "the promise clock runs in wall time against the case's own due_at: leave this out"
            yield document.problem((*path, name), said)


def _measured(document: Document, policy: PolicyDocument, path: Path, line: TargetDocument) -> Iterator[Problem]:
    calendar = policy.calendars.get(line.calendar)
    if line.within is None:
        yield document.problem((*path, "within"), "is required: write 15m, 4h or 3 business_days")
    elif isinstance(line.within, BusinessDays):
        if calendar is None or calendar.always_open:
            said = "business_days need a calendar with closing hours: name it with `calendar`"
            yield document.problem((*path, "within"), said)
    elif calendar is not None and _whole_days(document, path) and not calendar.always_open:
        hours = int(line.within.total_seconds()) // 3600
        days = hours // 24
        said = (
            f"{format_span(line.within)} on {line.calendar} is {hours} open hours; "
            f"write {BusinessDays(days)} for working days"
        )
        yield document.hint((*path, "within"), said)


def _whole_days(document: Document, path: Path) -> bool:
    written = document.data["targets"][path[1]].get("within", "")
    return isinstance(written, str) and written.strip().endswith("d") and written.strip()[:-1].isdigit()


def unreachable(document: Document, policy: PolicyDocument) -> Iterator[Problem]:
    """For each clock, every line is the first that fits some case."""
    by_clock: dict[Clock, list[int]] = {}
    for i, line in enumerate(policy.targets):
        earlier = by_clock.setdefault(line.clock, [])
        winners = _covering(line, [policy.targets[j] for j in earlier])
        if winners:
            lines = " and ".join(f"targets[{earlier[w]}]" for w in winners)
            plural = "lines always win" if len(winners) > 1 else "line always wins"
            said = f"never reached: an earlier {plural} ({lines})"
            yield document.problem(("targets", i), said)
        earlier.append(i)


def _covering(line: TargetDocument, earlier: Sequence[TargetDocument]) -> list[int]:
    """Places of the earlier lines that together fit all that `line` fits; empty if some case is left."""
    for place, other in enumerate(earlier):
        if all(_implies(line.when.get(label), test, label) for label, test in other.when.items()):
            return [place]
    every = (line, *earlier)
    mentioned = dict.fromkeys(label for one in every for label in one.when)
    values = {label: _values(label, [one.when[label] for one in every if label in one.when]) for label in mentioned}
    combinations = 1
    for possible in values.values():
        combinations *= len(possible)
    if combinations > MOST_COMBINATIONS:
        return []
    winners: set[int] = set()
    for combination in product(*values.values()):
        case = dict(zip(values, combination, strict=True))
        if not _fits(line, case):
            continue
        first = next((place for place, other in enumerate(earlier) if _fits(other, case)), None)
        if first is None:
            return []
        winners.add(first)
    return sorted(winners)


def _fits(line: TargetDocument, case: Mapping[str, str | None]) -> bool:
    return all(test.holds(case[label]) for label, test in line.when.items())


def _values(label: str, tests: Sequence[Condition]) -> list[str | None]:
    """One value for each way a label can fall: every mentioned one, any other, none."""
    if label == KIND:
        return list(FAMILIES)
    return [*dict.fromkeys(value for test in tests for value in test.values), "\0other", None]


def _implies(narrow: Condition | None, wide: Condition, label: str) -> bool:
    tests = [wide] if narrow is None else [narrow, wide]
    return all(wide.holds(value) for value in _values(label, tests) if narrow is None or narrow.holds(value))


def calendars(document: Document, policy: PolicyDocument) -> Iterator[Problem]:
    """A calendar opens some day, its shifts do not overlap, and `always` stays what it is."""
    for name, calendar in policy.calendars.items():
        path = ("calendars", name)
        if name == "always":
            yield document.problem(path, "`always` is built in (24x7): choose another name")
        if not any(calendar.hours.values()):
            yield document.problem((*path, "hours"), "never open: no day of the week has a shift")
        for day, shifts in calendar.hours.items():
            if _overlap(shifts):
                yield document.hint((*path, "hours"), f"shifts of {day} overlap: that time counts once")
        if calendar.holidays.country is None and calendar.holidays.remove:
            yield document.hint((*path, "holidays", "remove"), "there is no country whose holidays to remove")


def _overlap(shifts: Sequence[Shift]) -> bool:
    return any(later.start < earlier.end for earlier, later in pairwise(shifts))


def slas(document: Document, policy: PolicyDocument) -> Iterator[Problem]:
    """Objectives have ids of their own, measure what has targets, and speak of series and receivers that exist."""
    seen: set[str] = set()
    with_targets = {line.clock for line in policy.targets}
    for i, sla in enumerate(policy.slas):
        path = ("slas", i)
        if sla.id in seen:
            yield document.problem((*path, "id"), f"two objectives are called {sla.id!r}")
        seen.add(sla.id)
        yield from _conditions(document, (*path, "where"), sla.where, policy.labels, "`labels` lists")
        for j, label in enumerate(sla.by):
            if label not in policy.labels:
                yield _unknown_label(document, (*path, "by", j), label, policy.labels, "`labels` lists")
        if isinstance(sla.measure, IndicatorMeasure):
            if (name := sla.measure.indicator) not in BY_ID:
                said = f"unknown indicator {name!r}: see the reference of indicators"
                yield document.problem((*path, "measure", "indicator"), said, nearest(name, BY_ID))
        elif sla.measure not in with_targets:
            yield document.problem((*path, "measure"), f"no line of `targets` is for {sla.measure}")
        for j, receiver in enumerate(sla.notify):
            if receiver not in policy.notify:
                said = f"{receiver!r} is not defined under `notify`: {listed(policy.notify) or 'nothing is'}"
                yield document.problem((*path, "notify", j), said, nearest(receiver, policy.notify))
        if sla.alerts.burn == "standard":
            yield from _burn(document, path, sla)


def _burn(document: Document, path: Path, sla: Sla) -> Iterator[Problem]:
    """Says where a burn rate's usual factor could never be reached at this goal, and what is watched instead."""
    if not isinstance(sla.period, timedelta):
        return
    widened = [pair for pair in burn.pairs(sla.goal, sla.period) if pair.widened_from is not None]
    if widened:
        highest = round(float(burn.greatest_burn(sla.goal)), 2)
        pair = widened[0]
        said = (
            f"a goal of {percent(sla.goal)} burns at most {highest:g} times as fast as allowed: the usual factor over "
            f"{format_span(pair.widened_from or pair.long)} can never fire, so {format_span(pair.long)} are watched"
        )
        yield document.hint((*path, "goal"), said)


def feeds(document: Document, policy: PolicyDocument) -> Iterator[Problem]:
    """Feeds speak of series and of calendars that exist."""
    for i, feed in enumerate(policy.feeds):
        path = ("feeds", i)
        yield from _conditions(document, (*path, "from"), feed.match, policy.labels, "`labels` lists")
        yield from _calendar_named(document, policy, (*path, "calendar"), feed.calendar)


def weights(document: Document, policy: PolicyDocument) -> Iterator[Problem]:
    """The weights of the dimensions sum to 1, and items belong to one of them."""
    if policy.perception is None:
        return
    path = ("perception", "dimensions")
    dimensions = policy.perception.dimensions
    for name, weight in dimensions.items():
        if weight < 0:
            yield document.problem((*path, name), "a weight cannot be negative")
    if (total := sum(dimensions.values(), Decimal(0))) != 1:
        yield document.problem(path, f"the weights sum to {decimal_text(total)}, not to 1")
    for name, item in policy.perception.items.items():
        if item.dimension not in dimensions:
            said = f"{item.dimension!r} is none of the dimensions: {listed(dimensions)}"
            where = ("perception", "items", name, "dimension")
            yield document.problem(where, said, nearest(item.dimension, dimensions))


def limits(document: Document, policy: PolicyDocument) -> Iterator[Problem]:
    """A case is kept at least as long as a reopening of it is waited for."""
    kept, waited = policy.limits.retention, policy.limits.reopen
    if kept < waited:
        said = f"shorter than reopen ({format_span(waited)}): a case would be gone before its reopening counts"
        yield document.problem(("limits", "retention"), said)


def frozen(document: Document, policy: PolicyDocument) -> Iterator[Problem]:
    """What was frozen holds all that the calendars of the targets need."""
    if policy.frozen is not None:
        for name, calendar in policy.judging_calendars().items():
            if (missing := policy.frozen.lacks(calendar)) is not None:
                yield document.problem(("frozen",), f"lacks {missing}, which the calendar {name} needs")


def _calendar_named(document: Document, policy: PolicyDocument, path: Path, name: str) -> Iterator[Problem]:
    known = ["always", *policy.calendars]
    if name not in known:
        yield document.problem(path, f"{name!r} is no calendar: there are {listed(known)}", nearest(name, known))


def _conditions(
    document: Document, path: Path, when: Mapping[str, Condition], known: Sequence[str], who: str
) -> Iterator[Problem]:
    for label, test in when.items():
        if label not in known:
            yield _unknown_label(document, (*path, label), label, known, who)
        elif label == KIND and (strange := [v for v in test.values if v not in FAMILIES]):
            said = f"{strange[0]!r} is no kind of case: there are {listed(FAMILIES)}"
            yield document.problem((*path, label), said, nearest(strange[0], FAMILIES))


def _unknown_label(document: Document, path: Path, label: str, known: Sequence[str], who: str) -> Problem:
    said = f"unknown label {label!r}: {who} {listed(known) or 'none'}"
    return document.problem(path, said, nearest(label, known))
