import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { TOKEN_NAMES } from '../../plugin/theme.ts'

const css = readFileSync(join(import.meta.dirname, 'tokens.css'), 'utf8')

const TEXTS = ['text', 'dim', 'accent', 'ok', 'warn', 'bad', 'idle', 'wait']
const SURFACES = ['bg', 'raised', 'sunken']
const THEMES = { light: 4.5, dark: 4.5, 'contrast-dark': 7, 'contrast-light': 7 }

describe.each(Object.entries(THEMES))('the theme %s', (theme, atLeast) => {
  const colours = coloursOf(theme)

  test('has every colour and no other', () => {
    expect([...colours.keys()].sort()).toEqual([...TOKEN_NAMES].sort())
  })

  test(`has text of at least ${atLeast}:1 on every surface`, () => {
    const weak = pairs(TEXTS).filter(([over, under]) => contrast(colours, over, under) < atLeast)
    expect(weak).toEqual([])
  })

  test('has controls and focus of at least 3:1', () => {
    const weak = pairs(['control', 'accent']).filter(([over, under]) => contrast(colours, over, under) < 3)
    expect(weak).toEqual([])
  })

  test('has filled buttons whose words can be read', () => {
    for (const fill of ['accent', 'bad'])
      expect(contrast(colours, 'bg', fill)).toBeGreaterThanOrEqual(atLeast)
  })
})

test('no other style has a colour or a size of its own', () => {
  // Read as text: the rule is about what is written, not about what a browser makes of it.
  const own = styleFiles().flatMap(([path, text]) =>
    [...text.matchAll(/#[0-9a-f]{3,8}\b|\brgba?\(|\b(?!0px)[0-9.]+px\b/gi)].map(
      ([found]) => `${path}: ${found}`,
    ),
  )
  expect(own).toEqual([])
})

function pairs(over: readonly string[]): (readonly [string, string])[] {
  return over.flatMap((one) => SURFACES.map((surface) => [one, surface] as const))
}

function coloursOf(theme: string): Map<string, string> {
  const block = new RegExp(`\\[data-theme="${theme}"\\] \\{([^}]*)\\}`).exec(css)?.[1] ?? ''
  return new Map(
    [...block.matchAll(/--([a-z]+): (#[0-9a-f]{6});/g)].map(([, name = '', value = '']) => [name, value]),
  )
}

/** WCAG 2.2, 1.4.3. */
function contrast(colours: ReadonlyMap<string, string>, over: string, under: string): number {
  const [light = 0, dark = 0] = [luminance(colours.get(over)), luminance(colours.get(under))].sort(
    (a, b) => b - a,
  )
  return (light + 0.05) / (dark + 0.05)
}

function luminance(colour = '#000000'): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5]
    .map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function styleFiles(): [string, string][] {
  return globStyles(join(import.meta.dirname, '..')).map((path) => [path, readFileSync(path, 'utf8')])
}

function globStyles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.css') && !name.endsWith('tokens.css'))
    .map((name) => join(folder, name))
}
