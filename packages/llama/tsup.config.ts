import { defineConfig } from 'tsup'
import { SHARED } from '../../tsup.base.ts'

export default defineConfig({
  ...SHARED,
  entry: ['src/index.ts'],
})
