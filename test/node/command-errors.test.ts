import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { npyFile } from './arrays/make-files.ts';
import { commandPath, complaints, laminar } from './run-command.ts';
import { laminarHere } from './run-here.ts';
import { temporaryFolder } from './temporary-folder.ts';

const golden = fileURLToPath(new URL('../golden/gpt2-prefix-f32', import.meta.url));

const nan = Float32Array.of(1, 2, 3, 4, 5, NaN);

/** A case's command line, its exit code, what the one line says, and the files to make before. */
type Case = [args: string, code: 1 | 2, line: RegExp, files?: Readonly<Record<string, string | Uint8Array>>];

const ids = '--ids ids.json';
const short = { 'ids.json': '[1, 2, 3]' };

const cases: readonly Case[] = [
  ['nonsense', 2, /unknown command 'nonsense'; see laminar --help$/],
  ['profile a b', 2, /too many arguments/],
  ['profile --nonsense', 2, /unknown option '--nonsense'; see laminar profile --help$/],
  ['profile --text', 2, /'--text <file>' argument missing/],
  ['capture', 2, /--out is missing; name the safetensors file to write/],
  ['spectrum', 2, /missing required argument 'files'/],
  ['fetch', 2, /missing required argument 'repo'/],
  ['make-checkpoint --out there', 2, /required option '--like <model>'/],
  ['make-checkpoint --like gpt5 --out there', 2, /gpt5/],
  ['make-checkpoint --like gpt2 --dtype F8 --out there', 2, /--dtype F8/],
  ['--gpu-memory much profile', 2, /--gpu-memory "much".*1\.5GB/],
  ['profile --tokens 0', 2, /--tokens "0".*at least 1/],
  ['profile --tokens 2.5', 2, /--tokens "2\.5"/],
  ['profile --start -1', 2, /--start "?-1/],
  ['profile --seed x', 2, /--seed "x"/],
  ['profile --threshold 0.95', 2, /--threshold 0\.95 .*was 95 meant\? Give 95 .*or 0\.95%/],
  ['spectrum --threshold 1 any.npy', 2, /--threshold 1 .*was 100 meant\?/],
  ['profile --threshold 101', 2, /--threshold 101 is not a percent; give a number from 0 to 100/],
  ['profile --layer 7', 2, /--layer 7 does not exist; alice-gpt2 has 0 to 6/],
  ['profile --show-text --json', 2, /--show-text prints text, and --json a report alone; leave one out/],
  ['profile --tokens 257', 2, /--tokens 257.*context of 256/],
  ['profile --start 999999999', 2, /too short/],
  [
    'profile --tokens 256 --text short.txt',
    2,
    /short\.txt is too short.*--tokens/,
    { 'short.txt': 'Alice was beginning' },
  ],
  ['profile --text empty.txt', 2, /empty\.txt.*empty/, { 'empty.txt': '' }],
  ['profile --text missing.txt', 1, /missing\.txt.*no such file/],
  ['profile --text .', 1, /\.: .*folder/],
  [
    'profile --text bytes.txt',
    1,
    /bytes\.txt.*not valid UTF-16/,
    { 'bytes.txt': Uint8Array.of(0xff, 0xfe, 0x41) },
  ],
  ['profile --text http://127.0.0.1:9/a.txt', 1, /http:\/\/127\.0\.0\.1:9\/a\.txt/],
  ['profile --revision main', 2, /--revision main.*folder/],
  ['profile --ids missing.json', 1, /missing\.json.*no such file/],
  [`profile ${ids}`, 1, /ids\.json: cannot be read as token ids: it ends early/, { 'ids.json': '[1, 2' }],
  [`profile ${ids}`, 2, /ids\.json.*array of token ids/, { 'ids.json': '{"real": [1]}' }],
  [`profile ${ids}`, 2, /ids\.json.*equal lengths/, { 'ids.json': '{"real": [1], "shuffled": [1, 2]}' }],
  [`profile ${ids}`, 2, /ids\.json.*2048.*vocabulary/, { 'ids.json': '[0, 2048]' }],
  [`profile ${ids}`, 2, /ids\.json.*2048.*vocabulary/, { 'ids.json': '\uFEFF[2048]' }],
  [`profile ${ids}`, 2, /ids\.json.*at least one/, { 'ids.json': '[]' }],
  [`profile ${ids}`, 2, /ids\.json.*whole numbers/, { 'ids.json': '[0, "one"]' }],
  [`profile ${ids}`, 2, /ids\.json.*257.*context of 256/, { 'ids.json': JSON.stringify(Array(257).fill(1)) }],
  [`profile ${ids} --tokens 2`, 2, /--tokens.*--ids/, short],
  ['profile --out file', 1, /\/file: is a file, where a folder is needed/, { file: '' }],
  ['profile --out file/deep', 1, /\/file: is a file, where a folder is needed/, { file: '' }],
  ['capture --out .', 1, /\.: is a folder/],
  ['capture --out file/states', 1, /\/file: is a file, where a folder is needed/, { file: '' }],
  ['profile ./nowhere', 1, /\.\/nowhere/],
  ['profile file', 1, /file: is a file/, { file: '' }],
  ['profile empty', 1, /empty.*config\.json.*; hf:empty names the hub's model/, { 'empty/readme': '' }],
  [
    'profile adapter',
    1,
    /adapter: is an adapter .*merge the adapter into its base model/,
    { 'adapter/adapter_config.json': '{}' },
  ],
  ['profile repo', 1, /repo.*no config\.json; is repo\/inner meant/, { 'repo/inner/config.json': '' }],
  ['profile https://huggingface.co/datasets/allenai/c4', 2, /data set/],
  ['profile https://example.org/gpt2', 2, /example\.org is not the hub/],
  ['fetch hf:gpt2', 1, /no cached copy of it in .*; fetch it once without$/m],
  ['fetch gpt2@one --revision two', 2, /names revision one, and --revision says two/],
  ['profile --text /dev/zero', 1, /\/dev\/zero: is not a file but a device/],
  ['profile --ids /dev/zero', 1, /\/dev\/zero: is not a file but a device/],
  ['profile --text -', 2, /standard input.*empty/],
  ['profile --text a.pdf', 1, /a\.pdf: is a PDF.*pdftotext a\.pdf/, { 'a.pdf': '%PDF-1.4\n' }],
  [
    'profile bert',
    1,
    /bert\/config\.json.*model_type bert/,
    { 'bert/config.json': '{"model_type": "bert"}' },
  ],
  ['profile broken', 1, /broken\/config\.json.*not valid JSON/, { 'broken/config.json': '{' }],
  ['spectrum missing.npy', 1, /missing\.npy.*no such file/],
  ['spectrum text.npy', 1, /text\.npy.*not a \.npy file/, { 'text.npy': 'not an array, though long enough' }],
  ['spectrum states.csv', 1, /states\.csv.*is text.*numpy\.loadtxt/, { 'states.csv': '1.5,2\n3,4\n' }],
  ['spectrum nan.npy', 1, /nan\.npy: holds NaN at row 1, column 2/, { 'nan.npy': npyFile(nan) }],
  ['spectrum nan.npy --tensor states', 2, /--tensor states.*without a name/, { 'nan.npy': npyFile(nan) }],
  [
    'spectrum text.safetensors',
    1,
    /text\.safetensors/,
    { 'text.safetensors': 'not a safetensors file at all' },
  ],
];

/** Runs a command in an empty folder, in which it must leave nothing but the case's own files. */
async function runCase(args: string, files: Case[3] = {}) {
  const cwd = await temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(cwd, name, '..'), { recursive: true });
    await writeFile(join(cwd, name), content);
  }
  const before = await readdir(cwd, { recursive: true });
  // Standard input is a process's own.
  const run = args.endsWith(' -') ? laminar : laminarHere;
  const result = await run(args.split(' ').filter(Boolean), { cwd, env: { HF_HUB_OFFLINE: '1' } });
  expect((await readdir(cwd, { recursive: true })).sort()).toEqual(before.sort());
  return result;
}

