import { defineConfig } from 'tsup'
import { SHARED } from '../workspace/tsup.base.ts'

export default defineConfig({
  ...SHARED,
  entry: ['src/index.ts'],
})
