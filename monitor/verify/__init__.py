"""A state against the events that it was made of, recomputed in one batch: equal, or what differs, in words.

Recorded decisions of arrival are taken as given: what was refused as `late` or as of the future, and which label
combinations were admitted as series. All else is worked out again: `check.Check` does so for one partition.
"""

from monitor.verify.alerts import compare_alerts as compare_alerts
from monitor.verify.burns import compare_burns as compare_burns
from monitor.verify.check import Arrived as Arrived
from monitor.verify.check import Check as Check
from monitor.verify.check import Head as Head
from monitor.verify.figures import Reach as Reach
from monitor.verify.findings import Difference as Difference
from monitor.verify.findings import Figure as Figure
from monitor.verify.findings import Findings as Findings
from monitor.verify.looks import Look as Look
from monitor.verify.looks import Told as Told
from monitor.verify.looks import provable as provable
from monitor.verify.recompute import CaseRows as CaseRows
from monitor.verify.recompute import Terms as Terms
from monitor.verify.spans import Spans as Spans
