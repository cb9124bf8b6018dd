/**
 * Keeps the page's own files, so that a second visit starts without the network. It does not keep models: the engine's
 * worker does, in blocks (kept-blocks.ts).
 */

/**
 * The parts of a service worker's world that are used here; TypeScript's own types for it cannot be used together with
 * the page's.
 */
interface ExtendableEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface FetchEvent extends ExtendableEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}
interface ServiceWorkerScope {
  readonly location: Location;
  addEventListener(kind: 'install' | 'activate', listener: (event: ExtendableEvent) => void): void;
  addEventListener(kind: 'fetch', listener: (event: FetchEvent) => void): void;
}

/** What the build found in the page's folder (vite.web.config.ts). */
declare const PAGE_FILES: {
  /** A hash of all files: another build, another cache. */
  readonly version: string;
  /** Addresses relative to the page, kept at the first visit. */
  readonly first: readonly string[];
  /** Those that are kept when they are first asked for. */
  readonly later: readonly string[];
};

const scope = self as unknown as ServiceWorkerScope;
const page = new URL('./', scope.location.href);
/** Caches belong to the origin, which may have the page at several paths. */
const prefix = `laminar-page:${page.pathname}:`;
const cacheName = `${prefix}${PAGE_FILES.version}`;
const addresses = new Set([...PAGE_FILES.first, ...PAGE_FILES.later].map((path) => new URL(path, page).href));

scope.addEventListener('install', (event) => {
  // A page that the browser still has from the last build would ask for files that are not of this one.
  const files = PAGE_FILES.first.map((path) => new Request(path, { cache: 'no-cache' }));
  event.waitUntil(caches.open(cacheName).then((cache) => cache.addAll(files)));
});

scope.addEventListener('activate', (event) => {
  event.waitUntil(deleteOldCaches());
});

scope.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET') return;
  const address = new URL(request.url);
  address.search = '';
  address.hash = '';
  if (address.href === page.href || address.href === `${page.href}index.html`)
    event.respondWith(newestPage(request));
  else if (addresses.has(address.href)) event.respondWith(keptFile(request));
});

async function deleteOldCaches(): Promise<void> {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(prefix) && name !== cacheName);
  await Promise.all(old.map((name) => caches.delete(name)));
}

/** The page itself: the server's if it can be reached, so that a new build is seen at once. */
async function newestPage(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await (await caches.open(cacheName)).match('./');
    if (kept) return kept;
    throw error;
  }
}

/** A file whose name changes with its content. */
async function keptFile(request: Request): Promise<Response> {
  const cache = await caches.open(cacheName);
  const kept = await cache.match(request.url);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.status === 200) await cache.put(request.url, response.clone()).catch(() => undefined);
  return response;
}
