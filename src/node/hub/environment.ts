import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { InputError } from '../../engine/errors.ts';
import { HUB } from '../../hub/addresses.ts';
import { basicAuthorization } from '../network/proxy.ts';
import type { Environment } from '../network/proxy.ts';

/** What the environment says about the hub. */
export interface HubSettings {
  /** Address of the hub, without a trailing slash, a name or a password. */
  readonly endpoint: string;
  /** The Authorization header for the name and password in HF_ENDPOINT, if it has them. */
  readonly authorization: string | undefined;
  /** Where these came from; it names the proxies, too. */
  readonly environment: Environment;
  /** Folder that holds models--org--name, shared with Python's huggingface_hub. */
  readonly cacheFolder: string;
  readonly offline: boolean;
  /** The access token and where it was found, for messages. */
  readonly token: { readonly value: string; readonly source: string } | undefined;
  /** Milliseconds without a byte after which a connection counts as cut. */
  readonly idleTimeout: number;
}

const DEFAULT_IDLE_SECONDS = 30;

/**
 * Reads the variables that Python's huggingface_hub reads, with its precedence: HF_HUB_CACHE, the older
 * HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME; HF_TOKEN, the older HUGGING_FACE_HUB_TOKEN, then the file
 * HF_TOKEN_PATH or HF_HOME/token; HF_ENDPOINT; HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE; HF_HUB_DOWNLOAD_TIMEOUT.
 * @throws InputError if HF_ENDPOINT is not an http address or the token could not travel in a header.
 */
export async function readHubSettings(environment: Environment): Promise<HubSettings> {
  const home = environment['HOME'] || homedir();
  const place = (name: string): string | undefined => {
    const value = environment[name];
    return value ? resolve(expand(value, environment, home)) : undefined;
  };
  const hubHome = place('HF_HOME') ?? join(place('XDG_CACHE_HOME') ?? join(home, '.cache'), 'huggingface');
  const seconds = Number(environment['HF_HUB_DOWNLOAD_TIMEOUT']);
  return {
    ...readEndpoint(environment['HF_ENDPOINT'] || HUB),
    environment,
    cacheFolder: place('HF_HUB_CACHE') ?? place('HUGGINGFACE_HUB_CACHE') ?? join(hubHome, 'hub'),
    offline: isTrue(environment['HF_HUB_OFFLINE'] || environment['TRANSFORMERS_OFFLINE']),
    token: await readToken(environment, place('HF_TOKEN_PATH') ?? join(hubHome, 'token')),
    idleTimeout: 1000 * (seconds > 0 ? seconds : DEFAULT_IDLE_SECONDS),
  };
}

function readEndpoint(value: string): Pick<HubSettings, 'endpoint' | 'authorization'> {
  const endpoint = URL.canParse(value) ? new URL(value) : undefined;
  if (!endpoint || !/^https?:$/.test(endpoint.protocol)) {
    const shown = value.replace(/[^/@]*@/, ''); // whatever it is, a password may stand before the @
    throw new InputError(`HF_ENDPOINT is ${shown}, which is not an http address; give one such as ${HUB}`, {
      code: 'environment-invalid',
      subject: { kind: 'option', name: 'HF_ENDPOINT' },
    });
  }
  return {
    endpoint: `${endpoint.origin}${endpoint.pathname}`.replace(/\/+$/, ''),
    authorization: basicAuthorization(endpoint),
  };
}

async function readToken(environment: Environment, path: string): Promise<HubSettings['token']> {
  for (const source of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) {
    const value = cleanToken(environment[source], source);
    if (value) return { value, source };
  }
  if (isTrue(environment['HF_HUB_DISABLE_IMPLICIT_TOKEN'])) return undefined;
  const text = await readFile(path, 'utf8').catch(() => undefined);
  const value = cleanToken(text, path);
  return value ? { value, source: path } : undefined;
}

/** Tokens are often pasted with line breaks; what is left must be allowed in a header. */
function cleanToken(text: string | undefined, source: string): string | undefined {
  const value = text?.replace(/[\r\n]/g, '').trim();
  if (value && !/^[\x21-\x7e]+$/.test(value)) {
    throw new InputError(
      `the token in ${source} holds spaces or characters that no token has; paste it again`,
      { code: 'environment-invalid', subject: { kind: 'option', name: source } },
    );
  }
  return value;
}

function isTrue(value: string | undefined): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes(value?.toUpperCase() ?? '');
}

/** Python's os.path.expanduser and expandvars: ~ alone or before a slash, $NAME and ${NAME}. */
function expand(path: string, environment: Environment, home: string): string {
  return path
    .replace(/^~(?=$|[\\/])/, () => home)
    .replace(
      /\$(?:\{(\w+)\}|(\w+))/g,
      (whole, braced?: string, bare?: string) => environment[braced ?? bare ?? ''] ?? whole,
    );
}
