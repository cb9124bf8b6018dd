import { expect, test } from 'vitest';
import { chooseWindow } from '../../src/analysis/window.ts';
import { ConfigFields } from '../../src/engine/config.ts';
import { option, wording } from '../../src/engine/error-words.ts';
import * as errors from '../../src/engine/errors.ts';
import { matchNames } from '../../src/engine/hooks/names.ts';
import { flagWords } from '../../src/node/flags.ts';
import { pageSentence } from '../../src/web/page-words.ts';

const thrown = (act: () => unknown): errors.LaminarError => {
  try {
    act();
  } catch (error) {
    if (error instanceof errors.LaminarError) return error;
  }
  throw new Error('nothing was thrown');
};

test('an error made of a sentence alone has the code of its class', () => {
  const made = Object.values(errors).map((Kind) => new Kind('what is wrong'));
  const codes = made.map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
  for (const error of made) {
    expect(error.code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(error).toMatchObject({ message: 'what is wrong', subject: undefined, remedies: [] });
    expect(error.inWords(flagWords)).toBe('what is wrong');
  }
});

test('each face words an error for itself', () => {
  const error = thrown(() => chooseWindow(200, 256, { start: 50, tokens: 180 }));
  expect(error).toMatchObject({ code: 'text-too-short', subject: { kind: 'option', name: 'text' } });
  expect(error.remedies.map(({ kind }) => kind)).toEqual(['give', 'give', 'give']);
  const problem = 'the text is too short: 150 of its 200 tokens lie from token 50 on, 180 are needed; give';
  expect(error.message).toBe(`${problem} tokens 150 or fewer, or start 20 or less, or a longer text`);
  expect(error.inWords(flagWords)).toBe(
    `${problem} --tokens 150 or fewer, or --start 20 or less, or a longer text`,
  );
  expect(pageSentence(error)).toBe(
    `The text is too short: 150 of its 200 tokens lie from token 50 on, 180 are needed; give length 150 or fewer, or start 20 or less, or a longer text.`,
  );
});

test('an unknown activation and a missing key say so to a program, too', () => {
  expect(thrown(() => matchNames('blocks.0.hook_resid_pree', ['blocks.0.hook_resid_pre']))).toMatchObject({
    code: 'activation-unknown',
    subject: { kind: 'activation', name: 'blocks.0.hook_resid_pree' },
  });
  expect(thrown(() => new ConfigFields({}, 'config.json').count(['n_embd']))).toMatchObject({
    code: 'config-key-missing',
    subject: { kind: 'key', name: 'n_embd' },
  });
});

test.each([
  ['tokens', '--tokens', 'length'],
  ['memoryLimit', '--gpu-memory', 'GPU memory'],
  ['withoutDimensions', '--without-dimensions', 'without dimensions'],
])('%s is %s of the command and %s of the page', (name, flag, field) => {
  const error = new errors.InputError(wording`${1} is over ${option(name)}`, {
    remedies: [
      { kind: 'raise', option: name },
      { kind: 'do', what: 'wait' },
    ],
  });
  const expected = (word: string) => `1 is over ${word}; raise ${word}, or wait`;
  expect(error.message).toBe(expected(name));
  expect(error.inWords(flagWords)).toBe(expected(flag));
  expect(pageSentence(error)).toBe(`${expected(field)}.`);
});

test("a file's error names the file first, is about it, and words options in it", () => {
  const error = errors.FormatError.at('a.json', wording`is over ${option('memoryLimit')}`, {
    code: 'too-large',
  });
  expect(error).toBeInstanceOf(errors.FormatError);
  expect(error).toMatchObject({
    message: 'a.json: is over memoryLimit',
    code: 'too-large',
    subject: { kind: 'file', name: 'a.json' },
  });
  expect(error.inWords(flagWords)).toBe('a.json: is over --gpu-memory');
});
