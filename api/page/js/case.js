// One case: what happened to it and what became of its clocks.

import { byId, make, mark, say, show } from "./dom.js";
import { clockName, duration, labelText, moment } from "./format.js";

let wanted = null;

function cells(row, values, tag = "td") {
  for (const value of values) row.append(make(tag, "", value));
  return row;
}

function table(heads, rows) {
  const element = make("table");
  const head = make("thead");
  head.append(cells(make("tr"), heads, "th"));
  const body = make("tbody");
  body.append(...rows);
  element.append(head, body);
  return element;
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
  const data = Object.entries(event.data).map(([name, value]) => `${name} ${value}`);
  return cells(make("tr"), [moment(event.time), event.type, [labelText(event.labels), ...data].filter(Boolean).join(", "), event.source]);
}

function draw(found) {
  const facts = [found.complaint ? "complaint" : "interaction", found.phase, labelText(found.labels)];
  byId("case-body").replaceChildren(
    make("p", "", facts.filter(Boolean).join(" – ")),
    make("h3", "", "Clocks"),
    table(["Clock", "Outcome", "Started", "Due", "Stopped", "Took", "Paused"], found.verdicts.map(verdictRow)),
    make("h3", "", "Events"),
    table(["When", "What", "With", "Source"], found.events.map(eventRow)),
  );
}

export async function showCase(id) {
  if (wanted === id) return;
  wanted = id;
  show(byId("case"), id !== null);
  if (id === null) return;
  say(byId("case-title"), `Case ${id}`);
  const close = make("a", "close", "close");
  close.href = "#";
  byId("case-title").append(" ", close);
  say(byId("case-body"), "Loading …");
  try {
    const answer = await fetch(`v1/cases/${encodeURIComponent(id)}`);
    const found = await answer.json();
    if (wanted !== id) return;
    if (answer.ok) draw(found);
    else say(byId("case-body"), found.detail ?? found.title);
  } catch {
    if (wanted === id) say(byId("case-body"), "The case could not be loaded: no connection.");
  }
  byId("case").scrollIntoView({ block: "start" });
}
