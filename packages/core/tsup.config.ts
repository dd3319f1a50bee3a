import { defineConfig } from 'tsup'
import { SHARED } from '../workspace/tsup.base.ts'

export default defineConfig({
  ...SHARED,
  entry: { index: 'src/index.ts', schemas: 'src/schemas.ts', 'node-version': 'src/contract/node-version.ts' },
})
