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
