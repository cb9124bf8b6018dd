import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

/** Ranges that lead to this machine or its own network (RFC 6890 and the registries that it founded). */
const PRIVATE = new BlockList();
for (const [base, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['240.0.0.0', 4],
] as const) {
  PRIVATE.addSubnet(base, bits, 'ipv4');
}
for (const [base, bits] of [
  ['::', 127],
  ['64:ff9b:1::', 48],
  ['fc00::', 7],
  ['fe80::', 10],
] as const) {
  PRIVATE.addSubnet(base, bits, 'ipv6');
}

/** Whether an IP address is this machine's, its network's, or otherwise not of the public internet. */
function isPrivateAddress(address: string): boolean {
  const mapped = /^(?:::ffff:|64:ff9b::)([0-9a-f]+):([0-9a-f]+)$/i.exec(address);
  if (mapped) {
    const [high = 0, low = 0] = mapped.slice(1).map((part) => parseInt(part, 16));
    return isPrivateAddress([high >> 8, high & 255, low >> 8, low & 255].join('.'));
  }
  const dotted = /^::ffff:([\d.]+)$/i.exec(address);
  if (dotted) return isPrivateAddress(dotted[1]!);
  return PRIVATE.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Whether an address leads to this machine or its own network. A name is looked up unless a proxy will do that; one
 * that cannot be looked up counts as public, because there will be no connection.
 */
export async function leadsToPrivate(target: URL, isThroughProxy: boolean): Promise<boolean> {
  const host = target.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (isIP(host)) return isPrivateAddress(host);
  if (/(^|\.)(localhost|local|internal)$/i.test(host) || !host.includes('.')) return true;
  if (isThroughProxy) return false;
  const found = await lookup(host, { all: true }).catch(() => []);
  return found.some(({ address }) => isPrivateAddress(address));
}
