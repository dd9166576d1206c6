// The lint rules for the extension, its tests, and the scripts and benchmarks in JavaScript.
// `npm run lint` starts ESLint in the root of the repository, so the patterns below begin there.
import path from 'node:path';
import eslint from '@eslint/js';
import globals from 'globals';
import tseslint from 'typescript-eslint';

const SOURCE = ['editors/vscode/src/**/*.ts'];
const TYPESCRIPT = [...SOURCE, 'tests/editors/vscode/unit/**/*.ts'];
const JAVASCRIPT = ['editors/vscode/*.mjs', 'tests/editors/vscode/**/*.mjs', 'scripts/*.mjs', 'benchmarks/*.mjs'];

export default tseslint.config(
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: TYPESCRIPT,
    extends: [eslint.configs.recommended, tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ['editors/vscode/tsconfig.json'],
        tsconfigRootDir: path.resolve(import.meta.dirname, '../..'),
      },
    },
    rules: {
      // node:test collects the promises of its tests itself.
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafeCalls: [{ from: 'package', name: 'test', package: 'node:test' }] },
      ],
    },
  },
  {
    files: JAVASCRIPT,
    extends: [eslint.configs.recommended],
    // The end-to-end tests hand functions to a browser, so both sets of names occur in one file.
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
  },
  {
    files: [...TYPESCRIPT, ...JAVASCRIPT],
    rules: {
      curly: 'error',
      eqeqeq: 'error',
      'max-len': ['error', { code: 120 }],
      'max-lines': ['error', 400],
      'max-params': ['error', 7],
      'no-shadow': 'error',
      'one-var': ['error', { initialized: 'never' }],
      'prefer-const': 'error',
    },
  },
  // In the tests, one function contains a whole suite.
  {
    files: [...SOURCE, ...JAVASCRIPT],
    ignores: ['**/*.test.mjs'],
    rules: { 'max-lines-per-function': ['error', 60] },
  },
);
