/** What the hub is asked, by address; the same for its mirrors. */

export const HUB = 'https://huggingface.co';

const COMMIT = /^[0-9a-f]{40}$/;

/** Whether a revision is a commit's full name, which no push can move. */
export function isCommit(revision: string): boolean {
  return COMMIT.test(revision);
}

/** Where the hub tells which commit a branch, tag or commit is: {"sha", "siblings": [{"rfilename"}]}. */
export function revisionAddress(endpoint: string, id: string, revision: string): string {
  return `${endpoint}/api/models/${id}/revision/${encodeURIComponent(revision)}`;
}

/** Where a file of a model lies. */
export function fileAddress(endpoint: string, id: string, revision: string, path: string): string {
  return `${endpoint}/${id}/resolve/${encodeURIComponent(revision)}/${escapePath(path)}`;
}

/** A path within an address; its slashes stay. */
export function escapePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
