import { expect } from 'vitest'

/** What differs from run to run, replaced by a word; the same for what was written and what came. */
const masked = (text: string): string =>
  text
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/evt_[0-9a-f-]{36}/g, 'evt_ID')
    .replace(/("seed": ?)\d+/g, '$10')
    .replace(/(_ms"?: ?)\d+(\.\d+)?/g, '$10')
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Compares output with what a page says it is. As JSON by value; `…` in a text stands for anything. */
export function expectOutput(actual: string, written: string, language: string): void {
  if (language === 'json') {
    expect(JSON.parse(masked(actual))).toEqual(JSON.parse(masked(written)))
    return
  }
  const pattern = masked(written).trimEnd().split('…').map(escaped).join('[\\s\\S]*?')
  expect(masked(actual).trimEnd()).toMatch(new RegExp(`^${pattern}$`))
}
