// Small charts of the last minutes: what the server kept of them, then what comes.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { byId, make } from "./dom.js";
import { axisTime, duration, percent } from "./format.js";

const KEPT_SECONDS = 900;
const LEAST_SECONDS = 120; // the time axis is never shorter, so that it does not race at first
const MINUTES = [60, 120, 300, 600];
const HEIGHT = 120;

const CHARTS = [
  { title: "Events a second, all services", value: "rate_per_second", format: (v) => v.toFixed(v < 10 ? 1 : 0), least: 1 },
  { title: "First response, 95th percentile, last hour", value: "first_response_p95_seconds", format: duration, least: 1 },
  { title: "Answered within target, last hour", value: "first_response_within_ratio", format: (v) => percent(v), share: true },
  { title: "Running clocks at risk", value: "at_risk", format: (v) => v.toFixed(0), least: 4 },
];

let points = []; // as /v1/recent has them, oldest first; `seconds` is `at`
let drawn = [];
const darkness = matchMedia("(prefers-color-scheme: dark)");

function timed(point) {
  return { ...point, seconds: Date.parse(point.at) / 1000 };
}

export function addPoint(point) {
  const newest = timed(point);
  points = [...points.filter((kept) => kept.seconds > newest.seconds - KEPT_SECONDS), newest];
}

/** What was before this page was opened, or while it was cut off. */
export async function loadCharts() {
  const answer = await fetch("v1/recent");
  if (!answer.ok) return;
  const kept = (await answer.json()).items.map(timed);
  const first = kept[0]?.seconds ?? Infinity, last = kept.at(-1)?.seconds ?? -Infinity;
  points = [...points.filter((own) => own.seconds < first), ...kept, ...points.filter((own) => own.seconds > last)];
}

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function timeRange(plot, low, high) {
  return [Math.min(low ?? 0, (high ?? 0) - LEAST_SECONDS), high ?? LEAST_SECONDS];
}

/** Counts and times stand on zero; shares keep their distance to 100 % visible. */
function valueRange(chart) {
  if (chart.share) return (plot, low) => [Math.max(0, Math.min(0.9, Math.floor((low ?? 1) * 20) / 20)), 1];
  return (plot, low, high) => [0, Math.max(chart.least, (high ?? 0) * 1.15)];
}

function options(chart, width) {
  const axis = { stroke: color("--quiet"), font: "12px system-ui, sans-serif", grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
  return {
    width, height: HEIGHT, legend: { show: false }, cursor: { show: false }, padding: [8, 16, 0, 0],
    scales: { x: { range: timeRange }, y: { range: valueRange(chart) } },
    series: [{}, { stroke: color("--accent"), width: 1.5, spanGaps: false, points: { show: false } }],
    axes: [
      { ...axis, space: 60, size: 24, incrs: MINUTES, values: (plot, values) => values.map(axisTime) },
      { ...axis, space: 26, size: 62, values: (plot, values) => values.map(chart.format) },
    ],
  };
}

function build() {
  const parent = byId("charts");
  parent.replaceChildren();
  drawn = CHARTS.map((chart) => {
    const figure = make("figure");
    figure.append(make("figcaption", "", chart.title));
    parent.append(figure);
    return { figure, plot: new uPlot(options(chart, Math.max(200, figure.clientWidth)), [[], []], figure) };
  });
}

export function drawCharts(service) {
  if (document.hidden) return;
  if (!drawn.length) build();
  const times = points.map((point) => point.seconds);
  drawn.forEach(({ plot }, number) => {
    const { value } = CHARTS[number];
    plot.setData([times, points.map((point) => point.values[service]?.[value] ?? null)]);
  });
}

function fit() {
  for (const { figure, plot } of drawn) plot.setSize({ width: Math.max(200, figure.clientWidth), height: HEIGHT });
}

addEventListener("resize", fit);
darkness.addEventListener("change", () => {
  drawn = [];
});
