"""What happens to a case, from its number alone: one frame of events for many cases at once.

Instants are what was planned; `Plan.delayed` moves those that are somebody's work (`work` true) when a service
slows down. Columns: at (microseconds since 1970), work, subject, source, type, id, `data_<field>` (null: absent).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from consumers.simulate.draws import Draws, Flags, Floats, Integers, Texts
from consumers.simulate.services import Life, Service

LABELS = ("service", "channel", "team", "agent", "tier", "priority", "region", "category")
INSTANT = pl.Datetime("us", "UTC")
FIELDS: dict[str, Any] = {
    **{f"data_{label}": pl.String for label in LABELS},
    "data_customer": pl.String,
    "data_due_at": INSTANT,
    "data_public": pl.Boolean,
    "data_by": pl.String,
    "data_reason": pl.String,
    "data_outcome": pl.String,
    "data_right_first_time": pl.Boolean,
    "data_redress": pl.Boolean,
    "data_interaction": pl.String,
    "data_severity": pl.String,
    "data_waited_s": pl.Float64,
    "data_response_time_s": pl.Float64,
    "data_resolution_time_s": pl.Float64,
    "data_abandoned": pl.Boolean,
    "data_csat": pl.Int64,
    "data_nps": pl.Int64,
    "data_ces": pl.Int64,
    "data_score": pl.Int64,
    "data_max_score": pl.Int64,
    "data_passed": pl.Boolean,
    "data_inspector": pl.String,
    "data_lot": pl.String,
}
COLUMNS: dict[str, Any] = {
    "at": pl.Int64,
    "work": pl.Boolean,
    "subject": pl.String,
    "source": pl.String,
    "type": pl.String,
    "id": pl.String,
    **FIELDS,
}
RAISED = {"P3": "P2", "P2": "P1", "P1": "P1"}
SCALES = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7)}


@dataclass
class Script:
    """Collects the events of many cases of one service, step by step."""

    service: Service
    draws: Draws
    subjects: Texts
    labels: dict[str, Any]
    parts: list[pl.DataFrame] = field(default_factory=list)

    def add(self, step: str, kind: str, at: Integers, who: Flags, *, work: bool = True, **data: Any) -> None:
        """One event for each case of `who`; `step` makes its id, `data` are arrays or values for all."""
        if not who.any():
            return
        columns: dict[str, Any] = {
            "at": at[who] // 1000 * 1000,
            "work": np.full(int(who.sum()), work),
            "subject": self.subjects[who].tolist(),
        }
        for name, value in data.items():
            columns[f"data_{name}"] = value[who].tolist() if isinstance(value, np.ndarray) else value
        frame = pl.DataFrame(columns, schema_overrides=_types(columns), strict=False)
        self.parts.append(
            frame.with_columns(
                pl.lit(self.service.source).alias("source"),
                pl.lit(kind).alias("type"),
                pl.concat_str("subject", pl.lit("/" + step)).alias("id"),
            )
        )

    def frame(self) -> pl.DataFrame:
        """All of them, in no order."""
        parts = [_conform(part) for part in self.parts]
        return pl.concat(parts) if parts else pl.DataFrame(schema=COLUMNS)


def lives(service: Service, seed: int, n: Integers, opened: Integers) -> pl.DataFrame:
    """Every event of the cases numbered `n` that open at `opened`."""
    draws = Draws(seed, service.name, n)
    script = Script(service, draws, _subjects(service.prefix, n), _labels(service, draws))
    if service.life is None:
        _finished_calls(script, opened)
    else:
        _case(script, service.life, opened)
    return script.frame()


def _case(script: Script, life: Life, opened: Integers) -> None:
    draws, labels = script.draws, script.labels
    everyone = np.ones(len(opened), dtype=bool)
    promise = whole_minutes(opened + after(draws.around("promise", life.promise or 0.0, 0.3)))
    due: dict[str, Any] = {"due_at": promise} if life.promise else {}
    customer = _numbered("customer", draws.uniform("customer"), 20_000)
    script.add("opened", "interaction.opened", opened, everyone, work=False, customer=customer, **labels, **due)

    left = draws.chance("abandoned", life.abandoned)
    patience = draws.around("patience", life.patience)
    response = draws.around("response", _by_priority(life, labels["priority"]), life.response_spread)
    gone = opened + after(patience)
    script.add("left", "interaction.abandoned", gone, left, work=False, waited_s=np.round(patience, 3))

    stays = ~left
    first = opened + after(response)
    bot = stays & draws.chance("bot", life.bot)
    script.add(
        "greeted", "interaction.responded", opened + after(draws.around("greet", 1.5)), bot, work=False, by="bot"
    )
    note = stays & draws.chance("note", life.note)
    script.add("noted", "interaction.responded", opened + after(response * 0.6), note, public=False)
    script.add("answered", "interaction.responded", first, stays, agent=labels["agent"])

    last = _talk(script, life, first, stays)
    last = _changes(script, life, last, stays, promise)
    _ending(script, life, opened, first, last, stays)


def _talk(script: Script, life: Life, first: Integers, stays: Flags) -> Integers:
    """Replies and answers, at most three; the instant of the last answer."""
    draws, last, talking = script.draws, first, stays
    for turn in ("1", "2", "3"):
        talking = talking & draws.chance(f"reply{turn}", life.replies)
        wrote = last + after(draws.around(f"think{turn}", life.think))
        answered = wrote + after(draws.around(f"answer{turn}", life.answer))
        script.add(f"replied{turn}", "interaction.customer_replied", wrote, talking)
        script.add(f"answered{turn}", "interaction.responded", answered, talking)
        last = np.where(talking, answered, last)
    return last


def _changes(script: Script, life: Life, last: Integers, stays: Flags, promise: Integers) -> Integers:
    """Escalations, new promises and pauses; the instant when work goes on."""
    draws, labels = script.draws, script.labels
    raised = stays & draws.chance("raised", life.raised)
    higher = np.array([RAISED[p] for p in labels["priority"]], dtype=object)
    soon = last + after(draws.around("raise", life.answer * 0.2))
    script.add("raised", "interaction.updated", soon, raised, priority=higher, team="escalations")
    if life.promise:
        again = stays & draws.chance("promised again", life.promised_again)
        later = whole_minutes(promise + after(draws.around("promise more", life.promise * 0.5, 0.3)))
        script.add("promised", "interaction.updated", soon, again & ~raised, due_at=later)
    paused = stays & draws.chance("paused", life.paused)
    begin = last + after(draws.around("pausing", life.answer * 0.5))
    end = begin + after(draws.around("pause", life.pause))
    reason = draws.choice("reason", life.reasons)
    script.add("paused", "interaction.paused", begin, paused, reason=reason)
    script.add("resumed", "interaction.resumed", end, paused, reason=reason)
    return np.where(paused, end, np.where(raised, soon, last))


def _ending(script: Script, life: Life, opened: Integers, first: Integers, last: Integers, stays: Flags) -> None:
    """Resolved or cancelled, perhaps reopened, closed; and what people said of it."""
    draws = script.draws
    done = last + after(draws.around("work", life.work))
    cancelled = stays & draws.chance("cancelled", life.cancelled)
    script.add("cancelled", "interaction.cancelled", last + (done - last) // 2, cancelled)
    nothing = draws.chance("nothing", life.nothing)
    resolved = stays & ~cancelled
    outcome = only(nothing, np.full(len(opened), "duplicate"))
    script.add("resolved", "interaction.resolved", done, resolved, outcome=outcome)

    back = resolved & ~nothing & draws.chance("reopened", life.reopened)
    returned = done + after(draws.around("reopening", life.reopening))
    done_again = returned + after(draws.around("work again", life.work))
    script.add("reopened", "interaction.reopened", returned, back)
    script.add("answered again", "interaction.responded", returned + (done_again - returned) // 2, back)
    script.add("resolved again", "interaction.resolved", done_again, back)
    ended = np.where(back, done_again, done)
    script.add("closed", "interaction.closed", ended + after(draws.around("closing", life.closing)), resolved)

    real = resolved & ~nothing
    _verdict_of_the_customer(script, life, (first - opened) / 1e6, ended, real, back)
    _inspection(script, life, ended, real)
    _complaint(script, life, ended, real)


def _verdict_of_the_customer(
    script: Script, life: Life, waited: Floats, ended: Integers, real: Flags, back: Flags
) -> None:
    """Ratings: worse the longer the answer took, and when the case had to be opened again."""
    draws = script.draws
    low, high = SCALES[life.rating]
    slow = np.log2(waited / _by_priority(life, script.labels["priority"]))
    mood = 0.8 - 0.12 * slow - 0.25 * back + 0.2 * draws.normal("mood")
    score = np.clip(np.round(low + (high - low) * mood), low, high).astype(np.int64)
    rated = real & draws.chance("rated", life.rated)
    at = ended + after(draws.around("rating", life.closing * 0.5))
    script.add("rated", "rating.submitted", at, rated, work=False, **{life.rating: score})


def _inspection(script: Script, life: Life, ended: Integers, real: Flags) -> None:
    draws = script.draws
    score = np.clip(np.round(88 + 8 * draws.normal("score")), 0, 100).astype(np.int64)
    at = ended + after(draws.around("audit", 43_200.0))
    lot = (np.char.add("lot-", (at // 86_400_000_000).astype(str))).astype(object)
    script.add(
        "audited",
        "audit.scored",
        at,
        real & draws.chance("audited", life.audited),
        work=False,
        score=score,
        max_score=100,
        passed=score >= 75,
        inspector=_numbered("inspector", draws.uniform("inspector"), 5),
        lot=lot,
    )


def _complaint(script: Script, life: Life, ended: Integers, real: Flags) -> None:
    """A complaint is a case of its own about this one."""
    draws, labels = script.draws, dict(script.labels)
    about = script.subjects
    complaint = Script(script.service, draws, _subjects(f"{script.service.prefix}-C", draws.n), labels)
    who = real & draws.chance("complaint", life.complaint)
    begin = ended + after(draws.around("complaining", 21_600.0))
    severity = draws.choice("severity", {"minor": 70, "major": 25, "critical": 5})
    complaint.add("opened", "complaint.opened", begin, who, work=False, **labels, interaction=about, severity=severity)
    acknowledged = begin + after(draws.around("acknowledging", 10_800.0))
    complaint.add("acknowledged", "complaint.acknowledged", acknowledged, who)
    answered = acknowledged + after(draws.around("complaint answer", 86_400.0))
    complaint.add("answered", "complaint.responded", answered, who)
    waits = who & draws.chance("complaint paused", 0.2)
    complaint.add("paused", "complaint.paused", answered, waits, reason="customer")
    resumed = answered + after(draws.around("complaint pause", 86_400.0))
    complaint.add("resumed", "complaint.resumed", resumed, waits, reason="customer")
    done = np.where(waits, resumed, answered) + after(draws.around("complaint work", 259_200.0, 0.9))
    outcome = draws.choice("upheld", {"upheld": 30, "partly_upheld": 25, "rejected": 45})
    redress = (outcome != "rejected") & draws.chance("redress", 0.6)
    complaint.add("resolved", "complaint.resolved", done, who, outcome=outcome, redress=redress)
    complaint.add("closed", "complaint.closed", done + after(draws.around("complaint closing", 86_400.0)), who)
    script.parts.extend(complaint.parts)


def _finished_calls(script: Script, opened: Integers) -> None:
    """A telephone system that reports each call once, when it is over."""
    draws = script.draws
    left = draws.chance("abandoned", 0.035)
    rung = np.where(left, draws.around("patience", 16.0, 0.7), draws.around("response", 8.0, 0.45))
    talk = draws.around("talk", 190.0)
    at = opened + after(rung + np.where(left, 0.0, talk))
    everyone = np.ones(len(opened), dtype=bool)
    labels: dict[str, Any] = {k: v for k, v in script.labels.items() if k != "priority"}
    script.add(
        "call",
        "interaction.measured",
        at,
        everyone,
        **labels,
        response_time_s=only(~left, np.round(rung, 3)),
        resolution_time_s=only(~left, np.round(rung + talk, 3)),
        right_first_time=only(~left, draws.chance("first time", 0.86)),
        abandoned=left,
    )


def after(seconds: Floats) -> Integers:
    """That many seconds in microseconds; at least a millisecond, so that steps keep their order."""
    return np.maximum(seconds * 1e6, 1000.0).astype(np.int64)


def whole_minutes(at: Integers) -> Integers:
    """The next full minute, as one would promise it."""
    return np.asarray(-(-at // 60_000_000) * 60_000_000)


def only(who: Flags, values: NDArray[Any]) -> Texts:
    """The values of `who`, nothing for the others."""
    kept = np.full(len(who), None, dtype=object)
    kept[who] = values[who]
    return kept


def _by_priority(life: Life, priority: Texts) -> Floats:
    return np.array([life.response[p] for p in priority], dtype=np.float64)


def _labels(service: Service, draws: Draws) -> dict[str, Any]:
    chosen = {
        "channel": service.channels,
        "team": service.teams,
        "tier": service.tiers,
        "priority": service.priorities,
        "region": service.regions,
        "category": service.categories,
    }
    return {
        "service": np.full(len(draws.n), service.name, dtype=object),
        **{label: draws.choice(label, weights) for label, weights in chosen.items()},
        "agent": _numbered("agent", draws.uniform("agent"), service.agents),
    }


def _numbered(what: str, share: Floats, count: int) -> Texts:
    numbers = (share * count).astype(np.int64)
    return np.array([f"{what}-{k:02d}" for k in numbers], dtype=object)


def _subjects(prefix: str, n: Integers) -> Texts:
    return np.array([f"{prefix}-{k:07d}" for k in n], dtype=object)


def _types(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: pl.Int64 if name == "data_due_at" else COLUMNS[name] for name in columns}


def _conform(part: pl.DataFrame) -> pl.DataFrame:
    have = part.columns
    return part.select(
        pl.col(name).cast(dtype) if name in have else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in COLUMNS.items()
    )
