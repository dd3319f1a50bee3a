import { defineConfig } from 'tsup'

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    fastify: 'src/fastify.ts',
    postgres: 'src/postgres.ts',
    openapi: 'src/openapi/ticket-parameters.ts',
  },
  format: ['esm'],
  target: 'node22',
  sourcemap: true,
  clean: true,
  // tsup would take the prefix off `node:sqlite`, which has no other name.
  removeNodeProtocol: false,
})
