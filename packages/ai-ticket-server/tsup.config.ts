import { defineConfig } from 'tsup'

export default defineConfig({
  entry: ['src/index.ts', 'src/serve.ts', 'src/cli.ts'],
  format: ['esm'],
  target: 'node22',
  sourcemap: true,
  clean: true,
  // tsup leaves out dependencies by itself, but not optional ones.
  external: ['@ai-ticket/llama'],
  // `sqlite` alone would be another package.
  removeNodeProtocol: false,
})
