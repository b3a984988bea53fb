// Running clocks, the least time left first; counted down between ticks.

import { linkTo } from "./address.js";
import { byId, keyed, make, mark, say, show } from "./dom.js";
import { clockName, duration, labelText, percent } from "./format.js";

// What a clock has in common with those its chance to breach is learned from.
const ALIKE = {
  clock: "of the same kind",
  clock_target: "of the same kind with about the same target",
  service: "of the service",
  service_target: "of the service with about the same target",
  priority: "of the priority",
  priority_target: "of the priority with about the same target",
  service_priority: "of the service and priority",
  service_priority_target: "of the service and priority with about the same target",
  labels_target: "with the same labels and about the same target",
};

let shown = { clocks: [], now: 0, received: 0 };

function create(clock) {
  const row = make("tr");
  const head = make("th");
  head.scope = "row";
  head.append(make("a", "", clock.case), make("small"));
  const chance = make("td", "number");
  chance.append(make("span"), " ", make("small"));
  row.append(head, make("td"), make("td", "number"), make("td", "number"), chance);
  head.firstChild.title = clock.case;
  return row;
}

function update(row, clock) {
  const [head, name, due, used, chance] = row.children;
  head.firstChild.href = linkTo({ case: clock.case });
  say(head.lastChild, labelText(clock.labels));
  say(name, clock.cycle > 1 ? `${clockName(clock.clock)} ${clock.cycle}` : clockName(clock.clock));
  const left = (Date.parse(clock.due) - shown.now - (performance.now() - shown.received)) / 1000;
  say(due, left < 0 ? `${duration(Math.floor(-left))} ago` : duration(Math.floor(left)));
  due.title = clock.due;
  say(used, percent(clock.used_ratio, 0));
  const known = clock.chance_ratio !== null;
  say(chance.firstChild, percent(clock.chance_ratio, 0));
  say(chance.lastChild, known ? `of ${clock.chance_n}` : "");
  chance.title = known
    ? `learned from ${clock.chance_n} clocks ${ALIKE[clock.chance_alike]} that had got as far`
    : "too few clocks like it are known";
  mark(row, "state", left < 0 ? "breached" : clock.outcome);
}

function draw() {
  keyed(byId("clocks"), shown.clocks, (c) => `${c.case}\n${c.clock}\n${c.cycle}`, create, update);
}

export function showClocks(clocks, now) {
  shown = { clocks: clocks.filter((clock) => clock.due !== null), now: Date.parse(now), received: performance.now() };
  show(byId("clocks-none"), shown.clocks.length === 0);
  draw();
}

/** Between ticks the time that is left goes on getting less; without ticks nobody knows, so it stands still. */
export function countDown() {
  if (!document.body.classList.contains("lost")) draw();
}
