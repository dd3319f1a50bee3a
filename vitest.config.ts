import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// Tests run against the sources of all packages (the `@ai-ticket/source` export condition);
// tests that start programs use the build.
// `import` is not among them: Vitest hands them to Node, and a CommonJS package would then `require` ES modules.
const conditions = ['@ai-ticket/source', 'node']

const TESTS = ['packages/*/src/**/*.test.ts', 'packages/*/test/**/*.test.ts', 'examples/**/*.test.ts']

/** Tests that set what a process has once, or put something in the place of a module: each of these files has a worker of its own. */
const ALONE = [
  'packages/*/{src,test}/**/*tracing.test.ts',
  'packages/server/test/openapi-judge.test.ts',
  'packages/tickets/test/ticket-simulation.test.ts',
]

/** Those that take longest, before the others: one that comes last runs alone at the end. */
const FIRST = [
  'packages/tickets/test/ledger.test.ts',
  'packages/tickets/test/postgres-store.test.ts',
  'packages/tickets/test/broken-commit.test.ts',
  'packages/tickets/test/http-history.test.ts',
  'packages/ai-ticket-server/test/standstill.test.ts',
  'packages/tickets/test/store-model.test.ts',
  'packages/core/test/chaos.test.ts',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]) {
    // A file with a worker of its own among the others would end a worker that these share.
    const place = ({ moduleId, project }: TestSpecification) =>
      project.config.isolate ? -1 : [...FIRST.map((path) => moduleId.endsWith(path)), true].indexOf(true)
    return (await super.sort(files)).toSorted((one, other) => place(one) - place(other))
  }
}

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    environment: 'node',
    sequence: { sequencer: LongestFirst },
    // Tests wait more than they work: for sockets, programs and pauses.
    maxWorkers: 2 * availableParallelism(),
    // A real server does one thing at a time, and two files of tests ask it.
    // biome-ignore lint/suspicious/noUndeclaredEnvVars: turbo does not run the tests
    fileParallelism: process.env.KOBOLDCPP_TEST_URL === undefined,
    globalSetup: ['packages/workspace/own-temporary-folder.ts'],
    // Guards against what hangs, no measure of speed: a busy machine takes many times as long.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    unstubEnvs: true,
    reporters: ['default', ['json', { outputFile: '.reports/vitest.json' }]],
    // To start a worker for each of 280 files and load the modules again takes as long as half of the tests.
    projects: [
      {
        extends: true,
        test: { name: 'shared', isolate: false, include: TESTS, exclude: ['**/node_modules/**', ...ALONE] },
      },
      { extends: true, test: { name: 'alone', include: ALONE } },
    ],
  },
})
