/** Elements in few words. Texts are set by `textContent` alone. */

type Attributes = Readonly<Record<string, string | boolean | undefined>>;

/** An element with attributes (true: present; false, undefined: not) and children. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  setAttributes(made, attributes);
  made.append(...children);
  return made;
}

/** Set attributes where they are others than they were. */
export function setAttributes(of: Element, attributes: Attributes): void {
  for (const [key, value] of Object.entries(attributes)) {
    const text = value === true ? "" : value;
    if (text === undefined || text === false) of.removeAttribute(key);
    else if (of.getAttribute(key) !== text) of.setAttribute(key, text);
  }
}
