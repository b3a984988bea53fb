// Objectives, the worst first (the server's order).

import { assembled, byId, keyed, mark, say, show, parts } from "./dom.js";
import { count, decimal, duration, labelText, NONE, percent, share } from "./format.js";
import { stateName } from "./status.js";

const PARTS = [
  ["span", "state", "state badge"], ["span", "title", "title"], ["strong", "whose", ""], ["span", "what", ""], ["span", "value", "value"], ["meter", "budget", "budget"],
  ["span", "left", "left"], ["span", "detail", "detail"],
];

function create() {
  const row = assembled("li", "sla", PARTS);
  const { title, whose, what } = parts(row);
  title.append(whose, what);
  const meter = parts(row).budget;
  meter.min = 0;
  meter.max = 1;
  meter.low = 0.25;
  meter.high = 0.25;
  meter.optimum = 1;
  meter.title = "error budget left";
  meter.setAttribute("aria-label", "error budget left");
  return row;
}

function update(row, sla) {
  const part = parts(row);
  mark(row, "state", sla.state);
  say(part.state, stateName(sla.state));
  const whose = labelText(sla.labels);
  say(part.whose, whose ? `${whose}: ` : "");
  say(part.what, sla.title);
  say(part.value, `${percent(sla.compliance, 2)} of ${share(sla.goal)}`);
  const left = sla.budget_left;
  part.budget.value = Math.max(0, Math.min(1, left ?? 0));
  say(part.left, left === null ? NONE : leftText(left));
  say(part.detail, [countText(sla), burnText(sla)].filter(Boolean).join(" · "));
}

function leftText(left) {
  return left < 0 ? `over by ${percent(-left, 0)}` : `${percent(left, 0)} left`;
}

function countText(sla) {
  const over = `over ${sla.period.replace("calendar ", "the calendar ")}`;
  if (sla.good === null || sla.good + sla.bad === 0) return `no events ${over}`;
  const corrected = sla.corrected ? `, ${count(sla.corrected)} corrected` : "";
  const missing = sla.holes ? ", records are missing (see the ledger)" : "";
  return `${count(sla.bad)} of ${count(sla.good + sla.bad)} missed it ${over}${corrected}${missing}`;
}

/** The loudest pair that fires; else the one that comes closest to its limit. */
function burnText(sla) {
  const known = sla.burn.filter((pair) => pair.burn !== null);
  if (!known.length) return "";
  const closest = known.reduce((a, b) => (b.burn / b.factor > a.burn / a.factor ? b : a));
  const pair = known.find((one) => one.firing) ?? closest;
  return `burns ${decimal(pair.burn, 1)} × over ${duration(pair.seconds)} (limit ${Number(pair.factor.toFixed(1))} ×)`;
}

export function showSlas(slas) {
  keyed(byId("slas"), slas, (sla) => sla.id + JSON.stringify(sla.labels), create, update);
  say(byId("slas-count"), slas.length ? count(slas.length) : "");
  show(byId("slas-none"), slas.length === 0);
}
