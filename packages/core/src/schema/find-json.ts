import { jsonrepair } from 'jsonrepair'
import { sliceJson } from './slice-json.ts'

/** A value that an answer may mean. */
export interface Candidate {
  readonly value: unknown
  /** The JSON it was read from. */
  readonly text: string
  readonly isBare: boolean
  readonly isMended: boolean
}

/** More places than this are not looked at: an answer that needs them is not worth the time. */
const MAX_PLACES = 8

/**
 * What an answer may mean as JSON, most likely first: the whole of it, what stands in Markdown fences, what stands in
 * brackets between prose, and these once more with their faults mended. Values of text that says nothing are absent.
 */
export function* findJson(answer: string): Generator<Candidate> {
  const text = withoutThinking(answer).trim()
  const whole = parse(text)
  if (whole) {
    yield { ...whole, isBare: true, isMended: false }
    return
  }
  const places = placesIn(text)
  for (const place of places) {
    const found = parse(place)
    if (found) yield { ...found, isBare: false, isMended: false }
  }
  for (const place of places) {
    const found = /^[[{]/.test(place) ? parse(mend(place)) : undefined
    if (found) yield { ...found, isBare: false, isMended: true }
  }
}

/** Some models think aloud inside the text; drafts of the answer in it are not the answer. */
const withoutThinking = (text: string) => text.replace(/^﻿?\s*<think>[\s\S]*?<\/think>/, '')

function placesIn(text: string): string[] {
  const places = new Set<string>()
  for (const [, inside = ''] of text.matchAll(/```[^\n`]*\n([\s\S]*?)```/g)) {
    places.add(inside.trim())
    if (places.size >= MAX_PLACES / 2) break
  }
  for (const place of sliceJson(text, MAX_PLACES - places.size)) places.add(place)
  return [...places]
}

function parse(text: string | undefined): { value: unknown; text: string } | undefined {
  if (text === undefined || text === '') return undefined
  try {
    return { value: JSON.parse(text), text }
  } catch {
    return undefined
  }
}

function mend(text: string): string | undefined {
  try {
    return jsonrepair(text)
  } catch {
    return undefined
  }
}
