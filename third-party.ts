import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

/** Lies in each built folder and lists the licences of what others wrote. */
export const NOTICES = 'THIRD-PARTY-NOTICES.md';

const FONTS = fileURLToPath(new URL('src/analysis/fonts', import.meta.url));

interface PackageFields {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly homepage?: string;
  readonly repository?: string | { readonly url?: string };
}

/** Folders of the packages whose code is in the bundles of this process, those of workers included. */
const folders = new Set<string>();

/** Notes which packages a bundle is made of. For the bundles of workers, too, which have plugins of their own. */
export const notePackages: Plugin = {
  name: 'note-packages',
  generateBundle(_, bundle) {
    for (const output of Object.values(bundle)) {
      if (output.type !== 'chunk') continue;
      for (const id of output.moduleIds) {
        const folder = packageFolder(id);
        if (folder !== undefined) folders.add(folder);
      }
    }
  },
};

/** Writes the licences of the packages in a build, and of the fonts, beside it. */
export const thirdPartyNotices: Plugin = {
  name: 'third-party-notices',
  async generateBundle(options, bundle) {
    await (notePackages.generateBundle as (...given: unknown[]) => unknown).call(this, options, bundle);
    const notices = await Promise.all([...folders].map(noticeOf));
    const source = [
      '# What others wrote\n\nThis build of Laminar holds code and fonts of others, under these licences.\n',
      ...notices.sort((a, b) => a.localeCompare(b, 'en')),
      `## DejaVu fonts\n\n${fenced(await readFile(join(FONTS, 'LICENSE.txt'), 'utf8'))}`,
    ].join('\n');
    this.emitFile({ type: 'asset', fileName: NOTICES, source });
  },
};

/** Packages whose helpers the build puts in, by what their modules are called, which lie in no folder. */
const helpers: readonly (readonly [id: RegExp, name: string])[] = [
  [/^\0?vite\//, 'vite'],
  [/^\0?rolldown\//, 'rolldown'],
  [/^\0?@oxc-project\+runtime@/, '@oxc-project/types'],
];

/** Packages that leave the text of their licence out: another one that is built from the same sources has it. */
const sameSources: Readonly<Record<string, string>> = { '@resvg/resvg-wasm': '@resvg/resvg-js' };

/** Begins what a package says of those that it is built from, which are not in our builds. */
const OTHERS_LICENCES = /^# Licenses of bundled dependencies$/m;

const folderOf = (name: string): string => fileURLToPath(new URL(`node_modules/${name}`, import.meta.url));

/** The folder of the package that a module belongs to; undefined for our own. @throws Error if it is unknown */
function packageFolder(id: string): string | undefined {
  const path = id
    .replace(/^\0/, '')
    .replace(/[?#].*$/, '')
    .split(sep)
    .join('/');
  const folder = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
  if (folder !== undefined || !id.startsWith('\0')) return folder;
  const helper = helpers.find(([pattern]) => pattern.test(id));
  if (!helper)
    throw new Error(`${JSON.stringify(id)}: whose code is this? name its package in third-party.ts`);
  return folderOf(helper[1]);
}

async function noticeOf(folder: string): Promise<string> {
  const fields = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as PackageFields;
  const { name, version, license = 'no licence named', repository, homepage } = fields;
  const source = typeof repository === 'string' ? repository : (repository?.url ?? homepage ?? '');
  const text = (await licenceIn(folder)) ?? (await licenceIn(folderOf(sameSources[name] ?? name)));
  return [
    `## ${name} ${version}\n`,
    `${license}; source: ${source.replace(/^git\+/, '').replace(/\.git$/, '')}\n`,
    fenced(text ?? 'The package has no text of its licence.'),
  ].join('\n');
}

async function licenceIn(folder: string): Promise<string | undefined> {
  const file = (await readdir(folder)).find((each) => /^(licen[cs]e|copying)/i.test(each));
  if (file === undefined) return undefined;
  return (await readFile(join(folder, file), 'utf8')).split(OTHERS_LICENCES)[0];
}

function fenced(text: string): string {
  return `\`\`\`text\n${text.trim().replaceAll('```', "'''")}\n\`\`\`\n`;
}
