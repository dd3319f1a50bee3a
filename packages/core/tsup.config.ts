import { defineConfig } from 'tsup'

export default defineConfig({
  entry: { index: 'src/index.ts', schemas: 'src/schemas.ts', 'node-version': 'src/contract/node-version.ts' },
  format: ['esm'],
  target: 'node22',
  sourcemap: true,
  clean: true,
})
