import { afterAll, describe, expect, test } from 'vitest';
import { casesHere, openTestGpu } from '#platform';
import { kernelCode } from '../../src/engine/gpu/kernel.ts';
import type { KernelDefinition } from '../../src/engine/gpu/kernel.ts';

const sources = import.meta.glob<string>(
  ['../../src/shaders/**/*.wgsl', '!../../src/shaders/snippets/*.wgsl'],
  { query: '?raw', import: 'default', eager: true },
);
const snippets = import.meta.glob<string>('../../src/shaders/snippets/*.wgsl', {
  query: '?raw',
  import: 'default',
  eager: true,
});
const kernelModules = import.meta.glob<Record<string, unknown>>('../../src/**/kernels.ts', { eager: true });

const isKernel = (value: unknown): value is KernelDefinition =>
  typeof value === 'object' && value !== null && 'source' in value && 'bindings' in value;
const kernels = Object.values(kernelModules).flatMap((module) => Object.values(module).filter(isKernel));
const files = Object.entries(sources).map(([path, source]) => ({
  name: /([^/]+)\.wgsl$/.exec(path)![1]!,
  source,
}));

const gpu = await openTestGpu();
const hasSubgroups = gpu.device.features.has('subgroups');
afterAll(() => {
  gpu.dispose();
});

test('there are shaders, and each kernel has its file', () => {
  expect(files.length).toBeGreaterThan(6);
  expect(kernels.map(({ name }) => name).sort()).toEqual(files.map(({ name }) => name).sort());
  const included = new Set(kernels.flatMap(({ includes }) => includes));
  expect([...included].sort()).toEqual(Object.values(snippets).sort());
});

test('the device has no more than the portable limits of workgroups and bindings', () => {
  const { limits } = gpu.device;
  expect(limits.maxComputeWorkgroupStorageSize).toBe(16_384);
  expect(limits.maxComputeInvocationsPerWorkgroup).toBe(256);
  expect(limits.maxStorageBuffersPerShaderStage).toBe(8);
});

// What files say is the same in a browser, which only compiles them.
const texts = [...files, ...Object.entries(snippets).map(([name, source]) => ({ name, source }))];
describe.each(casesHere(texts, []))('$name', ({ source }) => {
  test('says at its head what it computes', () => {
    const header = /^(?:\/\/.*\n)+/.exec(source)?.[0] ?? '';
    expect(header.split('\n').length).toBeGreaterThan(3);
    expect(header).toMatch(/workgroup|thread|grid/i);
  });
});

/** The constants that a kernel's files give it. Said aloud, they make the pipeline that other tests take. */
function ownConstants(kernel: KernelDefinition): Record<string, number> {
  const code = kernelCode(kernel);
  const values = kernel.constants.map((name) => {
    const [, value] = new RegExp(`override ${name}: \\w+ = (\\w+?)u?;`).exec(code)!;
    return [name, value === 'true' ? 1 : value === 'false' ? 0 : Number(value)] as const;
  });
  return Object.fromEntries(values);
}

// Kernels for subgroups compile where the device has them; no other device is given any. Those for subgroup matrices have a
// directive of the device's own, and are compiled where they are tested.
const portable = files.filter(({ source }) => hasSubgroups || !source.includes('enable subgroups;'));
const compiled = portable.filter(
  ({ source }) => kernels.find((each) => each.source === source)?.head === undefined,
);

describe.each(compiled)('$name', ({ name, source }) => {
  test('compiles with what it includes without a word, and fits a device of default limits', async () => {
    const { device } = gpu;
    const kernel = kernels.find((each) => each.source === source)!;
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ label: name, code: kernelCode(kernel) });
    const { messages } = await module.getCompilationInfo();
    expect(messages.map(({ lineNum, message }) => `${lineNum}: ${message}`)).toEqual([]);
    gpu.kernels.pipeline(kernel, ownConstants(kernel));
    expect((await device.popErrorScope())?.message).toBeUndefined();
  });
});

describe.each(casesHere(portable, []))('$name', ({ name, source }) => {
  test('has the one entry point main', () => {
    expect(source.match(/@compute/g)).toHaveLength(1);
    expect(source).toMatch(/@compute\s+@workgroup_size\([^)]*\)\s*fn main\(/);
  });

  test('is declared once, with its own bindings, uniforms and constants', () => {
    const declared = kernels.filter((kernel) => kernel.source === source);
    expect(declared.map((kernel) => kernel.name)).toEqual([name]);
    const [kernel] = declared;
    for (const [index, binding] of Object.keys(kernel!.bindings).entries()) {
      const access = kernel!.bindings[binding] === 'read' ? 'read' : 'read_write';
      expect(source).toMatch(
        new RegExp(`@binding\\(${index + 1}\\)\\s+var<storage, ${access}>\\s+${binding}\\s*:`),
      );
    }
    const code = source.replace(/\/\/.*$/gm, '');
    const uniforms = /struct Shape \{([^}]*)\}/.exec(code)?.[1] ?? '';
    const members = [...uniforms.matchAll(/(\w+)\s*:\s*(\w+)/g)].map(([, member, type]) => [member, type]);
    expect(members).toEqual(Object.entries(kernel!.uniforms));
    expect(code).toContain('@group(0) @binding(0) var<uniform> shape: Shape;');
    for (const constant of kernel!.constants) expect(kernelCode(kernel!)).toContain(`override ${constant}:`);
  });

  test('writes names as JavaScript does, and lists what it binds at its head', () => {
    const kernel = kernels.find((each) => each.source === source)!;
    const bindings = Object.keys(kernel.bindings);
    for (const word of [...bindings, ...Object.keys(kernel.uniforms), ...kernel.constants])
      expect(word).toMatch(/^[a-z][A-Za-z0-9]*$/);
    const listed = (text: string) => (text.match(/^\/\/ {3,}.*$/gm) ?? []).join('\n');
    // A variant may name the file that lists its operands.
    const other = /(?:of|as|what) ([\w-]+)\.wgsl\b[^.]*same operands/.exec(source)?.[1];
    const operands = listed(source) + listed(files.find((file) => file.name === other)?.source ?? '');
    for (const binding of bindings) expect(operands).toMatch(new RegExp(`\\b${binding}\\b`));
  });
});
