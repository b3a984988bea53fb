// The first thing seen: the worst that is true, and whether the figures can be trusted.

import { byId, mark, say, show } from "./dom.js";
import { count, decimal, duration, labelText, percent, share, timeOfDay } from "./format.js";

const STATES = { breached: "breached", burning: "burning", too_few: "too few", ok: "kept", no_data: "no events" };

export function stateName(state) {
  return STATES[state] ?? state;
}

function plural(n, one, many) {
  return `${count(n)} ${n === 1 ? one : many}`;
}

export function showVerdict(tick, slas, alerts, service) {
  const firing = alerts.filter((alert) => alert.state === "firing");
  const breached = slas.filter((sla) => sla.state === "breached");
  const burning = slas.filter((sla) => sla.state === "burning");
  const said = [];
  if (!tick.ledger.balanced) said.push("The ledger does not balance: the figures cannot be trusted");
  if (breached.length) said.push(plural(breached.length, "objective breached", "objectives breached"));
  if (burning.length) said.push(plural(burning.length, "objective burning", "objectives burning"));
  if (firing.length) said.push(plural(firing.length, "alert firing", "alerts firing"));
  let level = "good";
  if (!tick.ledger.balanced || breached.length || firing.some((alert) => alert.severity === "page")) level = "bad";
  else if (said.length) level = "warn";
  const worst = breached[0] ?? burning[0];
  const whose = service ? `${service}: ` : "";
  say(byId("verdict-said"), `${whose}${said.length ? said.join(", ") : calmText(slas)}.`);
  say(byId("verdict-worst"), worstText(worst));
  mark(byId("verdict"), "level", level);
  document.title = `${level === "good" ? "✓" : "⚠"} ${said[0] ?? "all kept"} – sqm`;
}

function worstText(worst) {
  if (!worst) return "";
  const whose = labelText(worst.labels);
  return `Worst: ${whose ? `${whose}: ` : ""}${worst.title}, ${percent(worst.compliance)} of ${share(worst.goal)}.`;
}

function calmText(slas) {
  if (!slas.length) return "Nothing is firing";
  const open = slas.filter((sla) => sla.state !== "ok").length;
  if (open === 0) return "All objectives are kept, nothing is firing";
  return `No objective is breached, nothing is firing (${plural(open, "has", "have")} too few events to say)`;
}

/** What makes the figures of this tick less than current, in words; empty when nothing does. */
export function staleness(tick) {
  const reasons = Object.values(tick.troubles ?? {});
  if (tick.catching_up) reasons.push(tick.catching_up);
  else if (tick.current_share < 1) reasons.push(behindText(tick.ledger.partitions));
  return reasons.join("; ");
}

function behindText(partitions) {
  const behind = partitions.filter((partition) => !partition.current);
  const verb = behind.length === 1 ? "is" : "are";
  return `${count(behind.length)} of ${plural(partitions.length, "partition", "partitions")} ${verb} behind`;
}

function stateOf(tick, connection) {
  if (connection.lost) return "lost";
  if (!tick) return "waiting";
  return staleness(tick) ? "stale" : "live";
}

/** One line that is always there, so that nothing moves when it turns from news to warning. */
export function showFreshness(tick, connection) {
  const element = byId("freshness");
  const state = stateOf(tick, connection);
  mark(document.body, "freshness", state);
  document.body.classList.toggle("lost", state === "lost");
  say(element, TEXTS[state](tick, connection));
}

/** Policy files that were not taken: what one sees is judged by those before them. */
export function showRefusedPolicy(refused) {
  show(byId("refused"), Boolean(refused));
  if (!refused) return;
  const why = { unreadable: "cannot be read", invalid: "are not right", frozen: "change what has been judged" };
  say(byId("refused-why"), `The policy files ${why[refused.reason] ?? "are refused"}: the policy before them stays in force (since ${timeOfDay(refused.at)}).`);
  say(byId("refused-problems"), refused.problems.join("\n"));
}

const TEXTS = {
  waiting: () => "Waiting for the first figures …",
  live: (tick) => `Live: as of ${timeOfDay(tick.now)}, ${decimal(tick.rate_per_second, 1)} events a second`,
  stale: (tick) => {
    const lag = tick.lag_seconds > 5 ? ` (${duration(Math.floor(tick.lag_seconds))} ago)` : "";
    return `Figures are stale: as of ${timeOfDay(tick.now)}${lag}. ${staleness(tick)}.`;
  },
  lost: (tick, { silent }) => {
    const since = silent === null ? "" : `, silent for ${duration(Math.floor(silent / 1000))}`;
    const asOf = tick ? ` Figures as of ${timeOfDay(tick.now)}.` : "";
    return `Connection lost${since}.${asOf} Trying again …`;
  },
};
