// Values as people read them.

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const minuteFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayFormat = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const integer = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

export const NONE = "–";

export function count(value) {
  return value === null || value === undefined ? NONE : integer.format(value);
}

export function decimal(value, digits = 2) {
  return value === null || value === undefined ? NONE : value.toFixed(digits);
}

/** A ratio as a percentage that never rounds up to 100 % nor down to 0 %. */
export function percent(ratio, digits = 1) {
  if (ratio === null || ratio === undefined) return NONE;
  const scale = 10 ** digits;
  let shown = Math.round(ratio * 100 * scale) / scale;
  if (ratio < 1 && shown >= 100) shown = 100 - 1 / scale;
  if (ratio > 0 && shown <= 0) shown = 1 / scale;
  return `${shown.toFixed(digits)} %`;
}

/** A goal as it was written: 95 %, 99.95 %. */
export function share(ratio) {
  return ratio === null || ratio === undefined ? NONE : `${Number((ratio * 100).toFixed(6))} %`;
}

/** Seconds in the two largest units that matter: 3 m 20 s, 2 h 5 m, 1 d 4 h. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  const sign = seconds < 0 ? "−" : "";
  const total = Math.abs(seconds);
  if (total < 10) return `${sign}${Number.isInteger(total) ? total : total.toFixed(1)} s`;
  const whole = Math.floor(total);
  const units = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
  const first = units.findIndex(([size]) => whole >= size);
  const parts = units.slice(first, first + 2).map(([size, name], place) => {
    const over = place === 0 ? whole : whole % units[first][0];
    return [Math.floor(over / size), name];
  });
  return sign + parts.filter(([n], place) => place === 0 || n > 0).map(([n, name]) => `${n} ${name}`).join(" ");
}

export function timeOfDay(text) {
  return text ? clockFormat.format(new Date(text)) : NONE;
}

/** Of an axis: seconds since the epoch. */
export function axisTime(seconds) {
  return minuteFormat.format(new Date(seconds * 1000));
}

export function moment(text) {
  return text ? dayFormat.format(new Date(text)) : NONE;
}

const zoned = new Map(); // formats by zone and what they show: making one is slow

function zonedFormat(zone, options) {
  const key = `${zone} ${Object.keys(options)}`;
  if (!zoned.has(key)) zoned.set(key, new Intl.DateTimeFormat(undefined, { timeZone: zone, hourCycle: "h23", ...options }));
  return zoned.get(key);
}

/** An instant in a zone: Thu, 2 Apr, 14:30, or 14:30 without its day; seconds only where it has some. */
export function local(text, zone, { day = true } = {}) {
  const options = { hour: "2-digit", minute: "2-digit" };
  if (Date.parse(text) % 60000) options.second = "2-digit";
  if (day) Object.assign(options, { weekday: "short", day: "numeric", month: "short" });
  return zonedFormat(zone, options).format(new Date(text));
}

export function localDay(text, zone) {
  return zonedFormat(zone, { year: "numeric", month: "numeric", day: "numeric" }).format(new Date(text));
}

/** Seconds exactly, in hours and less, to be added up: 26 h 10 m. */
export function spell(seconds) {
  const total = Math.round(Math.abs(seconds) * 1000);
  const parts = [
    [Math.floor(total / 3600000), "h"], [Math.floor(total / 60000) % 60, "m"], [(total % 60000) / 1000, "s"],
  ].filter(([n]) => n).map(([n, unit]) => `${n} ${unit}`);
  return (seconds < 0 ? "−" : "") + (parts.join(" ") || "0 m");
}

/** An indicator's value in its unit. */
export function measured(value, unit) {
  if (value === null || value === undefined) return NONE;
  if (unit === "ratio") return percent(value);
  if (unit === "seconds") return duration(value);
  return decimal(value, Math.abs(value) < 100 ? 2 : 1);
}

const CLOCKS = {
  first_response: "first response", next_response: "next response", resolution: "resolution",
  total_resolution: "total resolution", acknowledgement: "acknowledgement", promise: "promise",
};

export function clockName(clock) {
  return CLOCKS[clock] ?? clock;
}

export function labelText(labels) {
  return Object.values(labels).join(" · ");
}
