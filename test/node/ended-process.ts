import { spawnSync } from 'node:child_process';
import { ownerToken } from '../../src/node/owner.ts';

/** The token of a process of this machine that has ended. */
export function endedToken(): string {
  const { pid } = spawnSync(process.execPath, ['--version']);
  return ownerToken().replace(/-\d+(-s\d+)?-([0-9a-f]{12})$/, `-${pid}$1-$2`);
}
