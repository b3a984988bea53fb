"""Every wrong policy is refused with file, line, field and what was expected there."""

import pytest

from monitor.policy import PolicyError, load

RIGHT = """\
policy: support
labels: [service, tier]
limits: {grace: 30s}
calendars:
  office:
    zone: Europe/Berlin
    hours: {mon-fri: ["09:00-17:00"]}
targets:
  - {clock: first_response, when: {priority: P1}, within: 15m}
  - {clock: first_response, within: 4h, calendar: office}
  - {clock: promise}
slas:
  - id: answered
    measure: first_response
    where: {tier: gold}
    by: [service]
    goal: 95%
    period: 30d
    notify: [leads]
feeds:
  - {from: {service: billing}, silent_after: 10m}
perception:
  dimensions: {reliability: 0.6, empathy: 0.4}
  items: {R1: {dimension: reliability}}
notify:
  leads: {webhook: "https://example.org/hook", secret_env: SECRET}
"""

# what is written, what instead, line and field that are named, part of the message, nearest name
WRONG = [
    ("clock: promise", "clock: promice", 11, "targets[2].clock", "'promice' is not one of", "promise"),
    ("within: 15m", "witin: 15m", 9, "targets[0].witin", "unknown field", "within"),
    ("within: 15m", "within: 15", 9, "targets[0].within", "a bare number has no unit: write 15m or 15s", None),
    ("within: 15m", "within: 1.5", 9, "targets[0].within", "a bare number has no unit", None),
    ("within: 15m", "within: 15 minutes", 9, "targets[0].within", "write 15m", None),
    ("within: 15m", "within: soon", 9, "targets[0].within", "write one like 90s, 15m, 4h", None),
    ("within: 15m", "within: 0m", 9, "targets[0].within", "due the moment it starts", None),
    ("within: 15m", "within: 3 business_days", 9, "targets[0].within", "need a calendar with closing hours", None),
    (", within: 15m", "", 9, "targets[0].within", "is required", None),
    ("grace: 30s", "grace: 30", 3, "limits.grace", "a bare number has no unit: write 30m or 30s", None),
    ("grace: 30s", "series: many", 3, "limits.series", "'many' is not a whole number", None),
    ("grace: 30s", "series: 0", 3, "limits.series", "greater than or equal to 1", None),
    ("grace: 30s", "retention: 1d", 3, "limits.retention", "shorter than reopen (7d)", None),
    ("[service, tier]", "[service, tire]", 2, "labels[1]", "unknown label 'tire'", "tier"),
    ("[service, tier]", "[service, tier, service]", 2, "labels[2]", "listed twice", None),
    ("priority: P1", "prority: P1", 9, "targets[0].when.prority", "unknown label 'prority'", "priority"),
    ("priority: P1", "kind: complaints", 9, "targets[0].when.kind", "no kind of case", "complaint"),
    ("priority: P1", "priority: []", 9, "targets[0].when.priority", "an empty list fits no case", None),
    ("priority: P1", 'priority: [P1, "!P2"]', 9, "targets[0].when.priority", "cannot stand in a list", None),
    ("priority: P1", "priority: !P1", 9, "", "begins with ! is written in quotes", None),
    ("policy: support", "policy: !support", 1, "policy", 'write "!support" in quotes', None),
    ("policy: support", "policy: !!python/name:os.system x", 1, "policy", "a tag has no meaning here", None),
    ("priority: P1", 'priority: "!"', 9, "targets[0].when.priority", "needs a value", None),
    ("{priority: P1}", "{}", 10, "targets[1]", "never reached: an earlier line always wins (targets[0])", None),
    ("calendar: office}", "calendar: offce}", 10, "targets[1].calendar", "'offce' is no calendar", "office"),
    ("within: 4h,", "within: 4h, at_risk: 80,", 10, "targets[1].at_risk", "write 80%", None),
    ("within: 4h,", "within: 4h, bots_answer: maybe,", 10, "targets[1].bots_answer", "neither true nor false", None),
    ("within: 4h,", "within: 4h, on_change: keeps,", 10, "targets[1].on_change", "is not one of", "keep"),
    ("clock: promise", "clock: promise, within: 4h", 11, "targets[2].within", "against the case's own due_at", None),
    ("clock: promise", "clock: promise, calendar: office", 11, "targets[2].calendar", "due_at: leave this", None),
    (
        "clock: promise}",
        "clock: resolution, within: 1h, bots_answer: true}",
        11,
        "targets[2].bots_answer",
        "no answer stops resolution",
        None,
    ),
    (
        "clock: promise}",
        "clock: acknowledgement, within: 1h, when: {kind: interaction}}",
        11,
        "targets[2].when.kind",
        "only complaints are acknowledged",
        None,
    ),
    ("Europe/Berlin", "Europe/Berlim", 6, "calendars.office.zone", "no IANA time zone", "Europe/Berlin"),
    (
        "zone: Europe/Berlin",
        "zone: UTC\n    holidays: {country: CNN}",
        7,
        "calendars.office.holidays",
        "'CNN' has no known holidays",
        "CN",
    ),
    ('mon-fri: ["09:00-17:00"]', "mon-fri: []", 7, "calendars.office.hours", "never open", None),
    ("mon-fri: [", "mon-fry: [", 7, "calendars.office.hours", "'fry' is no day", None),
    ("09:00-17:00", "9-17", 7, "calendars.office.hours", "is not a pair of times", None),
    ("09:00-17:00", "09:00-09:00", 7, "calendars.office.hours", "is empty", None),
    ("09:00-17:00", "09:00-25:00", 7, "calendars.office.hours", "is not a pair of times", None),
    (
        'hours: {mon-fri: ["09:00-17:00"]}',
        'hours: {mon-fri: ["09:00-17:00"], fri: []}',
        7,
        "calendars.office.hours",
        "fri is given twice",
        None,
    ),
    ("  office:", "  always:", 5, "calendars.always", "built in", None),
    ("measure: first_response", "measure: resolution", 14, "slas[0].measure", "no line of `targets`", None),
    ("measure: first_response", "measure: first_respons", 14, "slas[0].measure", "is no clock", "first_response"),
    (
        "measure: first_response",
        "measure: {indicator: csat_top2, at_least: 0.8}",
        14,
        "slas[0].measure.indicator",
        "unknown indicator 'csat_top2'",
        "csat_top2_ratio",
    ),
    (
        "measure: first_response",
        "measure: {indicator: csat_top2_ratio}",
        14,
        "slas[0].measure",
        "give at_least or at_most",
        None,
    ),
    ("{tier: gold}", "{region: north}", 15, "slas[0].where.region", "`labels` lists service, tier", None),
    ("by: [service]", "by: [servce]", 16, "slas[0].by[0]", "unknown label 'servce'", "service"),
    ("goal: 95%", "goal: 100%", 17, "slas[0].goal", "both excluded", None),
    ("goal: 95%", "goal: 95", 17, "slas[0].goal", "write 95%", None),
    ("goal: 95%", "goal: high", 17, "slas[0].goal", "is not a number", None),
    ("period: 30d", "period: 30", 18, "slas[0].period", "a bare number has no unit: write 30m or 30s", None),
    ("period: 30d", "period: 2000d", 18, "slas[0].period", "from 1m to 400d", None),
    ("period: 30d", "period: {calendar: year}", 18, "slas[0].period.calendar", "'year' is not one of", None),
    ("notify: [leads]", "notify: [lead]", 19, "slas[0].notify[0]", "not defined under `notify`", "leads"),
    ("id: answered", "id: an swered", 13, "slas[0].id", "is not a name", None),
    ("silent_after: 10m", "silent_after: 10", 21, "feeds[0].silent_after", "write 10m or 10s", None),
    ("{service: billing}", "{team: x}", 21, "feeds[0].from.team", "unknown label 'team'", None),
    ("empathy: 0.4", "empathy: 0.3", 23, "perception.dimensions", "the weights sum to 0.9, not to 1", None),
    (
        "{dimension: reliability}",
        "{dimension: reliabilty}",
        24,
        "perception.items.R1.dimension",
        "none of",
        "reliability",
    ),
    ("secret_env: SECRET", "url: https://x.org", 26, "notify.leads", "give one of webhook, apprise_env", None),
    ("https://example.org/hook", "example.org", 26, "notify.leads.webhook", "starts with http", None),
    ("policy: support", "policy: support\npolicy: other", 2, "policy", "given twice, first on line 1", None),
    ("policy: support", "effective_from: 2026-01-01T00:00:00Z", 1, "policy", "is required", None),
    ("policy: support", "policy: x\neffective_from: 2026-01-01", 2, "effective_from", "needs its offset", None),
    ("policy: support", "policy: x\neffective_from: soon", 2, "effective_from", "is not an instant", None),
    ("policy: support", "polcy: support", 1, "polcy", "unknown field", "policy"),
    ("targets:", "targets: [", 9, "", "not YAML", None),
]


