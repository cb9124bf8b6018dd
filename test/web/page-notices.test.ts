import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pageFolder } from './build-page.ts';

test('the page lists the licences of what others wrote, in its worker too', async () => {
  const notices = await readFile(join(pageFolder, 'THIRD-PARTY-NOTICES.md'), 'utf8');
  const names = [...notices.matchAll(/^## (.+)$/gm)].map(([, name]) => name!.replace(/ [\d.]+$/, ''));
  expect(names).toEqual(
    expect.arrayContaining([
      'vega',
      'vega-lite',
      '@resvg/resvg-wasm',
      'oniguruma-to-es',
      'DejaVu fonts',
      'vite',
    ]),
  );
  expect(notices).not.toMatch(/no licence named|has no text of its licence/);
  expect(notices.match(/^```text$/gm)).toHaveLength(names.length);
});
