/// <reference types="vitest/config" />
import { chmod } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import type { Plugin } from 'vite';
import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';
import { builtFrom } from './built-from.ts';
import { leanShaders } from './lean-shaders.ts';
import { thirdPartyNotices } from './third-party.ts';
import packageJson from './package.json' with { type: 'json' };

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** What a user installs beside the package. All else that it needs is built into it, to be small. */
const packages = Object.keys({ ...packageJson.dependencies, ...packageJson.peerDependencies });

/** The tests that run the built command as a process. */
const commandTests = 'test/node/command*.test.ts';

/** Makes the command a program: its shebang survives the build, its mode does not. */
const executableCommand: Plugin = {
  name: 'executable-command',
  async writeBundle({ dir }, bundle) {
    if (dir && bundle['node/main.js']) await chmod(join(dir, 'node/main.js'), 0o755);
  },
};

/** A hung test is stopped by these. On a busy machine all else just takes longer. */
const patience = { testTimeout: 600_000, hookTimeout: 600_000, expect: { poll: { timeout: 600_000 } } };

/** Begins with the projects whose files take longest, so that at the end no core waits for one of them. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const order = ['browser', 'page', 'command', 'node'];
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => order.indexOf(a.project.name) - order.indexOf(b.project.name));
  }
}

/** Builds the library (dist/index.js) and the command (dist/node/main.js); packages stay imports. */
export default defineConfig({
  plugins: [executableCommand, leanShaders, thirdPartyNotices, builtFrom],
  build: {
    target: 'node20',
    minify: false,
    sourcemap: true,
    emptyOutDir: true,
    lib: {
      entry: {
        index: here('src/index.ts'),
        // dist/web is the page.
        browser: here('src/web/index.ts'),
        'node/index': here('src/node/index.ts'),
        'node/main': here('src/node/main.ts'),
        // What main.js runs, without being a process: the tests of the command take it from here.
        'node/command-line': here('src/node/command-line.ts'),
        'node/tokenizer-thread': here('src/node/tokenizer-thread.ts'),
      },
      formats: ['es'],
    },
    rolldownOptions: {
      // The types say what the docstrings say.
      output: { comments: { jsdoc: false } },
      external: [
        ...builtinModules,
        ...builtinModules.map((name) => `node:${name}`),
        ...packages,
        ...packages.map((name) => new RegExp(`^${name}/`)),
      ],
    },
  },
  test: {
    maxWorkers: 2,
    setupFiles: here('test/support/setup.ts'),
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        resolve: {
          alias: {
            '#platform': here('test/support/platform-node.ts'),
            '#command-line': here('test/support/command-line-of-sources.ts'),
          },
        },
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/web/**', commandTests],
          // Files share a process, one after another: its modules, and a GPU with what was compiled for it.
          isolate: false,
          ...patience,
        },
      },
      {
        extends: true,
        resolve: {
          alias: {
            '#platform': here('test/support/platform-node.ts'),
            '#command-line': here('test/support/command-line-of-build.ts'),
            'laminar-webgpu/node': here('out/test-dist/node/index.js'),
          },
        },
        test: {
          name: 'command',
          include: [commandTests],
          isolate: false,
          // What is built is imported as users import it, and as fast.
          server: { deps: { external: [/\/out\/test-dist\//] } },
          globalSetup: 'test/node/build-command.ts',
          ...patience,
        },
      },
      {
        extends: true,
        resolve: { alias: { '#platform': here('test/support/platform-node.ts') } },
        test: {
          name: 'page',
          include: ['test/web/**/*.test.ts'],
          // Files share a process, one after another, and its browser.
          isolate: false,
          unstubGlobals: true,
          globalSetup: 'test/web/build-page.ts',
          ...patience,
        },
      },
      './vitest.browser.config.ts',
    ],
  },
});
