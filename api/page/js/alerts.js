// Alerts with their reason: those that fire, the loudest first, then those that ended.

import { linkTo } from "./address.js";
import { assembled, byId, keyed, mark, parts, say, sayTime, show } from "./dom.js";
import { count, moment } from "./format.js";

const SHOWN = 6; // as in the style sheet
const ENDED_SHOWN = 20;
const LOUDNESS = ["page", "ticket", "info"];
const OF_ONE_CASE = ["breach", "at_risk"];

const ENDS = { resolved: "ended", historic: "long past" };

function create(alert) {
  return assembled("li", "alert", [
    ["span", "severity", "badge"], [alert.case ? "a" : "span", "title", "title"], ["time", "since", "since"],
    ["span", "detail", "detail"],
  ]);
}

function update(row, alert) {
  const part = parts(row);
  const firing = alert.state === "firing";
  mark(row, "severity", firing ? alert.severity : "ended");
  mark(row, "reason", alert.reason);
  say(part.severity, firing ? alert.severity : ENDS[alert.state]);
  say(part.title, alert.title);
  sayTime(part.since, firing ? alert.since : (alert.resolved_at ?? alert.at), moment);
  say(part.detail, `${alert.detail} [${alert.reason.replaceAll("_", " ")}]`);
  if (alert.case) part.title.href = linkTo({ case: alert.case });
}

/** The loudest first, what is about many cases before what is about one, then the newest. */
function louder(a, b) {
  return LOUDNESS.indexOf(a.severity) - LOUDNESS.indexOf(b.severity)
    || OF_ONE_CASE.includes(a.kind) - OF_ONE_CASE.includes(b.kind)
    || (b.since ?? "").localeCompare(a.since ?? "");
}

export function showAlerts(alerts) {
  const firing = alerts.filter((alert) => alert.state === "firing").sort(louder);
  const ended = alerts.filter((alert) => alert.state !== "firing");
  keyed(byId("alerts"), firing, (alert) => alert.id, create, update);
  keyed(byId("alerts-ended"), ended.slice(0, ENDED_SHOWN), (alert) => alert.id, create, update);
  say(byId("alerts-count"), firing.length ? `${count(firing.length)} firing` : "");
  say(byId("ended-count"), count(ended.length));
  show(byId("alerts-none"), firing.length === 0);
  show(byId("ended"), ended.length > 0);
  const more = byId("alerts-more");
  show(more, firing.length > SHOWN);
  say(more, byId("alerts").classList.contains("all") ? "Show fewer" : `Show ${count(firing.length - SHOWN)} more`);
}

byId("alerts-more").addEventListener("click", (event) => {
  const all = byId("alerts").classList.toggle("all");
  event.target.setAttribute("aria-expanded", String(all));
  say(event.target, all ? "Show fewer" : "Show all");
});