@pytest.mark.parametrize(("written", "instead", "line", "field", "message", "nearest"), WRONG)
def test_a_wrong_policy_names_file_line_field_and_what_was_expected(
    written: str, instead: str, line: int, field: str, message: str, nearest: str | None
) -> None:
    assert RIGHT.count(written) >= 1
    with pytest.raises(PolicyError) as refused:
        load([("support.yaml", RIGHT.replace(written, instead, 1))])
    found = [p for p in refused.value.problems if p.field == field and message in p.message]
    assert found, str(refused.value)
    assert (found[0].file, found[0].line, found[0].nearest) == ("support.yaml", line, nearest)
    assert f"support.yaml:{line}: " in str(refused.value)


def test_the_right_policy_has_nothing_wrong() -> None:
    assert load([("support.yaml", RIGHT)]).hints == ()


def test_all_that_is_wrong_is_said_at_once() -> None:
    wrong = RIGHT.replace("15m", "15").replace("{priority: P1}", "{prority: P1}").replace("0.4", "0.3")
    with pytest.raises(PolicyError) as refused:
        load([("p.yaml", wrong.replace("goal: 95%", "gaol: 95%"))])
    fields = [problem.field for problem in refused.value.problems]
    assert set(fields) == {
        "targets[0].within",
        "targets[0].when.prority",
        "slas[0].gaol",
        "slas[0].goal",
        "perception.dimensions",
    }