describe('bad input', () => {
  it.each(cases)('laminar %s: exit %i', async (args, code, line, files) => {
    const result = await runCase(args, files);
    const complaint = complaints(result);
    expect(complaint).toMatch(line);
    expect(complaint).toMatch(/^laminar: .+$/);
    expect(result.stdout).toBe('');
    expect(result.code).toBe(code);
  });

  it('a damaged checkpoint is refused by file and tensor', async () => {
    const config = await readFile(join(golden, 'config.json'));
    const weights = await readFile(join(golden, 'model.safetensors'));
    const headerBytes = Number(weights.readBigUInt64LE(0));
    const renamed = Buffer.from(weights);
    renamed.write('c_atxx', weights.indexOf('c_attn.weight'), 'utf8');
    const poisoned = Buffer.from(weights).fill(0xff, 8 + headerBytes); // every weight a NaN
    const damages: readonly [Uint8Array, RegExp][] = [
      [weights.subarray(0, weights.length - 4), /model\.safetensors.*truncated/],
      [weights.subarray(0, 100), /model\.safetensors.*truncated/],
      [renamed, /c_attn\.weight/],
      [poisoned, /tensor \S+ in model\/model\.safetensors holds a NaN/],
    ];
    for (const [content, line] of damages) {
      const files = { 'model/config.json': config, 'model/model.safetensors': content, ...short };
      const result = await runCase(`profile model ${ids}`, files);
      expect(complaints(result)).toMatch(line);
      expect(complaints(result)).toMatch(/^laminar: .+$/);
      expect(result.code).toBe(1);
    }
  });

  it('the stack comes with --verbose alone', async () => {
    const { stderr } = await runCase('--verbose profile --tokens 257');
    expect(stderr).toMatch(/^laminar: --tokens 257/);
    expect(stderr).toMatch(/\n {4}at /);
  });

  it('a server that refuses the text is named with its answer', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/alice.txt`;
    const result = await runCase(`profile --text ${url}`);
    expect(complaints(result)).toMatch(new RegExp(`^laminar: --text ${url}: .*404`));
    expect(result.code).toBe(1);
  });
});

describe('the program', () => {
  it('is executable and says its version', async () => {
    const { version } = JSON.parse(
      await readFile(new URL('../../package.json', import.meta.url), 'utf8'),
    ) as { version: string };
    expect((await stat(commandPath)).mode & 0o111).toBe(0o111);
    expect(await readFile(commandPath, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    expect(await laminar(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('prints its help where no command is given', async () => {
    const help = await laminar(['--help']);
    expect(help.stdout).toMatch(/^Usage: laminar /);
    expect(await laminarHere([])).toEqual(help);
  });

  it('lists the flags of all commands in the help of each', async () => {
    const { code, stdout, stderr } = await laminarHere(['profile', '--help']);
    expect(stdout).toMatch(/--threshold <percent>[^]*--gpu-memory <bytes>/);
    expect([code, stderr]).toEqual([0, '']);
  });

  it('fails in one line where standard output is full, and not at all where nobody reads on', async () => {
    const shell = (redirection: string) =>
      spawnSync('sh', ['-c', `"$0" "$1" --help ${redirection}`, process.execPath, commandPath], {
        encoding: 'utf8',
      });
    const { status, stderr } = shell('> /dev/full');
    expect(stderr).toBe('laminar: standard output: cannot write the data: the disk is full\n');
    expect(status).toBe(1);
    expect(shell('| true').stderr).toBe('');
  });

  it.each([
    ['make-checkpoint --like gpt2 --out made --verbose', 'SIGTERM', 143],
    ['capture --out made/states.safetensors --verbose', 'SIGINT', 130],
  ] as const)('%s: stops at %s with nothing left behind', async (args, signal, expected) => {
    const cwd = await temporaryFolder();
    const filesMade = async () => {
      const names = await readdir(join(cwd, 'made')).catch(() => []);
      return names.length;
    };
    const result = await laminar(args.split(' '), {
      cwd,
      killWhen: [signal, async () => (await filesMade()) > 0],
    });
    expect(complaints(result)).toBe('laminar: interrupted');
    expect([result.code, result.stdout]).toEqual([expected, '']);
    expect(await filesMade()).toBe(0);
  });
});
