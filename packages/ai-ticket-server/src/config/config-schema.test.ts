import { DEFAULTS, parseLogLevel } from '@ai-ticket/core'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { ConfigFileSchema, LOG_LEVELS } from './config-schema.ts'
import { TUNING_PATHS, tuningFrom } from './tuning-schema.ts'

test('core knows every log level that the configuration takes', () => {
  expect(LOG_LEVELS.filter((level) => parseLogLevel(level) === undefined)).toEqual([])
})

test("core's defaults can all be written into the file, and read back", () => {
  const content: Record<string, Record<string, number>> = {}
  for (const [name, [group, key]] of Object.entries(TUNING_PATHS)) {
    content[group] = { ...content[group], [key]: DEFAULTS[name as keyof typeof DEFAULTS] }
  }
  expect(tuningFrom(v.parse(ConfigFileSchema, content))).toEqual(DEFAULTS)
})
