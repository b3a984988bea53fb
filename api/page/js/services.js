// One row a service, the one worst off first.

import { linkTo } from "./address.js";
import { byId, keyed, make, mark, say, show } from "./dom.js";
import { count, duration } from "./format.js";
import { stateName } from "./status.js";

function create() {
  const row = make("tr");
  const head = make("th");
  head.scope = "row";
  head.append(make("a"));
  const state = make("td");
  state.append(make("span", "badge"));
  row.append(head, state, ...Array.from({ length: 4 }, () => make("td", "number")));
  row.children[4].append(make("a"));
  return row;
}

function update(row, service) {
  const [head, state, open, risk, late, oldest] = row.children;
  mark(row, "state", service.state);
  say(head.firstChild, service.service);
  head.firstChild.href = linkTo({ service: service.service });
  say(state.firstChild, stateName(service.state));
  say(open, count(service.open));
  say(risk, count(service.at_risk));
  mark(risk, "some", String(service.at_risk > 0));
  say(late.firstChild, count(service.breached_open));
  late.firstChild.href = `v1/clocks?outcome=breached&service=${encodeURIComponent(service.service)}`;
  mark(late, "some", String(service.breached_open > 0));
  say(oldest, service.oldest_waiting_seconds === null ? "–" : duration(Math.floor(service.oldest_waiting_seconds)));
}

export function showServices(services) {
  keyed(byId("services"), services, (service) => service.service, create, update);
  show(byId("services-none"), services.length === 0);
}

export function offerServices(services, chosen) {
  const select = byId("service");
  const names = services.map((service) => service.service).sort();
  if (chosen && !names.includes(chosen)) names.push(chosen);
  keyed(select, [{ name: "" }, ...names.map((name) => ({ name }))], (item) => item.name, () => make("option"),
    (option, item) => {
      if (option.value !== item.name || !option.hasAttribute("value")) option.value = item.name;
      say(option, item.name || "all");
    });
  if (select.value !== chosen) select.value = chosen;
}
