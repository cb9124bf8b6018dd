import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as the server saw it; `place` tells the hub from the host that its LFS files lie on. */
export interface SeenRequest {
  readonly place: 'hub' | 'storage';
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** A file of a repository, small in git or large in LFS. */
export interface HubFile {
  readonly bytes: Buffer;
  readonly lfs: boolean;
}

/** A repository at one commit, with the names that stand for it. */
export interface HubModel {
  readonly commit: string;
  readonly references: readonly string[];
  readonly files: Readonly<Record<string, HubFile>>;
}

/** Answers in the server's stead; returns false to let it answer after all. */
export type Fault = (request: IncomingMessage, response: ServerResponse, seen: SeenRequest) => boolean;

/** The name of a file's blob in the cache: SHA-256 for LFS, else git's SHA-1. */
export function etagOf(file: HubFile): string {
  if (file.lfs) return createHash('sha256').update(file.bytes).digest('hex');
  return createHash('sha1').update(`blob ${file.bytes.length}\0`).update(file.bytes).digest('hex');
}

/** A small file, kept in git. */
export function textFile(content: unknown): HubFile {
  return { bytes: Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)), lfs: false };
}

/** A large file, kept in LFS: bytes that differ with the seed and from their neighbours. */
export function largeFile(length: number, seed = 1): HubFile {
  const bytes = Buffer.alloc(length);
  for (let i = 0, state = seed; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return { bytes, lfs: true };
}

/** The hub in little, on loopback: revisions, trees, files with ranges, LFS on a second port. */
export class HubServer {
  readonly seen: SeenRequest[] = [];
  readonly models = new Map<string, HubModel[]>();
  readonly discussions: { num: number; title: string; isPullRequest: boolean }[] = [];
  private readonly faults: { fault: Fault; times: number }[] = [];
  private readonly servers: Server[] = [];
  private ports: number[] = [];

  static async start(): Promise<HubServer> {
    const hub = new HubServer();
    for (const place of ['hub', 'storage'] as const) {
      const server = createServer((request, response) => {
        hub.answer(place, request, response);
      });
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
      hub.servers.push(server);
      hub.ports.push((server.address() as AddressInfo).port);
    }
    return hub;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.ports[0]!}`;
  }

  get storage(): string {
    return `http://127.0.0.1:${this.ports[1]!}`;
  }

  async stop(): Promise<void> {
    for (const server of this.servers) {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    }
  }

  /** Plays a fault on the next requests that it takes, `times` of them. */
  inject(fault: Fault, times = Infinity): void {
    this.faults.push({ fault, times });
  }

  /** Forgets models, faults and requests. */
  reset(): void {
    for (const list of [this.seen, this.faults, this.discussions]) list.length = 0;
    this.models.clear();
  }

  /** The requests for a file's content, wherever they went. */
  bodiesOf(name: string): SeenRequest[] {
    return this.seen.filter(({ place, path }) =>
      place === 'storage'
        ? path.endsWith(`/${name}`)
        : path.includes('/resolve/') && path.endsWith(`/${name}`),
    );
  }

  private answer(place: SeenRequest['place'], request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent((request.url ?? '/').split('?')[0]!);
    const seen = { place, method: request.method ?? 'GET', path, headers: request.headers };
    this.seen.push(seen);
    for (const entry of this.faults) {
      if (entry.times > 0 && entry.fault(request, response, seen)) {
        entry.times--;
        return;
      }
    }
    if (place === 'storage') this.answerFromStorage(path, request, response);
    else this.answerFromHub(path, request, response);
  }

  private answerFromHub(path: string, request: IncomingMessage, response: ServerResponse): void {
    const [, name, rest] =
      /^\/api\/models\/(.+?)\/(revision\/.+|tree\/.+|discussions)$/.exec(path) ??
      /^\/(.+?)\/(resolve\/.+)$/.exec(path) ??
      [];
    const models = this.models.get(name ?? '');
    if (!models || rest === undefined)
      return refuse(response, 401, 'RepoNotFound', 'Invalid username or password.');
    if (rest === 'discussions') return sendJson(response, { discussions: this.discussions });
    const [verb, ...words] = rest.split('/');
    const target = words.join('/');
    const model = models.find(({ commit, references }) =>
      [commit, ...references].some((known) => target === known || (verb === 'resolve' && words[0] === known)),
    );
    if (!model) return refuse(response, 404, 'RevisionNotFound', 'Invalid rev id');
    if (verb === 'revision') return sendJson(response, { id: name, sha: model.commit, private: false });
    if (verb === 'tree') return sendJson(response, listTree(model));
    const fileName = words.slice(1).join('/');
    const file = model.files[fileName];
    if (!file) return refuse(response, 404, 'EntryNotFound', 'Entry not found');
    if (!file.lfs) return sendRange(request, response, file.bytes);
    response.writeHead(302, { location: `${this.storage}/${name ?? ''}/${model.commit}/${fileName}` }).end();
  }

  private answerFromStorage(path: string, request: IncomingMessage, response: ServerResponse): void {
    for (const [name, models] of this.models) {
      for (const { commit, files } of models) {
        const prefix = `/${name}/${commit}/`;
        const file = path.startsWith(prefix) ? files[path.slice(prefix.length)] : undefined;
        if (file) return sendRange(request, response, file.bytes);
      }
    }
    response.writeHead(404).end();
  }
}

function listTree(model: HubModel): unknown[] {
  const entries = Object.entries(model.files).map(([path, file]) => ({
    type: 'file',
    path,
    size: file.bytes.length,
    oid: file.lfs ? etagOf({ bytes: Buffer.from(`pointer to ${path}`), lfs: false }) : etagOf(file),
    ...(file.lfs ? { lfs: { oid: etagOf(file), size: file.bytes.length, pointerSize: 134 } } : {}),
  }));
  return [{ type: 'directory', path: 'onnx', size: 0, oid: '0'.repeat(40) }, ...entries];
}

/** Sends bytes as a server that knows ranges does. */
export function sendRange(request: IncomingMessage, response: ServerResponse, bytes: Buffer): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const length = bytes.length;
  if (from > 0 && from >= length) {
    response.writeHead(416, { 'content-range': `bytes */${length}` }).end();
    return;
  }
  response.writeHead(from > 0 ? 206 : 200, {
    'content-length': length - from,
    ...(from > 0 ? { 'content-range': `bytes ${from}-${length - 1}/${length}` } : {}),
  });
  response.end(bytes.subarray(from));
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

/** Refuses as the hub does. */
export function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  const headers = { 'content-type': 'application/json', 'x-error-code': code, 'x-error-message': message };
  response.writeHead(status, headers).end(JSON.stringify({ error: message }));
}
