// Why the clocks of a case have their verdicts: a drawing on one time axis, and the same in words under it.

import { make, mark } from "./dom.js";
import { clockName, local, localDay, spell } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const ROW = 46; // pixels of one clock: its name, and its band under it
const BAND = { top: 20, height: 16 };
const AXIS = 34;
const LEGEND = [
  ["counted", "counts"], ["paused", "paused"], ["closed", "closed, or resolved"], ["ahead", "left up to the due"],
  ["due", "due"], ["stop", "stopped"],
];

function draw(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function hinted(element, text) {
  element.append(draw("title", {}, text));
  return element;
}

/** Places of instants on the axis, in percent of its width. */
function scale(clocks, now) {
  const times = clocks.flatMap((clock) => [
    ...clock.entries.map((entry) => entry.at), clock.started, clock.due, clock.stopped ?? now,
  ]).filter(Boolean).map((text) => Date.parse(text));
  const from = Math.min(...times);
  const to = Math.max(...times, from + 1000);
  return { from, to, at: (text) => (Date.parse(text) - from) / (to - from) * 100 };
}

function axis(places, zone, height) {
  const group = draw("g", { class: "axis" });
  const day = localDay(new Date(places.from).toISOString(), zone) !== localDay(new Date(places.to).toISOString(), zone);
  [["start", 0], ["middle", 50], ["end", 100]].forEach(([anchor, place]) => {
    const time = new Date(places.from + (places.to - places.from) * place / 100).toISOString();
    group.append(
      draw("line", { class: anchor, x1: `${place}%`, x2: `${place}%`, y1: 0, y2: height - AXIS + 6 }),
      draw("text", { class: anchor, x: `${place}%`, y: height - AXIS + 20, "text-anchor": anchor }, local(time, zone, { day })),
    );
  });
  return group;
}

function stretchBar(stretch, places, zone) {
  const kind = stretch.why === "counted" ? (stretch.ahead ? "ahead" : "counted") : stretch.why === "paused" ? "paused" : "closed";
  const start = Math.max(0, places.at(stretch.start));
  const width = Math.max(Math.min(100, places.at(stretch.end)) - start, 0.15);
  const thin = kind === "closed";
  const bar = draw("rect", {
    class: kind, x: `${start}%`, width: `${width}%`,
    y: thin ? BAND.top + BAND.height / 2 - 1 : BAND.top, height: thin ? 2 : BAND.height,
  });
  return hinted(bar, `${local(stretch.start, zone)} – ${local(stretch.end, zone)}: ${stretch.words}`);
}

function instantLine(kind, text, places, hint) {
  const place = `${Math.min(Math.max(places.at(text), 0.2), 99.8)}%`;
  return hinted(draw("line", { class: kind, x1: place, x2: place, y1: BAND.top - 5, y2: BAND.top + BAND.height + 5 }), hint);
}

function row(clock, places, number) {
  const group = draw("svg", { y: number * ROW, height: ROW, width: "100%", class: "clock" });
  mark(group, "state", clock.outcome);
  group.append(draw("text", { x: 0, y: 13, class: "name" }, `${title(clock)}: ${clock.outcome.replaceAll("_", " ")}`));
  for (const stretch of clock.stretches) group.append(stretchBar(stretch, places, clock.zone));
  if (!clock.stretches.length) {
    const place = places.at(clock.entries[0].at);
    const end = places.at(clock.entries.at(-1).at);
    group.append(draw("rect", { class: "closed", x: `${place}%`, width: `${Math.max(end - place, 0.3)}%`, y: BAND.top + 7, height: 2 }));
  }
  if (clock.due) group.append(instantLine("due", clock.due, places, `due ${local(clock.due, clock.zone)}`));
  if (clock.stopped) group.append(instantLine("stop", clock.stopped, places, `stopped ${local(clock.stopped, clock.zone)}`));
  return group;
}

function title(clock) {
  return clock.clock === "next_response" ? `${clockName(clock.clock)} ${clock.cycle}` : clockName(clock.clock);
}

function legend() {
  const list = make("ul", "legend");
  for (const [kind, text] of LEGEND) {
    const item = make("li", "", text);
    mark(item, "kind", kind);
    list.append(item);
  }
  return list;
}

function drawing(timeline, now) {
  const { clocks } = timeline;
  const places = scale(clocks, now);
  const height = clocks.length * ROW + AXIS;
  const said = clocks.map((clock) => `${title(clock)} ${clock.words}`).join("; ");
  const svg = draw("svg", { class: "timeline", width: "100%", height, role: "img", "aria-label": `Time of each clock. ${said}` });
  const { zone } = clocks[0]; // the case's: that of the first clock
  svg.append(axis(places, zone, height), ...clocks.map((clock, number) => row(clock, places, number)));
  const figure = make("figure", "drawing");
  figure.append(svg, make("figcaption", "", `Times here are those of ${zone}.`), legend());
  return figure;
}

function moves(clock) {
  const list = make("ol", "moves");
  for (const entry of clock.entries) {
    const item = make("li");
    mark(item, "move", entry.move);
    const time = make("time", "", local(entry.at, clock.zone, { day: true }));
    time.dateTime = entry.at;
    time.title = entry.at;
    item.append(time, make("span", "", entry.words));
    list.append(item);
  }
  return list;
}

function pieces(clock) {
  const details = make("details");
  const behind = clock.stretches.filter((stretch) => !stretch.ahead);
  const paused = behind.filter((stretch) => stretch.why === "paused").reduce((sum, stretch) => sum + stretch.seconds, 0);
  const counted = behind.reduce((sum, stretch) => sum + stretch.counted_seconds, 0);
  details.append(make("summary", "", `Its time, piece by piece: ${spell(counted)} count, ${spell(paused)} paused`));
  const list = make("ol", "moves");
  for (const stretch of clock.stretches) {
    const item = make("li");
    mark(item, "move", stretch.why === "counted" ? "counted" : "ignored");
    const from = local(stretch.start, clock.zone, { day: true });
    const length = stretch.why === "counted" ? stretch.counted_seconds : stretch.seconds;
    const ahead = stretch.ahead ? ", up to the due" : "";
    item.append(make("time", "", from), make("span", "", `${spell(length)}: ${stretch.words}${ahead}`));
    list.append(item);
  }
  details.append(list);
  return details;
}

function told(clock) {
  const block = make("article", "clock-told");
  mark(block, "state", clock.outcome);
  const head = make("h4", "", `${title(clock)}: `);
  head.append(make("span", "outcome", clock.words));
  block.append(head, moves(clock));
  for (const other of clock.without_pauses) block.append(make("p", "detail", other.words));
  if (clock.stretches.length) block.append(pieces(clock));
  return block;
}

/** The elements that tell a timeline. */
export function timelineParts(timeline, now) {
  const notes = timeline.notes.map((note) => make("p", "detail", note));
  if (!timeline.clocks.length) return [...notes, make("p", "none", "No clock has a target for this case.")];
  return [...notes, drawing(timeline, now), ...timeline.clocks.map(told)];
}
