import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CommandContext } from '../../../src/node/commands/context.ts';
import { declaredProgram } from '../../../src/node/completion/declarations.ts';
import { shells } from '../../../src/node/completion/scripts.ts';
import { buildProgram } from '../../../src/node/program.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const program = declaredProgram(buildProgram(new CommandContext(new AbortController().signal)));
const commandNames = program.commands.map(({ name }) => name);

describe('declaredProgram', () => {
  const command = (name: string) => program.commands.find((it) => it.name === name)!;
  const values = (name: string, option: string) =>
    command(name).options.find(({ names }) => names.includes(option))!.values;

  it('has what commander was told: commands, options, choices and placeholders', () => {
    expect(commandNames).toEqual(expect.arrayContaining(['profile', 'compare', 'completion', 'help']));
    expect(values('compare', '--x')).toEqual({ words: ['layer', 'depth'], paths: null });
    expect(values('profile', '--measures')!.words).toContain('rankme');
    expect(values('profile', '--out')).toEqual({ words: [], paths: 'folders' });
    expect(values('profile', '--text')).toEqual({ words: [], paths: 'files' });
    expect(values('profile', '--json')).toBeNull();
    expect(command('profile').values!.words).toEqual(expect.arrayContaining(['alice-gpt2', 'gpt2-xl']));
    expect(command('completion').values!.words).toEqual(Object.keys(shells));
    expect(command('doctor').values).toBeNull();
  });
});

describe.each(Object.entries(shells))('the script for %s', (shell, { write }) => {
  const script = write(program);

  it('names every command and option', () => {
    const long = [program.options, ...program.commands.map(({ options }) => options)]
      .flat()
      .flatMap(({ names }) => names.filter((name) => name.startsWith('--')));
    const shown = shell === 'fish' ? long.map((name) => `-l ${name.slice(2)}`) : long;
    expect([...commandNames, ...shown].filter((word) => !script.includes(word))).toEqual([]);
  });

  it('is a script that the shell can read, where there is one', async () => {
    const file = join(await temporaryFolder(), 'script');
    await writeFile(file, script);
    const { error, status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
    if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe('completion in bash', () => {
  it.each<[string[], string[]]>([
    [['prof'], ['profile']],
    [['--verb'], ['--verbose']],
    [['profile', '--mea'], ['--measures']],
    [
      ['profile', '--measures', 'rank'],
      ['rank', 'rank_tolerance', 'rankme'],
    ],
    [
      ['compare', '--x', ''],
      ['layer', 'depth'],
    ],
    [['compare', '--x', '=', 'de'], ['depth']],
    [
      ['compare', '--x', '='],
      ['layer', 'depth'],
    ],
    [
      ['profile', 'alice'],
      ['alice-gpt2', 'alice-pythia', 'alice-folder'],
    ],
    [
      ['--gpu-memory', '1GB', 'spectrum', 'alice'],
      ['alice-file.npy', 'alice-folder'],
    ],
    [['profile', '--out', 'alice'], ['alice-folder']],
    [['profile', '--tokens', ''], []],
    [['completion', ''], Object.keys(shells)],
  ])('after laminar %j offers %j', async (words, offered) => {
    const cwd = await temporaryFolder();
    await mkdir(join(cwd, 'alice-folder'));
    await writeFile(join(cwd, 'alice-file.npy'), '');
    const typed = ['laminar', ...words].map((word) => `'${word}'`).join(' ');
    const asked = `COMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _laminar; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['--norc'], {
      input: `${shells.bash.write(program)}\n${asked}\n`,
      encoding: 'utf8',
      cwd,
    });
    expect(stderr).toBe('');
    expect(stdout.split('\n').filter(Boolean).sort()).toEqual([...offered].sort());
  });
});
