/**
 * An element of the page by its id.
 * @throws Error if it is not there or of another kind: index.html and the script do not belong together
 */
export function element<Kind extends Element>(id: string, kind: abstract new () => Kind): Kind {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${kind.name} #${id}; reload it`);
}

type Content = string | Node;

/** Makes an HTML element with properties and content. */
export function create<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Partial<HTMLElementTagNameMap[Tag]> = {},
  ...content: readonly Content[]
): HTMLElementTagNameMap[Tag] {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...content);
  return made;
}

/** Makes an SVG element with attributes and content. */
export function createSvg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string | number>> = {},
  ...content: readonly Content[]
): SVGElementTagNameMap[Tag] {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...content);
  return made;
}

/** A button that does something when it is pressed. */
export function button(
  text: string,
  onClick: () => void,
  properties: Partial<HTMLButtonElement> = {},
): HTMLButtonElement {
  const made = create('button', { type: 'button', ...properties }, text);
  made.addEventListener('click', onClick);
  return made;
}
