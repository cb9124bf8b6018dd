import { expect, test, vi } from 'vitest';
import { keptVerdicts } from '../../src/web/kept-verdicts.ts';

const selfTest = { adapter: '["nvidia"]', check: 'attention', kernels: 'ab'.repeat(32) };

/** The Cache API as far as it is used, in memory. */
function stubCaches(): Map<string, Response> {
  const kept = new Map<string, Response>();
  const cache = {
    match: (key: string) => Promise.resolve(kept.get(key)?.clone()),
    put: (key: string, response: Response) => Promise.resolve(void kept.set(key, response)),
  };
  vi.stubGlobal('caches', { open: () => Promise.resolve(cache) });
  vi.stubGlobal('navigator', { userAgent: 'a browser' });
  vi.stubGlobal('location', { origin: 'https://page.example' });
  return kept;
}

test('verdicts stay for the next visit of the same browser; what is damaged does not count', async () => {
  const kept = stubCaches();
  expect(await keptVerdicts.find(selfTest)).toBeUndefined();
  await keptVerdicts.keep({ ...selfTest, fault: 'number 0 is NaN' });
  expect(await keptVerdicts.find(selfTest)).toEqual({ ...selfTest, fault: 'number 0 is NaN' });
  expect(await keptVerdicts.find({ ...selfTest, kernels: 'cd'.repeat(32) })).toBeUndefined();
  await keptVerdicts.keep({ ...selfTest, fault: null });
  expect(await keptVerdicts.find(selfTest)).toEqual({ ...selfTest, fault: null });
  for (const damaged of ['', '{"fault":', '{"fault":1}', '{}', 'null', `{"fault":"${'x'.repeat(5000)}"}`]) {
    for (const key of kept.keys()) kept.set(key, new Response(damaged));
    expect(await keptVerdicts.find(selfTest), damaged.slice(0, 20)).toBeUndefined();
  }
  vi.unstubAllGlobals();
});

test('a browser that keeps nothing is no fault', async () => {
  vi.stubGlobal('caches', undefined);
  vi.stubGlobal('navigator', { userAgent: 'a browser' });
  await keptVerdicts.keep({ ...selfTest, fault: null });
  expect(await keptVerdicts.find(selfTest)).toBeUndefined();
  vi.unstubAllGlobals();
});
