import js from '@eslint/js';
import ts from 'typescript-eslint';

/** Forbids imports that would run against the house's one direction (engine ← analysis ← node, web). */
const mayNotImport = (folder, patterns) => ({
  files: [folder],
  rules: { 'no-restricted-imports': ['error', { patterns }] },
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
  mayNotImport('src/engine/**/*.ts', ['**/analysis/*', '**/node/*', '**/web/*', 'node:*']),
  mayNotImport('src/analysis/**/*.ts', ['**/node/*', '**/web/*', 'node:*']),
  mayNotImport('src/hub/**/*.ts', ['**/analysis/*', '**/node/*', '**/web/*', 'node:*']),
  mayNotImport('src/index.ts', ['**/node/*', '**/web/*', 'node:*']),
  mayNotImport('src/web/**/*.ts', ['**/node/*', 'node:*']),
  mayNotImport('src/node/**/*.ts', ['**/web/*']),
);
