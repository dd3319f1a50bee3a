import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// Tests run against the sources of all packages (the `@ai-ticket/source` export condition);
// tests that start programs use the build.
// `import` is not among them: Vitest hands them to Node, and a CommonJS package would then `require` ES modules.
const conditions = ['@ai-ticket/source', 'node']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'packages/*/test/**/*.test.ts', 'examples/**/*.test.ts'],
    environment: 'node',
    // Tests wait more than they work: for sockets, programs and pauses.
    maxWorkers: availableParallelism() + 1,
    // A real server does one thing at a time, and two files of tests ask it.
    // biome-ignore lint/suspicious/noUndeclaredEnvVars: turbo does not run the tests
    fileParallelism: process.env.KOBOLDCPP_TEST_URL === undefined,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    unstubEnvs: true,
    reporters: ['default', ['json', { outputFile: '.reports/vitest.json' }]],
  },
})
