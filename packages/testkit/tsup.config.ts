import { defineConfig } from 'tsup'
import { SHARED } from '../workspace/tsup.base.ts'

export default defineConfig([
  {
    ...SHARED,
    entry: ['src/index.ts', 'src/msw.ts', 'src/backend-conformance.ts'],
    clean: ['index*', 'msw*', 'backend-conformance*', 'chunk*'],
  },
  { ...SHARED, clean: false, entry: { bin: 'src/bin.ts' }, banner: { js: '#!/usr/bin/env node' } },
])
