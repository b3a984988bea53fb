"""The policy: what was promised to whom, read from YAML, checked, and ready to judge cases with.

`load` takes texts and gives a `PolicySet`, or raises `PolicyError` with file, line, field and message of all
that is wrong.
"""

from monitor.policy.calendar_model import ALWAYS, Calendar, Holidays, Maintenance, Shift
from monitor.policy.compiled import PolicySet, PolicyVersion, TargetLine
from monitor.policy.conditions import Condition
from monitor.policy.durations import BusinessDays
from monitor.policy.load import default_policy, load
from monitor.policy.model import (
    CalendarPeriod,
    Feed,
    IndicatorMeasure,
    Limits,
    OnChange,
    Perception,
    PolicyDocument,
    Receiver,
    Sla,
    SlaAlerts,
    policy_schema,
)
from monitor.policy.problems import FileProblems, PolicyError, Problem
from monitor.policy.versions import PolicyFrozen, admitted, restated

__all__ = [
    "ALWAYS",
    "BusinessDays",
    "Calendar",
    "CalendarPeriod",
    "Condition",
    "Feed",
    "FileProblems",
    "Holidays",
    "IndicatorMeasure",
    "Limits",
    "Maintenance",
    "OnChange",
    "Perception",
    "PolicyDocument",
    "PolicyError",
    "PolicyFrozen",
    "PolicySet",
    "PolicyVersion",
    "Problem",
    "Receiver",
    "Shift",
    "Sla",
    "SlaAlerts",
    "TargetLine",
    "admitted",
    "default_policy",
    "load",
    "policy_schema",
    "restated",
]
