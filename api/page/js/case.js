// One case: what happened to it and what became of its clocks.

import { linkTo } from "./address.js";
import { byId, make, mark, say, show } from "./dom.js";
import { clockName, duration, labelText, moment } from "./format.js";
import { timelineParts } from "./timeline.js";

let wanted = null;
let missed = false; // the last answer was that there is none yet

function cells(row, values, tag = "td") {
  for (const value of values) row.append(make(tag, "", value));
  return row;
}

function table(heads, rows) {
  const element = make("table");
  const head = make("thead");
  head.append(cells(make("tr"), heads, "th"));
  for (const cell of head.querySelectorAll("th")) cell.scope = "col";
  const body = make("tbody");
  body.append(...rows);
  element.append(head, body);
  const frame = make("div", "scrolls");
  frame.append(element);
  return frame;
}

function verdictRow(verdict) {
  const row = cells(make("tr"), [
    verdict.cycle > 1 ? `${clockName(verdict.clock)} ${verdict.cycle}` : clockName(verdict.clock),
    verdict.outcome.replaceAll("_", " "),
    moment(verdict.started), moment(verdict.due), moment(verdict.stopped),
    duration(verdict.elapsed_seconds), duration(verdict.paused_seconds),
  ]);
  mark(row, "state", verdict.outcome);
  return row;
}

function eventRow(event) {
  const data = Object.entries(event.data).map(([name, value]) => `${name.replaceAll("_", " ")}: ${value}`);
  const what = event.type.replace(/^(interaction|complaint)\./, "").replaceAll("_", " ");
  return cells(make("tr"), [moment(event.time), what, [labelText(event.labels), ...data].filter(Boolean).join(", "), event.source]);
}

function draw(found) {
  const facts = [found.complaint ? "complaint" : "interaction", found.phase, labelText(found.labels)];
  byId("case-body").replaceChildren(
    make("p", "facts", facts.filter(Boolean).join(" – ")),
    make("h3", "", "Clocks"),
    found.verdicts.length
      ? table(["Clock", "Outcome", "Started", "Due", "Stopped", "Took", "Paused"], found.verdicts.map(verdictRow))
      : make("p", "none", "No clock has a target for this case."),
    make("h3", "", "Why"),
    ...timelineParts(found.timeline, found.now),
    make("h3", "", "Events"),
    table(["When", "What", "With", "Source"], found.events.map(eventRow)),
  );
}

async function load(id) {
  missed = false;
  try {
    const answer = await fetch(`v1/cases/${encodeURIComponent(id)}`);
    const found = await answer.json();
    if (wanted !== id) return;
    if (answer.ok) draw(found);
    else say(byId("case-body"), found.detail ?? found.title);
    missed = answer.status === 503;
  } catch {
    if (wanted !== id) return;
    say(byId("case-body"), "The case could not be loaded: no connection.");
    missed = true;
  }
}

export async function showCase(id) {
  byId("case-close").href = linkTo({ case: "" });
  if (wanted === id) return;
  wanted = id;
  show(byId("case"), id !== null);
  if (id === null) return;
  say(byId("case-title"), `Case ${id}`);
  say(byId("case-body"), "Loading …");
  await load(id);
  if (wanted === id) byId("case").scrollIntoView({ block: "start" });
}

/** A tick came: a case that could not be answered while there were no figures or no connection can be, now. */
export function caseMissed() {
  if (missed && wanted !== null) load(wanted);
}

/** Something became known about a case: load it again if it is the one that is looked at. */
export function caseChanged(id) {
  if (id !== null && id === wanted) load(id);
}