@pytest.mark.parametrize(
    ("lines", "unreachable"),
    [
        (["{}", "{priority: P1}"], "targets[1]"),
        (["{priority: [P1, P2]}", "{priority: P2}"], "targets[1]"),
        (['{priority: "*"}', "{priority: P1}"], "targets[1]"),
        (['{tier: "!free"}', "{tier: gold}"], "targets[1]"),
        (['{tier: "!free"}', "{tier: free}", "{}"], "targets[2]"),
        (["{kind: complaint}", "{kind: interaction}", "{team: a}"], "targets[2]"),
        (["{tier: gold}", "{tier: gold, team: a}"], "targets[1]"),
        (["{tier: gold}", "{team: a}"], None),
        (['{tier: "!free"}', "{tier: free}"], None),
        (['{tier: "*"}', '{tier: "!gold"}'], None),
        (["{priority: P1}", "{priority: [P1, P2]}"], None),
    ],
)
def test_a_line_that_earlier_ones_always_beat_is_an_error(lines: list[str], unreachable: str | None) -> None:
    targets = "\n".join(f"  - {{clock: resolution, within: 1h, when: {when}}}" for when in lines)
    text = f"policy: p\ntargets:\n{targets}\n"
    if unreachable is None:
        load([("p.yaml", text)])
        return
    with pytest.raises(PolicyError, match="never reached") as refused:
        load([("p.yaml", text)])
    assert [problem.field for problem in refused.value.problems] == [unreachable]


@pytest.mark.parametrize(
    ("texts", "line", "message"),
    [
        (["policy: a\n", "policy: a\n"], 1, "two versions with the same effective_from"),
        (
            ["policy: a\n---\npolicy: b\neffective_from: 2026-01-01T00:00:00Z\n"],
            3,
            "versions of one policy bear one name",
        ),
        (
            [f"policy: a\neffective_from: {at}\n" for at in ("2026-01-01T00:00:00Z", "2026-01-01T08:00:00+08:00")],
            2,
            "two versions with the same effective_from (the other: 0.yaml:2)",
        ),
        ([""], 0, "holds no policy"),
        (["- a\n- b\n"], 1, "must be a mapping of fields"),
        ([], 0, "holds no policy"),
    ],
)
def test_versions_that_do_not_belong_together_are_refused(texts: list[str], line: int, message: str) -> None:
    with pytest.raises(PolicyError) as refused:
        load((f"{i}.yaml", text) for i, text in enumerate(texts))
    (problem,) = refused.value.problems
    assert problem.line == line
    assert message in problem.message


@pytest.mark.parametrize(
    ("written", "instead", "field", "message"),
    [
        ("within: 4h,", "within: 2d,", "targets[1].within", "2d on office is 48 open hours; write 2 business_days"),
        ("goal: 95%", "goal: 80%", "slas[0].goal", "burns at most 5 times"),
        ('["09:00-17:00"]', '["09:00-13:00", "12:00-17:00"]', "calendars.office.hours", "shifts of mon overlap"),
    ],
)
def test_doubtful_things_are_hints_that_keep_nothing_from_working(
    written: str, instead: str, field: str, message: str
) -> None:
    hints = load([("p.yaml", RIGHT.replace(written, instead, 1))]).hints
    assert any(hint.field == field and message in hint.message for hint in hints)
    assert {hint.severity for hint in hints} == {"hint"}


def test_a_few_lines_of_aliases_cannot_grow_without_end() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}]\n"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(PolicyError, match="too large"):
        load([("bomb.yaml", bomb)])


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "{" * 5000, "\0", "a: \ud800", "\t- x"])
def test_no_text_makes_the_reader_fail_otherwise(text: str) -> None:
    with pytest.raises(PolicyError):
        load([("p.yaml", text)])
