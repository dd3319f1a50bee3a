import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const APP = fileURLToPath(new URL('../dist/app/', import.meta.url))
const assets = readdirSync(`${APP}assets`)
const zipped = (pattern: RegExp): number =>
  assets
    .filter((name) => pattern.test(name))
    .reduce((sum, name) => sum + statSync(`${APP}assets/${name}`).size, 0)

const KB = 1_024
const page = readFileSync(`${APP}index.html`, 'utf8')
const [, first = ''] = /<script[^>]* src="\.\/assets\/([^"]+)"/.exec(page) ?? []

/** A script with all that it imports before it runs, compressed. */
function loadedWith(name: string, loaded = new Set<string>()): number {
  if (loaded.has(name)) return 0
  loaded.add(name)
  const code = readFileSync(`${APP}assets/${name}`, 'utf8')
  const imports = [...code.matchAll(/(?:from|import)\s*["'`]\.\/([\w-]+\.js)["'`]/g)]
  // Below half a kilobyte there is no compressed one.
  const file = [`${APP}assets/${name}.gz`, `${APP}assets/${name}`].find((path) => existsSync(path)) ?? ''
  return statSync(file).size + imports.reduce((sum, [, other = '']) => sum + loadedWith(other, loaded), 0)
}

test('the first load is small: scripts and styles that the page names, compressed', () => {
  const script = loadedWith(first)
  expect(script).toBeGreaterThan(10 * KB)
  expect(script).toBeLessThanOrEqual(36 * KB)
  expect(zipped(/\.css\.gz$/)).toBeLessThanOrEqual(10 * KB)
})

test('charts are a file of their own, and with them it is small, too', () => {
  const charts = zipped(/^uPlot.*\.js\.gz$/)
  expect(charts).toBeGreaterThan(10 * KB)
  const overview = assets.find((name) => /^overview-screen-.*\.js$/.test(name)) ?? ''
  expect(loadedWith(overview) + charts).toBeLessThanOrEqual(60 * KB)
})

test('a screen, a dialog or a library that comes later does not make it large', () => {
  // The charts and the helpers of the bundler stand alone.
  const later = assets.filter(
    (name) => name.endsWith('.js') && name !== first && !/^(uPlot|rolldown-runtime)/.test(name),
  )
  expect(later.length).toBeGreaterThan(5)
  for (const name of later) {
    const size = loadedWith(name)
    // All that a screen needs, for somebody who opens its address: a link to one ticket is a first load, too.
    // To compare takes the story and a library of its own.
    const most = name.startsWith('compare-') ? 40 : name.includes('-screen-') ? 36 : 60
    // What imports nothing, like the library that compares texts, stands alone; a screen never does.
    const isWhole = size > loadedWith(first) || !name.includes('-screen-')
    expect([name, isWhole, size <= most * KB]).toEqual([name, true, true])
  }
  // Beyond what every screen has.
  const shared = assets.find((name) => /^first-.*\.js$/.test(name)) ?? ''
  const alone = (name: string) => loadedWith(name, new Set([first, shared]))
  const named = (start: string) => later.filter((name) => name.startsWith(start))
  for (const start of ['palette-', 'compare-screen-', 'ticket-dialogs-', 'help-dialog-']) {
    expect(named(start)).toHaveLength(1)
    for (const name of named(start)) expect([start, alone(name) <= 12 * KB]).toEqual([start, true])
  }
})

test('the page asks for three files, and has no code of its own', () => {
  expect([...page.matchAll(/(?:src|href)="\.\/assets\/[^"]+"/g)]).toHaveLength(3)
  expect(page).not.toMatch(/<script(?![^>]*src=)|<style| on\w+=|style="/)
})
