// Alerts with their reason: those that fire, then those that ended.

import { assembled, byId, keyed, make, mark, parts, say, sayTime, show } from "./dom.js";
import { count, moment } from "./format.js";

const ENDED_SHOWN = 20;

function create(alert) {
  const row = assembled("li", "alert", [
    ["span", "severity", "badge"], ["span", "title", "title"], ["time", "since", "since"], ["span", "detail", "detail"],
  ]);
  if (alert.case) {
    const link = make("a", "", `case ${alert.case}`);
    link.href = caseLink(alert.case);
    row.append(link);
  }
  return row;
}

export function caseLink(id) {
  return `#case=${encodeURIComponent(id)}`;
}

function update(row, alert) {
  const part = parts(row);
  mark(row, "severity", alert.state === "firing" ? alert.severity : "ended");
  say(part.severity, alert.state === "firing" ? alert.severity : alert.state);
  say(part.title, alert.title);
  sayTime(part.since, alert.state === "firing" ? alert.since : (alert.resolved_at ?? alert.at), moment);
  say(part.detail, `${alert.detail} [${alert.reason}]`);
}

export function showAlerts(alerts) {
  const firing = alerts.filter((alert) => alert.state === "firing");
  const ended = alerts.filter((alert) => alert.state !== "firing");
  keyed(byId("alerts"), firing, (alert) => alert.id, create, update);
  keyed(byId("alerts-ended"), ended.slice(0, ENDED_SHOWN), (alert) => alert.id, create, update);
  say(byId("alerts-count"), firing.length ? `${count(firing.length)} firing` : "");
  say(byId("ended-count"), count(ended.length));
  show(byId("alerts-none"), firing.length === 0);
  show(byId("ended"), ended.length > 0);
}
