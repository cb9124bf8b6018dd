import { describe, expect, test } from 'vitest';
import { InputError } from '../../../src/engine/errors.ts';
import { findProxy } from '../../../src/node/network/proxy.ts';

const http = new URL('http://example.org/a');
const https = new URL('https://example.org/a');

describe('the proxy', () => {
  test.each([
    [{ HTTP_PROXY: 'http://a:1' }, 'http://a:1', undefined],
    [{ HTTPS_PROXY: 'http://b:2' }, undefined, 'http://b:2'],
    [{ ALL_PROXY: 'c:3', HTTPS_PROXY: 'https://b:2' }, 'http://c:3', 'https://b:2'],
    [{ http_proxy: 'http://low', HTTP_PROXY: 'http://up' }, 'http://low', undefined],
    [{ http_proxy: '', HTTP_PROXY: 'http://up', all_proxy: 'http://all' }, 'http://all', 'http://all'],
    [{ HTTP_PROXY: ' ' }, undefined, undefined],
  ])('of %j', (environment, forHttp, forHttps) => {
    expect(findProxy(http, environment)?.address).toBe(forHttp);
    expect(findProxy(https, environment)?.address).toBe(forHttps);
  });

  test('has its name and password apart from its address', () => {
    const found = findProxy(http, { ALL_PROXY: 'http://me:p%40ss@proxy:3128/' });
    expect(found).toEqual({
      address: 'http://proxy:3128',
      authorization: `Basic ${Buffer.from('me:p@ss').toString('base64')}`,
      variable: 'ALL_PROXY',
    });
  });

  test.each(['socks5://me:secret@proxy:1080', 'http://', 'me:secret@@@:x'])('cannot be %s', (value) => {
    const attempt = () => findProxy(http, { HTTP_PROXY: value });
    expect(attempt).toThrow(InputError);
    expect(attempt).toThrow(/^HTTP_PROXY (names|is)/);
    expect(attempt).not.toThrow(/secret/);
  });
});

describe('NO_PROXY', () => {
  test.each([
    ['*', true],
    ['example.org', true],
    ['.example.org', true],
    ['*.example.org', true],
    ['EXAMPLE.org.', true],
    ['org', true],
    ['other.net, example.org', true],
    ['other.net example.org', true],
    ['example.org:443', true],
    ['example.org:80', false],
    ['ample.org', false],
    ['www.example.org', false],
    ['', false],
    [',', false],
  ])('%j names https://example.org: %s', (exemptions, isExempt) => {
    const environment = { HTTPS_PROXY: 'http://proxy', NO_PROXY: exemptions };
    expect(findProxy(https, environment) === undefined).toBe(isExempt);
  });

  test.each([
    ['http://10.1.2.3/', '10.0.0.0/8', true],
    ['http://10.1.2.3/', '10.1.2.3', true],
    ['http://10.1.2.3:81/', '10.1.2.3:81', true],
    ['http://10.1.2.3:81/', '10.1.2.3:80', false],
    ['http://11.1.2.3/', '10.0.0.0/8', false],
    ['http://10.1.2.3/', '10.0.0.0/x', false],
    ['http://[fd00::1]/', 'fd00::/8', true],
    ['http://[fd00::1]/', '[fd00::1]', true],
    ['http://[fd00::1]:81/', '[fd00::1]:81', true],
    ['http://[fd00::1]:81/', '[fd00::1]:80', false],
    ['http://[2001:db8::1]/', 'fd00::/8', false],
  ])('%s is named by %s: %s', (address, exemptions, isExempt) => {
    const environment = { HTTP_PROXY: 'http://proxy', no_proxy: exemptions };
    expect(findProxy(new URL(address), environment) === undefined).toBe(isExempt);
  });
});
