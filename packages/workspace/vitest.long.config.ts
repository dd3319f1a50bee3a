import { globSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { defineConfig } from 'vitest/config'
import base from '../../vitest.config.ts'

// What `.ci/run` runs after `npm test`: the tests in `long/`, and again those that try more numbers when
// AI_TICKET_LONG is 1, which `bootstrap.mjs long` sets.
const root = resolve(import.meta.dirname, '../..')

const readsLong = (path: string) =>
  readFileSync(join(root, path), 'utf8').includes('process.env.AI_TICKET_LONG')

const withLongForm = globSync('packages/*/{src,test}/**/*.test.ts', { cwd: root }).filter(readsLong)

export default defineConfig({
  ...base,
  root,
  test: {
    ...base.test,
    // These work more than they wait.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 240_000,
    hookTimeout: 240_000,
    reporters: ['default', ['json', { outputFile: '.reports/vitest-long.json' }]],
    // Those take long by themselves: a worker for each file is not what costs.
    projects: [{ extends: true, test: { include: ['packages/*/long/**/*.test.ts', ...withLongForm] } }],
  },
})
