import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { configJsonSchema } from '../scripts/config-json-schema.ts'

test('config.schema.json is what the schema in code says; `pnpm --filter ai-ticket-server schema` writes it', () => {
  const published = readFileSync(new URL('../config.schema.json', import.meta.url), 'utf8')
  expect(JSON.parse(published)).toEqual(configJsonSchema())
})
