// What is looked at stands in the address (#service=billing&window=1d&case=…), so that it can be shared and kept.

export const WINDOWS = ["1h", "1d"];

function current() {
  return new URLSearchParams(location.hash.slice(1));
}

export function asked() {
  const wanted = current();
  const window = wanted.get("window");
  return {
    service: wanted.get("service") ?? "",
    window: WINDOWS.includes(window) ? window : WINDOWS[0],
    case: wanted.get("case"),
  };
}

/** The address with these changes; what is empty goes out of it, the rest stays. */
export function linkTo(changes) {
  const wanted = current();
  for (const [name, value] of Object.entries(changes)) {
    if (value) wanted.set(name, value);
    else wanted.delete(name);
  }
  return `#${wanted}`;
}

export function ask(changes) {
  location.hash = linkTo(changes);
}
