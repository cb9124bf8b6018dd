import { BlockList, isIP } from 'node:net';
import { InputError } from '../../engine/errors.ts';

/** Environment variables, as process.env holds them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** An HTTP proxy, and how to log in to it. */
export interface Proxy {
  /** Without name and password. */
  readonly address: string;
  /** The value of Proxy-Authorization. */
  readonly authorization: string | undefined;
  /** The environment variable that names it, for messages. */
  readonly variable: string;
}

/**
 * The proxy that the environment names for an address: HTTP_PROXY or HTTPS_PROXY by the address's scheme, else
 * ALL_PROXY, each also in lower case, which comes first; none if NO_PROXY names the address. As curl and Python do it.
 * @throws InputError if the variable's value is not the address of an HTTP proxy
 */
export function findProxy(target: URL, environment: Environment): Proxy | undefined {
  const kind = target.protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  for (const name of [kind, 'all_proxy']) {
    const variable = environment[name] === undefined ? name.toUpperCase() : name;
    const value = environment[variable]?.trim();
    if (!value) continue;
    if (isExempt(target, environment['no_proxy'] ?? environment['NO_PROXY'] ?? '')) return undefined;
    return readProxy(value, variable);
  }
  return undefined;
}

function readProxy(value: string, variable: string): Proxy {
  const text = /^[a-z][\w+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    // The value may hold a password: it is not shown.
    const kind = url ? `names a proxy of the kind ${url.protocol.slice(0, -1)}` : 'is not an address';
    throw new InputError(
      `${variable} ${kind}; give an HTTP proxy such as http://proxy.example:3128, or unset it`,
    );
  }
  return { address: url.origin, authorization: basicAuthorization(url), variable };
}

/** The Authorization header for an address's name and password; undefined if it has none. */
export function basicAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  const text = `${decodePercents(username)}:${decodePercents(password)}`;
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

function decodePercents(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone % that nobody escaped
  }
}

/**
 * Whether NO_PROXY names an address. Its entries stand between commas or spaces. Each is a host with all hosts below it (a
 * leading dot or `*.` changes nothing), an IP address, or a range of them (10.0.0.0/8); each may have a port. `*` names all.
 */
function isExempt(target: URL, exemptions: string): boolean {
  const host = plainHost(target.hostname);
  const port = target.port || (target.protocol === 'https:' ? '443' : '80');
  return exemptions.split(/[\s,]+/).some((entry) => {
    if (entry === '') return false;
    if (entry === '*') return true;
    const [, bracketed, named, entryPort] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(entry) ?? [];
    if (entryPort !== undefined && entryPort !== port) return false;
    const pattern = plainHost(bracketed ?? named ?? entry); // what remains is an IPv6 address without brackets
    if (isIP(host)) return isInRange(host, pattern);
    const name = pattern.replace(/^\*?\.+/, '');
    return name !== '' && (host === name || host.endsWith(`.${name}`));
  });
}

function plainHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
}

/** Whether an IP address is another one, or lies in a range written as 10.0.0.0/8. */
function isInRange(address: string, range: string): boolean {
  const [base = '', bits] = range.split('/');
  const family = isIP(base);
  if (family === 0 || family !== isIP(address)) return false;
  const list = new BlockList();
  const kind = family === 6 ? 'ipv6' : 'ipv4';
  if (bits === undefined) list.addAddress(base, kind);
  else if (/^\d+$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32))
    list.addSubnet(base, Number(bits), kind);
  return list.check(address, kind);
}
