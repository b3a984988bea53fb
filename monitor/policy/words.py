"""What a policy means, in plain words, with worked examples of each target: `sqm check`."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta

from monitor.indicators import BY_ID
from monitor.names import Clock
from monitor.policy.compiled import EVERY_REASON, PolicySet, PolicyVersion, TargetLine
from monitor.policy.conditions import in_words
from monitor.policy.durations import BusinessDays, format_span
from monitor.policy.durations import in_words as span_in_words
from monitor.policy.model import CalendarPeriod, IndicatorMeasure, OnChange, Sla, TargetDocument
from monitor.policy.values import instant_text, percent
from monitor.policy.worked import examples
from monitor.slas import burn
from monitor.slas.periods import LONGEST

CLOCK_WORDS = {
    Clock.FIRST_RESPONSE: "first response",
    Clock.NEXT_RESPONSE: "next response",
    Clock.RESOLUTION: "resolved",
    Clock.TOTAL_RESOLUTION: "resolved for good",
    Clock.ACKNOWLEDGEMENT: "complaint acknowledged",
    Clock.PROMISE: "promise kept",
}
_CHANGED = {
    OnChange.RETROACTIVE: None,
    OnChange.RESTART: "a change to this line starts it anew",
    OnChange.KEEP: "a change to this line keeps the one before",
}


def in_plain_words(policies: PolicySet, day: date) -> list[str]:
    """Lines that say what each version promises; `day` is the date from which on examples are taken."""
    lines = []
    for version in policies.versions:
        following = policies.versions[version.number + 1 :]
        lines += [_heading(version, following[0] if following else None), ""]
        lines += ["Targets" if version.targets else "No targets: nothing is judged."]
        for line in version.targets:
            first, *more = target(version, line, day)
            lines += [f"  {line.number + 1}. {first}", *(f"       {example}" for example in more)]
        lines.append("")
    return [*lines, *_objectives(policies.newest), *_rest(policies.newest)]


def target(version: PolicyVersion, line: TargetLine, day: date) -> list[str]:
    """One line of `targets`: what is promised to whom, what stops the clock, with an example; then more examples."""
    details = "; ".join(_details(line))
    ordinary, *more = [*examples(version, line, day), ""]
    return [
        "".join([promise(version, line), f" ({details})" if details else "", f": {ordinary}" if ordinary else ""]),
        *filter(None, more),
    ]


def promise(version: PolicyVersion, line: TargetLine) -> str:
    """What a line promises to whom: `priority P1: first response within 15 minutes round the clock`."""
    earlier = any(other.clock == line.clock for other in version.targets[: line.number])
    who = in_words(dict(line.when)) or ("every other case" if earlier else "every case")
    return f"{who}: {CLOCK_WORDS[line.clock]} {_within(version, line)}"


def _heading(version: PolicyVersion, following: PolicyVersion | None) -> str:
    since = f"opened from {instant_text(version.effective_from)} on" if version.effective_from else "opened"
    until = f" before {instant_text(following.effective_from)}" if following and following.effective_from else ""
    cases = f"cases {since}{until}" if version.effective_from or until else "all cases"
    labels = f", figures by {', '.join(version.labels)}" if version.labels else ""
    return f"Policy {version.name}: {cases}{labels}"


def _within(version: PolicyVersion, line: TargetLine) -> str:
    if line.clock == Clock.PROMISE:
        return "by the case's own due_at"
    whole_days = version.calendars[line.calendar].always_open  # a day of opening hours is no 24 h
    return f"within {promised(version, line, lambda within: span_in_words(within, days=whole_days))}"


def promised(version: PolicyVersion, line: TargetLine, span: Callable[[timedelta], str]) -> str:
    """`4 hours of office hours`, `3 business days by the office calendar`, `15 minutes round the clock`.

    :param span: how a length of time is written
    """
    if line.business_days is not None:
        return f"{span_in_words(BusinessDays(line.business_days))} by the {line.calendar} calendar"
    if line.within is None:
        return "the case's own due_at"
    whole = version.calendars[line.calendar].always_open
    return f"{span(line.within)} {'round the clock' if whole else f'of {line.calendar} hours'}"


def _details(line: TargetLine) -> Iterator[str]:
    if line.pauses:
        every = EVERY_REASON in line.pauses
        yield "every pause stops it" if every else f"stopped by pauses for {' or '.join(sorted(line.pauses))}"
    if line.bots_answer:
        yield "bots' answers count"
    if said := _CHANGED[line.on_change]:
        yield said
    if line.at_risk is None:
        yield "never at risk"
    elif line.at_risk != TargetDocument.model_fields["at_risk"].default:
        yield f"at risk from {percent(line.at_risk)} on"


def _objectives(version: PolicyVersion) -> Iterator[str]:
    if version.slas:
        yield "Objectives"
    for sla in version.slas:
        yield f"  {sla.id}: {objective(sla)}"
        yield f"      {_alerts(sla)}"
    if version.slas:
        yield ""


def objective(sla: Sla) -> str:
    """One objective: `95% first response in time over any 30 days, for each service, of tier gold`."""
    if isinstance(sla.measure, IndicatorMeasure):
        least = sla.measure.at_least is not None
        bound = sla.measure.at_least if least else sla.measure.at_most
        indicator = BY_ID[sla.measure.indicator]
        shown = percent(bound) if indicator.unit == "ratio" and bound is not None else bound
        said = f"{indicator.title} at {'least' if least else 'most'} {shown}"
    else:
        said = f"{percent(sla.goal)} {CLOCK_WORDS[sla.measure]} in time"
    each = f", for each {' and '.join(sla.by)}" if sla.by else ""
    where = f", of {in_words(sla.where)}" if sla.where else ""
    title = f" ({sla.title})" if sla.title else ""
    return f"{said} over {_period(sla.period)}{each}{where}{title}"


def _period(period: timedelta | CalendarPeriod) -> str:
    if isinstance(period, CalendarPeriod):
        return f"each calendar {period.calendar} ({period.zone})"
    return f"any {span_in_words(period)}"


def _alerts(sla: Sla) -> str:
    parts = []
    if sla.alerts.burn == "standard":
        longest = LONGEST[sla.period.calendar] if isinstance(sla.period, CalendarPeriod) else sla.period
        pairs = burn.pairs(sla.goal, longest)
        said = [f"{p.severity} at {float(p.factor):.3g} x over {format_span(p.long)}" for p in pairs]
        parts.append(f"its error budget burning ({', '.join(said)})")
    if sla.alerts.breach == "each":
        parts.append("each breach")
    if sla.alerts.at_risk:
        parts.append("each case at risk")
    if not parts:
        return "no alerts"
    told = f", told to {', '.join(sla.notify)}" if sla.notify else ""
    return f"alerts for {', '.join(parts)}{told}"


def _rest(version: PolicyVersion) -> Iterator[str]:
    for feed in version.feeds:
        hours = "" if version.calendars[feed.calendar].always_open else f" in {feed.calendar} hours"
        said = f"no event for {span_in_words(feed.silent_after)}{hours}"
        yield f"Feed {in_words(feed.match)}: an alert after {said}"
    if version.perception:
        weights = ", ".join(f"{name} {percent(w)}" for name, w in version.perception.dimensions.items())
        low, high = version.perception.scale
        yield f"Perception on a scale of {low} to {high}: {weights}"
