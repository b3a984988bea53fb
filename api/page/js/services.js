// One row a service, the one worst off first.

import { byId, keyed, make, mark, say } from "./dom.js";
import { count, duration } from "./format.js";
import { stateName } from "./status.js";

function create() {
  const row = make("tr");
  const head = make("th");
  head.scope = "row";
  const state = make("td");
  state.append(make("span", "badge"));
  row.append(head, state, ...Array.from({ length: 4 }, () => make("td", "number")));
  return row;
}

function update(row, service) {
  const [head, state, open, risk, breached, oldest] = row.children;
  mark(row, "state", service.state);
  say(head, service.service);
  say(state.firstChild, stateName(service.state));
  say(open, count(service.open));
  say(risk, count(service.at_risk));
  say(breached, count(service.breached_open));
  say(oldest, service.oldest_waiting_seconds === null ? "–" : duration(Math.floor(service.oldest_waiting_seconds)));
}

export function showServices(services) {
  keyed(byId("services"), services, (service) => service.service, create, update);
}

export function offerServices(services, chosen) {
  const select = byId("service");
  const names = services.map((service) => service.service).sort();
  if (chosen && !names.includes(chosen)) names.push(chosen);
  keyed(select, [{ name: "" }, ...names.map((name) => ({ name }))], (item) => item.name, () => make("option"),
    (option, item) => {
      option.value = item.name;
      say(option, item.name || "all");
    });
  if (select.value !== chosen) select.value = chosen;
}
