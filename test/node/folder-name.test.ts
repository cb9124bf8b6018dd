import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allMeasures } from '../../src/analysis/measures/table.ts';
import { CommandContext } from '../../src/node/commands/context.ts';
import { defaultFolder, folderRules } from '../../src/node/folder-name.ts';
import { buildProgram } from '../../src/node/program.ts';

const usual = { seed: 28, threshold: 95 };

/** A value of each flag that takes one, other than the default. */
const others: Readonly<Record<string, string>> = {
  text: 'rabbit.txt',
  ids: 'ids.json',
  tokens: '7',
  start: '3',
  seed: '29',
  threshold: '90',
  revision: 'step1000',
  measures: 'rankme',
  views: 'unit-rows',
  withoutDimensions: '5',
  shuffles: '4',
  shuffleBlocks: '16',
  windows: '2',
  at: 'hook_embed',
  layer: '2',
  out: 'elsewhere',
};

describe('folderRules', () => {
  const context = new CommandContext(new AbortController().signal);
  const profile = buildProgram(context).commands.find((command) => command.name() === 'profile')!;
  const flags = profile.options.map((option) => option.attributeName());

  it('have every option of profile, and no other: one that changes a number must name the folder', () => {
    expect(Object.keys(folderRules).sort()).toEqual([...flags].sort());
  });

  it.each(flags)('name a run with another --%s, if that changes its numbers', (flag) => {
    const option = profile.options.find((it) => it.attributeName() === flag)!;
    const text = others[flag] ?? '';
    expect(option.required ? text : 'flag').not.toBe('');
    const value: unknown = option.required ? (option.parseArg?.(text, undefined) ?? text) : true;
    const name = defaultFolder('alice-gpt2', { ...usual, [flag]: value });
    const rule = folderRules[flag as keyof typeof folderRules];
    if ('silent' in rule) expect(name).toBe(join('out', 'alice-gpt2'));
    else expect(name).toMatch(new RegExp(`alice-gpt2-${rule.word}-[\\w.-]+$`));
  });
});

describe('defaultFolder', () => {
  it.each([
    [{}, 'alice-gpt2'],
    [{ seed: 29 }, 'alice-gpt2-seed-29'],
    [{ threshold: 99.5 }, 'alice-gpt2-threshold-99.5'],
    [{ revision: 'main' }, 'alice-gpt2'],
    [{ revision: 'refs/pr/1' }, 'alice-gpt2-revision-refs-pr-1'],
    [{ start: 0, tokens: 64 }, 'alice-gpt2-start-0-tokens-64'],
    [{ text: '../books/White Rabbit.txt' }, 'alice-gpt2-text-White-Rabbit'],
    [{ text: 'C:\\books\\été.txt' }, 'alice-gpt2-text-été'],
    [{ text: 'https://example.org/a/b.txt?raw=1#top' }, 'alice-gpt2-text-b'],
    [{ text: '..' }, 'alice-gpt2-text-other'],
    [{ at: ['blocks.*.hook_mlp_out', 'hook_embed'] }, 'alice-gpt2-at-blocks.-.hook_mlp_out-hook_embed'],
    [{ ids: 'my/ids.json' }, 'alice-gpt2-ids-ids'],
    [{ measures: allMeasures }, 'alice-gpt2-measures-all'],
    [
      { measures: ['rankme' as const], views: ['unit_rows' as const], withoutDimensions: [5, 17] },
      'alice-gpt2-measures-rankme-views-unit_rows-without-5-17',
    ],
    [{ text: 'x'.repeat(300) }, `alice-gpt2-text-${'x'.repeat(40)}`],
  ])('of %j is out/%s', (flags, name) => {
    expect(defaultFolder('alice-gpt2', { ...usual, ...flags })).toBe(join('out', name));
  });

  it('keeps the owner of a model of the hub as a folder', () => {
    expect(defaultFolder('EleutherAI/pythia-70m', { ...usual, seed: 1 })).toBe(
      join('out', 'EleutherAI', 'pythia-70m-seed-1'),
    );
  });
});
