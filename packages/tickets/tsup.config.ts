import { defineConfig } from 'tsup'

export default defineConfig({
  entry: ['src/index.ts', 'src/fastify.ts', 'src/postgres.ts'],
  format: ['esm'],
  target: 'node22',
  sourcemap: true,
  clean: true,
  // tsup would take the prefix off `node:sqlite`, which has no other name.
  removeNodeProtocol: false,
})
