// Where every event went.

import { assembled, byId, keyed, make, mark, parts, say, show } from "./dom.js";
import { count, decimal, duration, moment } from "./format.js";

const SHOWN = [
  ["counted", "counted"], ["duplicate", "duplicate"], ["late", "late"], ["rejected", "refused"],
  ["corrected", "verdicts corrected"], ["cases_opened", "cases opened"], ["cases_closed", "closed"], ["cases_open", "open"],
  ["cases_unopened", "not opened yet"], ["cases_inconsistent", "contradictory"], ["overflowed", "labels rolled up"],
];

export function showLedger(tick) {
  const ledger = tick.ledger;
  const balance = byId("balance");
  mark(balance, "state", ledger.balanced ? "ok" : "breached");
  say(balance, ledger.balanced
    ? `Balanced: each of ${count(ledger.read)} events read is accounted for.`
    : "NOT BALANCED: events are missing or counted twice. The figures cannot be trusted.");
  const items = [
    { name: "events a second", value: decimal(tick.rate_per_second, 1) },
    { name: "behind", value: tick.lag_seconds === null ? "–" : duration(tick.lag_seconds) },
    ...SHOWN.filter(([key]) => key in ledger).map(([key, name]) => ({ name, value: count(ledger[key]) })),
  ];
  keyed(byId("ledger"), items, (item) => item.name, create, (element, item) => {
    say(element.firstChild, item.name);
    say(element.lastChild, item.value);
  });
  showVerified(ledger.verified);
  showRefusals(ledger);
  showWarnings(ledger);
}

function showVerified(verified) {
  const line = byId("verified");
  show(line, Boolean(verified));
  if (!verified) return;
  mark(line, "state", { equal: "ok", different: "breached", unable: "at_risk" }[verified.result]);
  const when = moment(verified.at);
  const left = verified.unproven.length ? ` Not proven: ${verified.unproven.join("; ")}.` : "";
  const text = {
    equal: `Verified ${when}: recomputed from ${count(verified.events)} events, equal.`,
    different: `VERIFIED ${when}: NOT EQUAL, ${count(verified.differences)} differences. ${verified.first}. ${verified.cause}`,
    unable: `Verification ${when} could not be done: ${verified.trouble}`,
  }[verified.result];
  say(line, text + left);
}

function create() {
  const pair = make("div");
  pair.append(make("dt"), make("dd", "number"));
  return pair;
}

function showRefusals(ledger) {
  const reasons = Object.entries(ledger.rejected_by_reason).map(([reason, n]) => ({ reason, n, link: true }));
  const items = reasons.map((item) => ({ ...item, text: `${count(item.n)} refused: ${item.reason.replaceAll("_", " ")}` }));
  if (ledger.overflowed) {
    items.push({ reason: "overflow", text: `${count(ledger.overflowed)} times a combination of labels was counted as __other__ (limits.series)` });
  }
  show(byId("refusals"), items.length > 0);
  keyed(byId("refusals"), items, (item) => item.reason, createRefusal, (row, item) => {
    const link = parts(row).link;
    say(link, item.text);
    if (item.link) link.href = `v1/rejected?reason=${encodeURIComponent(item.reason)}`;
  });
}

function createRefusal() {
  return assembled("li", "refusal", [["a", "link", ""]]);
}

/** What makes the figures less than whole for good: accepted holes, and cases that are torn over partitions. */
function showWarnings(ledger) {
  const items = ledger.partitions.flatMap((partition) => partition.holes.map((hole) => holeText(partition.partition, hole)));
  if (ledger.cases_split) items.push(splitText(ledger));
  show(byId("holes"), items.length > 0);
  keyed(byId("holes"), items, (text) => text, () => make("li", "refusal"), say);
}

function holeText(partition, hole) {
  const missing = hole.missing === null ? "an unknown number of" : count(hole.missing);
  const went = hole.counted ? "had been counted" : "were never counted";
  const span = hole.from_time && hole.to_time ? ` (${hole.from_time} to ${hole.to_time})` : "";
  return `A hole: ${missing} records of ${hole.topic}, partition ${partition}, are gone that ${went}${span}; accepted ${hole.accepted}`;
}

function splitText(ledger) {
  const named = ledger.split_cases.slice(0, 3).map(({ case: id, partitions }) => `${id} (partitions ${partitions.join(", ")})`);
  return `${count(ledger.cases_split)} cases come through several partitions, their clocks are wrong: ${named.join("; ")}`;
}
