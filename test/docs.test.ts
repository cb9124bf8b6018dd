import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import site from '../typedoc.json' with { type: 'json' };

const root = fileURLToPath(new URL('..', import.meta.url));
const guides = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md'));
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'weights/README.md',
  'bench/README.md',
]
  .filter((path) => existsSync(join(root, path)))
  .concat(guides.map((name) => `docs/${name}`));

describe.each(pages)('%s', (page) => {
  it('has no dead link', async () => {
    const text = (await readFile(join(root, page), 'utf8')).replace(/^```[^]*?^```/gm, '');
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : join(dirname(page), path);
      expect(existsSync(join(root, file)), target).toBe(true);
      if (anchor === undefined) continue;
      const headings = [...(await readFile(join(root, file), 'utf8')).matchAll(/^#+ (.*)$/gm)];
      const anchors = headings.map(([, heading = '']) =>
        heading
          .toLowerCase()
          .replace(/[^\p{L}\p{N} _-]/gu, '')
          .replaceAll(' ', '-'),
      );
      expect(anchors, target).toContain(anchor);
    }
  });
});

test('the site has every guide, and the pages that README names', () => {
  for (const page of pages.filter((each) => each !== 'README.md'))
    expect(site.projectDocuments, page).toContain(page);
});
