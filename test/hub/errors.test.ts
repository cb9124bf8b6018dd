import { expect, test } from 'vitest';
import { refusal } from '../../src/hub/errors.ts';
import { flagWords } from '../../src/node/flags.ts';

const endpoint = 'https://huggingface.co';
const gpt2 = { repository: 'gpt2', revision: 'v9' };

test.each([
  [401, '', undefined, 'model-unknown', { kind: 'model', name: 'gpt2' }, /set HF_TOKEN if it is private$/],
  [401, '', null, 'model-unknown', { kind: 'model', name: 'gpt2' }, /download it and choose its folder$/],
  [401, '', 'HF_TOKEN', 'token-refused', { kind: 'model', name: 'gpt2' }, /the token in HF_TOKEN/],
  [403, 'GatedRepo', null, 'model-gated', { kind: 'model', name: 'gpt2' }, /is gated .* choose its folder$/],
  [404, 'RevisionNotFound', undefined, 'revision-unknown', { kind: 'option', name: 'revision' }, /no --rev/],
  [403, '', undefined, 'access-denied', { kind: 'model', name: 'gpt2' }, /HF_TOKEN to a token that may read/],
])('%i %s, token %s: %s', (status, header, tokenSource, code, subject, message) => {
  const headers = new Headers(header === '' ? {} : { 'x-error-code': header });
  const error = refusal({ status, headers }, gpt2, { endpoint, tokenSource });
  expect(error).toMatchObject({ code, subject, status, isHub: header !== '' });
  expect(error.inWords(flagWords)).toMatch(message);
});
