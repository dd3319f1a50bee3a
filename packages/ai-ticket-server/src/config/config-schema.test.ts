import { DEFAULTS, parseLogLevel } from '@ai-ticket/core'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { ConfigFileSchema } from './config-schema.ts'
import { LOG_LEVELS } from './settings.ts'
import { TUNING_PLACES, tuningFrom } from './tuning-schema.ts'

test('core knows every log level that the configuration takes', () => {
  expect(LOG_LEVELS.filter((level) => parseLogLevel(level) === undefined)).toEqual([])
})

test('the file has a place for every number of core, and for no other', () => {
  expect(TUNING_PLACES.map(({ name }) => name).toSorted()).toEqual(Object.keys(DEFAULTS).toSorted())
})

test("core's defaults can all be written into the file, and read back", () => {
  const content: Record<string, Record<string, number>> = {}
  for (const { name, group, key } of TUNING_PLACES) {
    content[group] = { ...content[group], [key]: DEFAULTS[name] }
  }
  expect(tuningFrom(v.parse(ConfigFileSchema, content))).toEqual(DEFAULTS)
})
