// Small helpers that change text in place, so that nothing jumps when figures move.

export function byId(id) {
  return document.getElementById(id);
}

export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

export function mark(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

/** An instant in words, its UTC form on hover. */
export function sayTime(element, text, format) {
  say(element, format(text));
  const title = text ?? "";
  if (element.title !== title) element.title = title;
}

/**
 * Keep one child of `parent` for each item, in the order of the items.
 * `create(item)` makes a child, `update(child, item)` brings it up to date.
 */
export function keyed(parent, items, keyOf, create, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = known.get(key);
    if (child) {
      known.delete(key);
    } else {
      child = create(item);
      child.dataset.key = key;
    }
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const child of known.values()) child.remove();
}

/** The descendants of `row` with a `data-part`, by its value. */
export function parts(row) {
  if (!row.parts) {
    row.parts = Object.fromEntries([...row.querySelectorAll("[data-part]")].map((e) => [e.dataset.part, e]));
  }
  return row.parts;
}

/** An element with children that can be found by `parts`: [tag, part, className]. */
export function assembled(tag, className, children) {
  const element = make(tag, className);
  for (const [childTag, part, childClass] of children) {
    const child = make(childTag, childClass);
    child.dataset.part = part;
    element.append(child);
  }
  return element;
}
