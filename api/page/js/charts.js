// Small charts of what this page has seen since it was opened.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { byId, make } from "./dom.js";
import { duration, percent } from "./format.js";

const KEPT = 900; // ticks, about a quarter of an hour
const HEIGHT = 130;

const CHARTS = [
  { title: "Events a second", of: (tick) => tick.rate_per_second, format: (v) => v.toFixed(0) },
  { title: "First response, 95th percentile, last hour", of: (tick) => indicator(tick, "first_response_p95_seconds"), format: duration },
  { title: "Answered within target, last hour", of: (tick) => indicator(tick, "first_response_within_ratio"), format: (v) => percent(v) },
  { title: "Running clocks at risk", of: (tick) => sum(tick.services, "at_risk"), format: (v) => v.toFixed(0) },
];

function indicator(tick, id) {
  const found = tick.indicators.find((item) => item.id === id && item.window === "1h");
  return found ? found.value : null;
}

function sum(rows, key) {
  return rows.reduce((total, row) => total + row[key], 0);
}

let drawn = [];
let subject = null;

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function options(chart, width) {
  const axis = { stroke: color("--quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
  return {
    width, height: HEIGHT, legend: { show: false }, cursor: { y: false },
    scales: { y: { range: (plot, low, high) => [Math.min(0, low ?? 0), (high ?? 0) > 0 ? high * 1.1 : 1] } },
    series: [{}, { stroke: color("--accent"), width: 1.5, spanGaps: false, points: { show: false } }],
    axes: [
      { ...axis, space: 70 },
      { ...axis, size: 64, values: (plot, values) => values.map((value) => chart.format(value)) },
    ],
  };
}

function build() {
  const parent = byId("charts");
  parent.replaceChildren();
  drawn = CHARTS.map((chart, number) => {
    const figure = make("figure");
    figure.append(make("figcaption", "", chart.title));
    parent.append(figure);
    const width = Math.max(200, figure.clientWidth);
    const data = drawn[number]?.data ?? [[], []];
    return { chart, figure, data, plot: new uPlot(options(chart, width), data, figure) };
  });
}

export function drawCharts(tick, service) {
  if (subject !== service) {
    subject = service;
    drawn = [];
  }
  if (!drawn.length) build();
  for (const item of drawn) {
    const [times, values] = item.data;
    times.push(Date.parse(tick.wall) / 1000);
    values.push(item.chart.of(tick));
    if (times.length > KEPT) {
      times.shift();
      values.shift();
    }
    if (!document.hidden) item.plot.setData(item.data);
  }
}

const rebuild = () => drawn.length && build();
addEventListener("resize", () => drawn.forEach((item) => item.plot.setSize({ width: Math.max(200, item.figure.clientWidth), height: HEIGHT })));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", rebuild);
