import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { gpt2 } from '../src/engine/architectures/gpt2.ts';
import { gptNeox } from '../src/engine/architectures/gpt-neox.ts';
import { llama, mistral, qwen2, qwen3 } from '../src/engine/architectures/llama.ts';

/** The walls of the house: each layer is checked against types that lack what it may not use. */

const root = fileURLToPath(new URL('..', import.meta.url));

/** Types that several layers are compiled with are parsed once. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/** Which of these globals a file in each of these folders may not use, by the compiler's word. */
function refused(config: string, files: readonly string[], globals: readonly string[]): string[][] {
  const read = ts.readConfigFile(`${root}${config}`, (path) => ts.sys.readFile(path));
  const { options, fileNames } = ts.parseJsonConfigFileContent(read.config, ts.sys, root);
  const paths = files.map((file) => root + file);
  for (const file of files)
    expect(fileNames.some((name) => name.startsWith(root + file.split('/').slice(0, 2).join('/')))).toBe(
      true,
    );
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  const text = `${globals.map((name) => `export const use_${name} = ${name};`).join('\n')}\n`;
  host.fileExists = (name) => paths.includes(name) || fileExists.call(host, name);
  host.getSourceFile = (name, ...rest) => {
    if (paths.includes(name)) return ts.createSourceFile(name, text, rest[0]);
    if (!parsed.has(name)) parsed.set(name, getSourceFile.call(host, name, ...rest));
    return parsed.get(name);
  };
  const declarations = fileNames.filter((name) => name.endsWith('.d.ts'));
  const program = ts.createProgram([...paths, ...declarations], options, host);
  return paths.map((path) => {
    const found = program.getSemanticDiagnostics(program.getSourceFile(path));
    return found.map(({ start }) => /= (\w+);/.exec(text.slice(text.lastIndexOf('\n', start) + 1))![1]!);
  });
}

const nodes = ['process', 'Buffer', 'require', 'setImmediate', '__dirname'];
const browsers = ['document', 'window', 'localStorage', 'indexedDB', 'navigator', 'location'];
const shared = ['AbortController', 'TextDecoder', 'URL', 'performance', 'setTimeout'];

describe('no layer compiles with what is not its own', () => {
  test('src/engine, src/analysis, src/hub', () => {
    const own = [...nodes, ...browsers];
    const files = ['src/engine/probe.ts', 'src/analysis/probe.ts', 'src/hub/probe.ts'];
    expect(refused('tsconfig.core.json', files, [...own, ...shared])).toEqual([own, own, own]);
  });

  test('src/node', () => {
    const dom = ['document', 'window', 'localStorage', 'indexedDB'];
    expect(refused('tsconfig.node.json', ['src/node/probe.ts'], [...nodes, ...dom, ...shared])).toEqual([
      dom,
    ]);
  });

  test('src/web', () => {
    expect(refused('tsconfig.web.json', ['src/web/probe.ts'], [...nodes, ...browsers, ...shared])).toEqual([
      nodes,
    ]);
  });
});

test('imports run one way', async () => {
  const eslint = new ESLint({ cwd: root });
  const allowed: Record<string, readonly string[]> = {
    engine: ['engine', 'shaders'],
    hub: ['hub', 'engine'],
    analysis: ['analysis', 'engine', 'shaders'],
    web: ['web', 'hub', 'analysis', 'engine'],
    node: ['node', 'hub', 'analysis', 'engine'],
  };
  for (const [layer, others] of Object.entries(allowed))
    for (const other of ['engine', 'hub', 'analysis', 'web', 'node']) {
      const text = `export * from '../${other}/deep/probe.ts';\n`;
      const [result] = await eslint.lintText(text, { filePath: `${root}src/${layer}/probe.ts` });
      const isRefused = result!.messages.some(({ ruleId }) => ruleId === 'no-restricted-imports');
      expect([layer, other, isRefused]).toEqual([layer, other, !others.includes(other)]);
    }
});

test('an error of the analysis says what it is about', async () => {
  const eslint = new ESLint({ cwd: root });
  const lint = async (text: string) => {
    const [result] = await eslint.lintText(text, { filePath: `${root}src/analysis/probe.ts` });
    return result!.messages.map(({ ruleId }) => ruleId).filter((rule) => rule === 'no-restricted-syntax');
  };
  const about = `{ code: 'matrix-shape', subject: { kind: 'matrix', name: 'a' } }`;
  expect(await lint(`export const error = new InputError('a is empty', ${about});\n`)).toEqual([]);
  for (const kind of ['Input', 'Format', 'Device', 'Numerical'])
    expect(await lint(`export const error = new ${kind}Error('a is empty', { code: 'b' });\n`)).toHaveLength(
      1,
    );
});

/** `--tokens`; not a property of a style sheet, `--ink: …` or `var(--ink)`. */
const FLAG = /(?<!var\()(?<![\w-])--[a-z][\w-]*(?![\w-]|:)/;

/** Each text within the sources of these layers that matches, with its file. */
async function textsThat(matches: (text: string) => boolean, mayHold: (code: string) => boolean) {
  const folders = await Promise.all(
    ['engine', 'analysis', 'hub'].map((layer) =>
      readdir(`${root}src/${layer}`, { recursive: true, withFileTypes: true }),
    ),
  );
  const paths = folders
    .flat()
    .filter((entry) => entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
  expect(paths.length).toBeGreaterThan(50);
  const found: { path: string; text: string }[] = [];
  for (const path of paths) {
    const code = await readFile(path, 'utf8');
    if (!mayHold(code)) continue;
    const look = (node: ts.Node): void => {
      const isText =
        ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node);
      if (isText && matches(node.text)) found.push({ path: relative(root, path), text: node.text });
      ts.forEachChild(node, look);
    };
    look(ts.createSourceFile(path, code, ts.ScriptTarget.Latest));
  }
  return found;
}

test('engine/, analysis/ and hub/ name no flag of the command', async () => {
  const named = (text: string) => FLAG.test(text);
  expect(await textsThat(named, named)).toEqual([]);
});

test('only its own file knows a family of models', async () => {
  const kinds = [gpt2, gptNeox, llama, mistral, qwen2, qwen3];
  const names = kinds.flatMap(({ modelType, classPrefix }) => [modelType, classPrefix]);
  const found = await textsThat(
    (text) => names.some((name) => text === name || text.startsWith(`${name}.`)),
    (code) => names.some((name) => code.includes(name)),
  );
  expect(found.filter(({ path }) => !path.startsWith('src/engine/architectures/'))).toEqual([]);
  expect(found.length).toBeGreaterThan(kinds.length);
});
