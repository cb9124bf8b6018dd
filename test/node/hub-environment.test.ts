import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InputError } from '../../src/engine/errors.ts';
import { readHubSettings } from '../../src/node/hub/environment.ts';

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'laminar-home-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

/** Writes a token file and returns its path. */
async function tokenFile(path: string, text: string): Promise<string> {
  await mkdir(join(home, path, '..'), { recursive: true });
  await writeFile(join(home, path), text);
  return join(home, path);
}

describe('the cache folder', () => {
  test.each([
    [{}, '~/.cache/huggingface/hub'],
    [{ XDG_CACHE_HOME: '/xdg' }, '/xdg/huggingface/hub'],
    [{ XDG_CACHE_HOME: '/xdg', HF_HOME: '/hf' }, '/hf/hub'],
    [{ HF_HOME: '/hf', HUGGINGFACE_HUB_CACHE: '/older' }, '/older'],
    [{ HUGGINGFACE_HUB_CACHE: '/older', HF_HUB_CACHE: '/newer' }, '/newer'],
    [{ HF_HUB_CACHE: '', HF_HOME: '/hf' }, '/hf/hub'],
    [{ HF_HUB_CACHE: '~/models' }, '~/models'],
    [{ HF_HOME: '$DATA/${WHO}/$NOBODY', DATA: '/data', WHO: 'me' }, '/data/me/$NOBODY/hub'],
  ])('%j gives %s', async (variables, expected) => {
    const { cacheFolder } = await readHubSettings({ HOME: home, ...variables });
    expect(cacheFolder).toBe(resolve(expected.replace('~', home)));
  });
});

describe('the token', () => {
  test('comes from HF_TOKEN, else from the file, cleaned of line breaks', async () => {
    expect((await readHubSettings({ HOME: home })).token).toBeUndefined();
    const standard = await tokenFile('.cache/huggingface/token', 'hf_file\n');
    expect((await readHubSettings({ HOME: home })).token).toEqual({ value: 'hf_file', source: standard });
    const other = await tokenFile('elsewhere', 'hf_other');
    expect((await readHubSettings({ HOME: home, HF_TOKEN_PATH: '~/elsewhere' })).token).toEqual({
      value: 'hf_other',
      source: other,
    });
    const inHome = await tokenFile('hf/token', 'hf_home');
    expect((await readHubSettings({ HOME: home, HF_HOME: join(home, 'hf') })).token?.source).toBe(inHome);
    expect((await readHubSettings({ HOME: home, HF_TOKEN: ' hf_variable\r\n' })).token).toEqual({
      value: 'hf_variable',
      source: 'HF_TOKEN',
    });
    expect((await readHubSettings({ HOME: home, HF_TOKEN: '' })).token?.source).toBe(standard);
    const withheld = { HOME: home, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' };
    expect((await readHubSettings(withheld)).token).toBeUndefined();
    expect((await readHubSettings({ ...withheld, HF_TOKEN: 'hf_x' })).token?.value).toBe('hf_x');
  });

  test('that no header can carry is refused without being shown', async () => {
    const failure = await readHubSettings({ HOME: home, HF_TOKEN: 'hf_\u00e9 secret' }).catch(
      (e: unknown) => e,
    );
    expect(failure).toBeInstanceOf(InputError);
    expect((failure as Error).message).toMatch(/the token in HF_TOKEN/);
    expect((failure as Error).message).not.toMatch(/secret/);
  });
});

test('the endpoint, the time-out and being offline are read', async () => {
  const plain = await readHubSettings({ HOME: home });
  expect(plain).toMatchObject({ endpoint: 'https://huggingface.co', offline: false, idleTimeout: 30_000 });
  const set = { HF_ENDPOINT: 'http://mirror/path//', HF_HUB_OFFLINE: 'on', HF_HUB_DOWNLOAD_TIMEOUT: '2' };
  expect(await readHubSettings({ HOME: home, ...set })).toMatchObject({
    endpoint: 'http://mirror/path',
    offline: true,
    idleTimeout: 2000,
  });
  expect((await readHubSettings({ HOME: home, TRANSFORMERS_OFFLINE: '1' })).offline).toBe(true);
  expect((await readHubSettings({ HOME: home, HF_HUB_OFFLINE: '0' })).offline).toBe(false);
  for (const wrong of ['huggingface.co', 'ftp://mirror']) {
    await expect(readHubSettings({ HOME: home, HF_ENDPOINT: wrong })).rejects.toThrow(
      /HF_ENDPOINT is .*not an http address/,
    );
  }
});
