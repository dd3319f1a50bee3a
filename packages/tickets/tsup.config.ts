import { defineConfig } from 'tsup'
import { SHARED } from '../workspace/tsup.base.ts'

export default defineConfig({
  ...SHARED,
  entry: {
    index: 'src/index.ts',
    fastify: 'src/fastify.ts',
    postgres: 'src/postgres.ts',
    openapi: 'src/openapi/ticket-parameters.ts',
  },
  // tsup would take the prefix off `node:sqlite`, which has no other name.
  removeNodeProtocol: false,
})
