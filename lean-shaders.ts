import type { Plugin } from 'vite';

/**
 * Leaves comments and indentation out of the kernels that a build carries: they are a third of its compressed size.
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

/** A kernel without comments and without blanks at the ends of its lines. WGSL has no strings that could hold either. */
export function leanShader(wgsl: string): string {
  const withoutBlocks = wgsl.replace(/\/\*[^]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ''));
  return withoutBlocks.replace(/\/\/.*$/gm, '').replace(/^[ \t]+|[ \t]+$/gm, '');
}
