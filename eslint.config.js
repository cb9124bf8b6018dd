import js from '@eslint/js';
import ts from 'typescript-eslint';

/** Which layers a layer must not import; only node/ imports Node's modules. */
const mayNotImport = (files, layers, isNode = false) => ({
  files: [files],
  rules: {
    'no-restricted-imports': [
      'error',
      { patterns: [...layers.map((layer) => `**/${layer}/**`), ...(isNode ? [] : ['node:*'])] },
    ],
  },
});

export default ts.config(
  { ignores: ['dist/', 'out/', 'node_modules/', 'weights/'] },
  js.configs.recommended,
  ...ts.configs.strict,
  {
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      eqeqeq: 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['**/*.js'],
    languageOptions: {
      globals: { process: 'readonly', console: 'readonly', performance: 'readonly', URL: 'readonly' },
    },
  },
  {
    files: ['bench/peers/*.js'], // run in a browser
    languageOptions: { globals: { fetch: 'readonly', TextDecoder: 'readonly', TextEncoder: 'readonly' } },
  },
  {
    // What takes bare numbers has nothing to name.
    files: ['src/analysis/**/*.ts'],
    ignores: ['src/analysis/histogram.ts', 'src/analysis/dimensions.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector:
            'NewExpression[callee.name=/^(Input|File|Format|Config|Checkpoint|Device|Numerical)Error$/]' +
            ':not(:has(Property[key.name="subject"]))',
          message: 'Give the subject: the option, file, matrix or sequence that the error is about.',
        },
      ],
    },
  },
  mayNotImport('src/engine/**/*.ts', ['hub', 'analysis', 'node', 'web']),
  mayNotImport('src/hub/**/*.ts', ['analysis', 'node', 'web']),
  mayNotImport('src/analysis/**/*.ts', ['hub', 'node', 'web']),
  mayNotImport('src/index.ts', ['node', 'web']),
  mayNotImport('src/web/**/*.ts', ['node']),
  mayNotImport('src/node/**/*.ts', ['web'], true),
);
