// Running clocks, the least time left first; counted down between ticks.

import { byId, keyed, make, mark, say, show } from "./dom.js";
import { clockName, duration, labelText, percent } from "./format.js";
import { caseLink } from "./alerts.js";

let shown = { clocks: [], received: 0 };

function create(clock) {
  const row = make("tr");
  const head = make("th");
  head.scope = "row";
  const link = make("a", "", clock.case);
  link.href = caseLink(clock.case);
  head.append(link, make("small"));
  row.append(head, make("td"), make("td", "number"), make("td", "number"));
  return row;
}

function update(row, clock) {
  const [head, name, due, used] = row.children;
  say(head.lastChild, labelText(clock.labels));
  say(name, clock.cycle > 1 ? `${clockName(clock.clock)} ${clock.cycle}` : clockName(clock.clock));
  const left = clock.remaining_seconds - (performance.now() - shown.received) / 1000;
  say(due, left < 0 ? `${duration(Math.floor(-left))} ago` : duration(Math.floor(left)));
  due.title = clock.due;
  say(used, percent(clock.used_ratio, 0));
  mark(row, "state", left < 0 ? "breached" : clock.outcome);
}

function draw() {
  keyed(byId("clocks"), shown.clocks, (c) => `${c.case}\n${c.clock}\n${c.cycle}`, create, update);
}

export function showClocks(clocks) {
  shown = { clocks: clocks.filter((clock) => clock.due !== null), received: performance.now() };
  show(byId("clocks-none"), shown.clocks.length === 0);
  draw();
}

export function countDown() {
  draw();
}
