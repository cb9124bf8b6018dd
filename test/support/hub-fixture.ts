import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { resolveModelFolder } from '../../src/node/hub.ts';
import type { ModelFolder, ResolveModelOptions } from '../../src/node/hub.ts';
import { HubServer, largeFile, textFile } from './hub-server.ts';
import type { HubFile } from './hub-server.ts';

export const COMMIT = 'c0ffee00'.repeat(5);
export const OTHER_COMMIT = '0ddba110'.repeat(5);

/** The files of a small model in one piece, with others beside that nobody should fetch. */
export function singleFileModel(weights: HubFile = largeFile(50_000)): Record<string, HubFile> {
  return {
    'README.md': textFile('# a model'),
    'config.json': textFile({ model_type: 'gpt2' }),
    'tokenizer.json': textFile({ model: { type: 'BPE' } }),
    'tokenizer_config.json': textFile({ model_max_length: 64 }),
    'vocab.json': textFile({ a: 0 }),
    'model.safetensors': weights,
    'pytorch_model.bin': largeFile(1000, 9),
    'onnx/model.onnx': largeFile(1000, 10),
  };
}

/** A server and a fresh cache folder for each test. */
export interface HubFixture {
  readonly server: HubServer;
  readonly cacheFolder: string;
  readonly notices: string[];
  readonly environment: Record<string, string>;
  /** Fetches with this test's cache, server and small delays. */
  resolve(reference: string, options?: ResolveModelOptions): Promise<ModelFolder>;
}

export function useHub(): HubFixture {
  let server: HubServer;
  let folder: string;
  const notices: string[] = [];
  const environment: Record<string, string> = {};
  beforeAll(async () => {
    server = await HubServer.start();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'laminar-hub-'));
    notices.length = 0;
    for (const name of Object.keys(environment)) Reflect.deleteProperty(environment, name);
    Object.assign(environment, {
      HOME: folder,
      HF_HUB_CACHE: join(folder, 'hub'),
      HF_ENDPOINT: server.endpoint,
    });
  });
  afterEach(async () => {
    server.reset();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    get server() {
      return server;
    },
    get cacheFolder() {
      return join(folder, 'hub');
    },
    notices,
    environment,
    resolve: (reference, options = {}) =>
      resolveModelFolder(reference, {
        environment,
        retryDelay: 2,
        onNotice: (line) => notices.push(line),
        ...options,
      }),
  };
}

/** Adds a repository with one commit under main. */
export function addModel(
  server: HubServer,
  name: string,
  files: Record<string, HubFile> = singleFileModel(),
  references: readonly string[] = ['main'],
  commit = COMMIT,
): void {
  server.models.set(name, [...(server.models.get(name) ?? []), { commit, references, files }]);
}
