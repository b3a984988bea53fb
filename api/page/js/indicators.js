// Indicators by dimension, each with its interval and its n.

import { assembled, byId, keyed, make, mark, parts, say } from "./dom.js";
import { count, measured } from "./format.js";

function createDimension(dimension) {
  const group = make("div", "dimension");
  group.append(make("h3", "", dimension.name), make("ul", "rows"));
  return group;
}

function createIndicator() {
  return assembled("li", "indicator", [["span", "title", "title"], ["span", "value", "value"], ["span", "range", "detail"]]);
}

function updateIndicator(row, indicator) {
  const part = parts(row);
  say(part.title, indicator.title);
  const few = indicator.value === null;
  say(part.value, few ? `too few (n = ${count(indicator.n)})` : measured(indicator.value, indicator.unit));
  mark(row, "few", String(few));
  say(part.range, few ? `at least ${count(indicator.min_n)} wanted` : rangeText(indicator));
  row.title = `${indicator.id}: ${indicator.better} is better`;
}

function rangeText(indicator) {
  const n = `n = ${count(indicator.n)}`;
  if (indicator.low === null) return n;
  return `${measured(indicator.low, indicator.unit)} – ${measured(indicator.high, indicator.unit)}, ${n}`;
}

export function showIndicators(indicators) {
  const dimensions = new Map();
  for (const indicator of indicators) {
    if (!dimensions.has(indicator.dimension)) dimensions.set(indicator.dimension, []);
    dimensions.get(indicator.dimension).push(indicator);
  }
  const groups = [...dimensions].map(([name, members]) => ({ name, members }));
  keyed(byId("indicators"), groups, (group) => group.name, createDimension, (element, group) =>
    keyed(element.lastChild, group.members, (indicator) => indicator.id, createIndicator, updateIndicator));
}
