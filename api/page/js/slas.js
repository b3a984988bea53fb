// Objectives, the worst first (the server's order).

import { assembled, byId, keyed, mark, say, show, parts } from "./dom.js";
import { count, decimal, duration, labelText, percent } from "./format.js";
import { stateName } from "./status.js";

const PARTS = [
  ["span", "state", "badge"], ["span", "title", "title"], ["span", "value", "value"],
  ["meter", "budget", "budget"], ["span", "left", "left"], ["span", "burn", "detail"],
];

function create() {
  const row = assembled("li", "sla", PARTS);
  const meter = parts(row).budget;
  meter.min = 0;
  meter.max = 1;
  meter.low = 0.25;
  meter.optimum = 1;
  return row;
}

function update(row, sla) {
  const part = parts(row);
  mark(row, "state", sla.state);
  say(part.state, stateName(sla.state));
  const whose = labelText(sla.labels);
  say(part.title, whose ? `${sla.title} – ${whose}` : sla.title);
  const n = sla.good === null ? "" : ` (${count(sla.good)} of ${count(sla.good + sla.bad)})`;
  say(part.value, `${percent(sla.compliance, 2)} of ${percent(sla.goal, 2)} over ${sla.period}${n}`);
  const left = sla.budget_left;
  part.budget.value = Math.max(0, Math.min(1, left ?? 0));
  part.budget.title = "error budget left";
  say(part.left, left === null ? "no events yet" : `${percent(left, 0).replace("-", "−")} of the budget left`);
  say(part.burn, burnText(sla));
}

function burnText(sla) {
  const known = sla.burn.filter((pair) => pair.burn !== null);
  if (!known.length) return "";
  const firing = known.filter((pair) => pair.firing);
  const shown = firing.length ? firing : [known.reduce((a, b) => (b.burn / b.factor > a.burn / a.factor ? b : a))];
  return shown
    .map((pair) => `burns ${decimal(pair.burn, 1)} × over ${duration(pair.seconds)} (alert at ${decimal(pair.factor, 1)} ×)`)
    .join(", ");
}

export function showSlas(slas) {
  keyed(byId("slas"), slas, (sla) => sla.id + JSON.stringify(sla.labels), create, update);
  say(byId("slas-count"), count(slas.length));
  show(byId("slas-none"), slas.length === 0);
}
