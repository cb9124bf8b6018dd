import type { Plugin } from 'vite';

/**
 * Leaves comments and idle blanks out of the kernels that a build carries: they are a third of its compressed size.
 * Lines stay where they are, so that a compiler's message names the line of the file.
 */
export const leanShaders: Plugin = {
  name: 'lean-shaders',
  apply: 'build',
  enforce: 'post',
  transform(code, id) {
    if (!id.endsWith('.wgsl?raw')) return undefined;
    const [, literal] = /^export default (".*")$/s.exec(code.trim().replace(/;$/, '')) ?? [];
    if (literal === undefined) throw new Error(`${id}: not the text of a kernel`);
    return { code: `export default ${JSON.stringify(leanShader(JSON.parse(literal) as string))}`, map: null };
  },
};

/** WGSL has no strings, so that this is all that blanks and comments can be. */
const COMMENTS = /\/\*[^]*?\*\/|\/\/.*$/gm;
/** Blanks that touch a sign part nothing: they are between words alone that WGSL needs them. */
const IDLE_BLANKS = /(?<=^|[^\w\s])[ \t]+|[ \t]+(?=[^\w\s]|$)/gm;

/** A kernel without comments and idle blanks. Signs that would make another one, such as `- -`, keep theirs. */
export function leanShader(wgsl: string): string {
  return wgsl
    .replace(COMMENTS, (comment) => comment.replace(/[^\n]/g, '') || ' ')
    .replace(IDLE_BLANKS, (blanks, at: number, text: string) =>
      joins(text[at - 1], text[at + blanks.length]) ? ' ' : '',
    );
}

/** Whether two signs that blanks part would be read as one without them. */
function joins(left = '', right = ''): boolean {
  return /^(?:[-+&|<>=!*/%^]{2})$/.test(left + right);
}
