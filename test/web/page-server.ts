import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { pageFolder } from './build-page.ts';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
};

/** A static host like any other: the page lies under a path of its own, and no header asks for isolation. */
export class PageServer {
  /** Paths below the page's folder that were asked for, in order. */
  readonly requests: string[] = [];

  private constructor(
    private readonly server: Server,
    readonly address: string,
  ) {}

  /**
   * @param replaced files that are served in place of the build's, by their path below the page's folder
   * @param knowsRanges whether ranges are answered; simple hosts send the whole file
   */
  static async start({
    replaced = new Map<string, Uint8Array>(),
    knowsRanges = true,
  } = {}): Promise<PageServer> {
    const base = '/pages/laminar/';
    const server = createServer((request, response) => {
      void (async () => {
        const path = decodeURIComponent(new URL(request.url!, 'http://host').pathname);
        if (!path.startsWith(base) || path.includes('..'))
          return response.writeHead(404, { 'Content-Type': 'text/plain' }).end('Not found');
        const name = path.slice(base.length) || 'index.html';
        page.requests.push(name);
        const bytes = replaced.get(name) ?? (await readFile(join(pageFolder, name)).catch(() => undefined));
        if (!bytes) return response.writeHead(404).end();
        const type = { 'Content-Type': types[extname(name)] ?? 'application/octet-stream' };
        const range = knowsRanges ? /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') : null;
        if (!range) return response.writeHead(200, type).end(bytes);
        const [start, end] = [Number(range[1]), Math.min(Number(range[2]), bytes.length - 1)];
        return response
          .writeHead(206, { ...type, 'Content-Range': `bytes ${start}-${end}/${bytes.length}` })
          .end(bytes.subarray(start, end + 1));
      })();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const page = new PageServer(server, `http://127.0.0.1:${port}${base}`);
    return page;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
