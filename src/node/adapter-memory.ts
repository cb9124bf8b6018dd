import { chmod, lstat, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { laminarVersion } from '../analysis/report.ts';
import type { SelfTest, Verdict, VerdictStore } from '../engine/gpu/verdicts.ts';
import { AtomicFile } from './atomic.ts';
import { MAX_FILE_BYTES, memoryText, parseMemory } from './adapter-memory-file.ts';
import type { KeptChoices, KeptVerdict, MemoryContent } from './adapter-memory-file.ts';
import { webgpuVersion } from './packaged-binaries.ts';
import { cachePlaces, makePrivateFolder } from './private-folder.ts';

const FILE = 'adapters.json';
/** What others may do with the file: nothing. */
const MODE = 0o600;
const OTHERS_WRITE = 0o022;

/**
 * What Laminar remembers of the adapters of a machine: what self-tests of kernels found, and the options that `bench
 * --tune --remember` chose. It is one file in the user's private cache folder. What is damaged, foreign or cannot be
 * written counts as missing: it makes nothing fail.
 */
export class AdapterMemory implements VerdictStore {
  /** @param places folders to look in, and to write into, best first */
  constructor(private readonly places: readonly string[] = memoryPlaces()) {}

  /** The files that hold something. */
  async files(): Promise<string[]> {
    const found = await Promise.all(
      this.places.map(async (place) => ((await readOwn(join(place, FILE))) ? join(place, FILE) : undefined)),
    );
    return found.filter((file) => file !== undefined);
  }

  async find(test: SelfTest): Promise<KeptVerdict | undefined> {
    const { verdicts } = await this.#read();
    return verdicts.find(
      (kept) =>
        kept.webgpu === webgpuName() &&
        kept.adapter === test.adapter &&
        kept.check === test.check &&
        kept.kernels === test.kernels,
    );
  }

  async keep(verdict: Verdict): Promise<void> {
    const kept = { ...verdict, webgpu: webgpuName(), date: today() };
    await this.#change(({ verdicts, choices }) => ({
      // Verdicts on older texts of the same kernels are no longer needed.
      verdicts: [...verdicts.filter((old) => !isOfSame(old, kept) || old.check !== kept.check), kept],
      choices,
    }));
  }

  /** The options that were chosen for an adapter, by decision, and when; undefined if none were. */
  async choicesOf(adapter: string): Promise<KeptChoices | undefined> {
    const { choices } = await this.#read();
    return choices.find((kept) => isOfSame(kept, current(adapter)) && kept.laminar === laminarVersion);
  }

  /**
   * Remembers options for an adapter in place of those before; with none, forgets them.
   * @returns the file, or undefined if nothing can be remembered
   */
  async choose(adapter: string, options: Readonly<Record<string, string>>): Promise<string | undefined> {
    const kept = { ...current(adapter), laminar: laminarVersion, date: today(), options };
    return this.#change(({ verdicts, choices }) => {
      const others = choices.filter((old) => !isOfSame(old, kept));
      return { verdicts, choices: Object.keys(options).length > 0 ? [...others, kept] : others };
    });
  }

  /** Forgets everything. @returns the files that were removed */
  async forget(): Promise<string[]> {
    const files = await this.files();
    for (const file of files) await rm(file, { force: true });
    return files;
  }

  async #read(): Promise<MemoryContent> {
    for (const place of this.places) {
      const text = await readOwn(join(place, FILE));
      const content = text === undefined ? undefined : parseMemory(text);
      if (content) return content;
    }
    return { verdicts: [], choices: [] };
  }

  /** Writes what `change` makes of the content. If two processes write at once, one of the changes is lost. */
  async #change(change: (content: MemoryContent) => MemoryContent): Promise<string | undefined> {
    const content = change(await this.#read());
    for (const place of this.places) {
      try {
        const path = join(await makeOwnFolder(place), FILE);
        const file = await AtomicFile.create(path);
        await file.write(0, new TextEncoder().encode(memoryText(content)));
        await file.commit();
        await chmod(path, MODE);
        return path;
      } catch {
        // The next place is tried, or nothing is kept: it will be found again.
      }
    }
    return undefined;
  }
}

/** On Windows a user's folders belong to that user alone, and no mode says so. */
function memoryPlaces(): readonly string[] {
  if (process.platform !== 'win32') return cachePlaces();
  const local = process.env['LOCALAPPDATA'];
  return local ? [join(local, 'laminar')] : [];
}

function makeOwnFolder(place: string): Promise<string> {
  // AtomicFile makes the folder.
  return process.platform === 'win32' ? Promise.resolve(place) : makePrivateFolder(place);
}

/** The text of a file that this user alone can write; undefined if there is no such file. */
async function readOwn(path: string): Promise<string | undefined> {
  try {
    const found = await lstat(path);
    if (!found.isFile() || found.size > MAX_FILE_BYTES) return undefined;
    if (process.platform !== 'win32') {
      // It checks who owns what is above.
      await makePrivateFolder(dirname(path));
      if (found.uid !== process.getuid?.() || (found.mode & OTHERS_WRITE) !== 0) return undefined;
    }
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}

interface Origin {
  readonly webgpu: string;
  readonly adapter: string;
}

function isOfSame(one: Origin, other: Origin): boolean {
  return one.webgpu === other.webgpu && one.adapter === other.adapter;
}

const current = (adapter: string): Origin => ({ webgpu: webgpuName(), adapter });
const webgpuName = (): string => webgpuVersion() ?? 'unknown';
const today = (): string => new Date().toISOString().slice(0, 10);
