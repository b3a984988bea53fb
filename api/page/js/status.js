// The first thing seen: the worst that is true, and whether the figures can be trusted.

import { byId, mark, say, show } from "./dom.js";
import { count, duration, labelText, percent, timeOfDay } from "./format.js";

const STATES = { breached: "breached", burning: "burning", too_few: "too few events", ok: "kept", no_data: "no events" };

export function stateName(state) {
  return STATES[state] ?? state;
}

function plural(n, one, many) {
  return `${count(n)} ${n === 1 ? one : many}`;
}

export function showVerdict(tick, slas, alerts) {
  const element = byId("verdict");
  const firing = alerts.filter((alert) => alert.state === "firing");
  const breached = slas.filter((sla) => sla.state === "breached");
  const burning = slas.filter((sla) => sla.state === "burning");
  const worst = breached[0] ?? burning[0];
  const said = [];
  if (breached.length) said.push(plural(breached.length, "objective breached", "objectives breached"));
  if (burning.length) said.push(`${count(burning.length)} burning`);
  if (firing.length) said.push(plural(firing.length, "alert firing", "alerts firing"));
  let level = "good";
  if (breached.length || firing.some((alert) => alert.severity === "page")) level = "bad";
  else if (burning.length || firing.length) level = "warn";
  let text = said.join(", ");
  if (worst) {
    const whose = labelText(worst.labels);
    text += `. Worst: ${worst.title}${whose ? ` (${whose})` : ""}, ${percent(worst.compliance)} of ${percent(worst.goal)}`;
  } else if (!text) {
    text = slas.length ? "All objectives are kept, nothing is firing" : "Nothing is firing";
  }
  say(element, `${text}.`);
  mark(element, "level", level);
  document.title = `${level === "good" ? "✓" : "⚠"} ${said[0] ?? "all kept"} – sqm`;
}

/** What makes the figures of this tick less than current, in words; empty when nothing does. */
export function staleness(tick) {
  const reasons = Object.values(tick.troubles ?? {});
  if (tick.current_share < 1) {
    reasons.push(`${percent(1 - tick.current_share, 0)} of the partitions are behind`);
  }
  if (!reasons.length) return "";
  const lag = tick.lag_seconds > 5 ? `, ${duration(tick.lag_seconds)} behind` : "";
  return `Figures are stale: as of ${timeOfDay(tick.now)}${lag}. ${reasons.join("; ")}.`;
}

export function showStaleness(tick) {
  const text = staleness(tick);
  say(byId("stale"), text);
  show(byId("stale"), text !== "");
}

export function showConnection({ lost, silent }, tick) {
  const element = byId("connection");
  show(element, lost);
  document.body.classList.toggle("lost", lost);
  if (!lost) return;
  const since = silent === null ? "" : ` ${duration(Math.round(silent / 1000))} ago`;
  const asOf = tick ? ` Figures as of ${timeOfDay(tick.now)}.` : "";
  say(element, `Connection lost${since}.${asOf} Trying again …`);
}
