import { visible } from '../engine/message.ts';

/**
 * Numbers the clip paths of a Vega drawing from 1 on, in the order in which they appear. Vega counts them through all
 * drawings of a process; so numbered, a figure's file depends on nothing that was drawn before.
 * @param svg a document of Vega's SVG renderer
 */
export function numberClipPaths(svg: string): string {
  const numbers = new Map<string, number>();
  return svg.replace(/(id="|url\(#)clip(\d+)/g, (_, before: string, old: string) => {
    const number = numbers.get(old) ?? numbers.size + 1;
    numbers.set(old, number);
    return `${before}clip${number}`;
  });
}

/**
 * A specification for a document, without what only a pointer makes visible. Nobody can point at a document, and the
 * invisible rules over a thousand components take most of its bytes and of the time to draw it.
 */
export function withoutHover<Value>(value: Value): Value {
  if (Array.isArray(value))
    return value.filter((item) => !isHover(item)).map((item: unknown) => withoutHover(item)) as Value;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(
    ([key, item]) => [key, key === 'data' ? item : withoutHover<unknown>(item)] as const,
  );
  return Object.fromEntries(entries) as Value;
}

/** A layer of `hoverRule`: the only ones that select. */
function isHover(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'mark' in value && 'params' in value;
}

/** A specification in which no text holds a character that XML forbids, or that reverses the direction of others. */
export function visibleTexts<Value>(value: Value): Value {
  if (typeof value === 'string') return visible(value) as Value;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => visibleTexts(item)) as Value;
  const entries = Object.entries(value).map(([key, item]) => [key, visibleTexts<unknown>(item)] as const);
  return Object.fromEntries(entries) as Value;
}
