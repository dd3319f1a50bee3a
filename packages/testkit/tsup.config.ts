import { defineConfig } from 'tsup'

const shared = { format: ['esm' as const], target: 'node22', sourcemap: true }

export default defineConfig([
  {
    ...shared,
    entry: ['src/index.ts', 'src/msw.ts', 'src/backend-conformance.ts'],
    clean: ['index*', 'msw*', 'backend-conformance*', 'chunk*'],
  },
  { ...shared, entry: { bin: 'src/bin.ts' }, banner: { js: '#!/usr/bin/env node' } },
])
