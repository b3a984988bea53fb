// Indicators by dimension, each with its interval and its n.

import { assembled, byId, keyed, make, mark, parts, say } from "./dom.js";
import { count, measured, NONE } from "./format.js";

function createDimension(dimension) {
  const group = make("div", "dimension");
  const heads = make("div", "indicator heads");
  heads.append(make("h3", "", dimension.name), make("span", "value", "value"), make("span", "range", "95 % interval"), make("span", "n", "n"));
  group.append(heads, make("ul", "rows"));
  return group;
}

function createIndicator() {
  return assembled("li", "indicator", [
    ["span", "title", "title"], ["span", "value", "value"], ["span", "range", "range"], ["span", "n", "n"],
  ]);
}

function updateIndicator(row, indicator) {
  const part = parts(row);
  const few = indicator.value === null;
  say(part.title, indicator.title);
  say(part.value, few ? "too few" : measured(indicator.value, indicator.unit));
  mark(row, "few", String(few));
  say(part.range, few ? `at least ${count(indicator.min_n)}` : rangeText(indicator));
  say(part.n, count(indicator.n));
  const about = `${indicator.id}: ${indicator.better} is better`;
  if (row.title !== about) row.title = about;
}

function rangeText(indicator) {
  if (indicator.low === null) return NONE;
  return `${measured(indicator.low, indicator.unit)} to ${measured(indicator.high, indicator.unit)}`;
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
