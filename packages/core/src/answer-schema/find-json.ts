import { jsonrepair } from 'jsonrepair'

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
    // JSON that was written as a string of JSON.
    const inner = typeof whole.value === 'string' ? parse(whole.value) : undefined
    if (inner) yield { ...inner, isBare: false, isMended: true }
    return
  }
  const places = placesIn(text)
  for (const place of places) {
    const found = parse(place)
    if (found) yield { ...found, isBare: false, isMended: false }
  }
  for (const place of places.filter(isMendable).slice(0, MOST_MENDED)) {
    const found = parse(mend(place))
    if (found) yield { ...found, isBare: false, isMended: true }
  }
}

/** Mending wild text can take time that grows with its square. */
const MOST_MENDED = 3
const MENDABLE_LENGTH = 64 * 1024

const isMendable = (text: string) => /^[[{]/.test(text) && text.length <= MENDABLE_LENGTH

/** Some models think aloud inside the text; drafts of the answer in it are not the answer. */
const withoutThinking = (text: string) => text.replace(/^﻿?\s*<think>[\s\S]*?<\/think>/, '')

function placesIn(text: string): string[] {
  const places = new Set<string>()
  for (const [, inside = ''] of text.matchAll(/```[^\n`]*\n([\s\S]*?)```/g)) {
    places.add(inside.trim())
    if (places.size >= MAX_PLACES / 2) break
  }
  // The longest first: a reference like [1] in the prose is JSON, too.
  const slices = sliceJson(text, MAX_PLACES - places.size).sort((a, b) => b.length - a.length)
  return [...new Set([...places, ...slices])]
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

/**
 * The outermost bracketed parts of a text, in order: from a `{` or `[` to its partner, or to the end where it has
 * none. Brackets inside strings do not count. Goes over the text once.
 */
function sliceJson(text: string, most: number): string[] {
  const slices: string[] = []
  let position = 0
  while (slices.length < most) {
    const start = text.slice(position).search(/[[{]/)
    if (start < 0) break
    const end = endOf(text, position + start)
    slices.push(text.slice(position + start, end))
    position = end ?? text.length
  }
  return slices
}

/** Whether a text's first bracket never meets its partner: it was cut off, or forgot it. */
export function isUnfinished(text: string): boolean {
  const start = text.search(/[[{]/)
  return start < 0 ? /^\s*"/.test(text) : endOf(text, start) === undefined
}

/** The place behind the partner of the bracket. Undefined: it has none. */
function endOf(text: string, start: number): number | undefined {
  let depth = 0
  let inString = false
  for (let index = start; index < text.length; index++) {
    const character = text[index]
    if (inString) {
      if (character === '\\') index += 1
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === '{' || character === '[') depth += 1
    else if (character === '}' || character === ']') {
      depth -= 1
      if (depth === 0) return index + 1
    }
  }
  return undefined
}
