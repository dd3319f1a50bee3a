import { defineConfig } from 'tsup'
import { SHARED } from '../workspace/tsup.base.ts'

export default defineConfig({
  ...SHARED,
  entry: ['src/index.ts', 'src/cloudevents.ts', 'src/openapi.ts'],
})
