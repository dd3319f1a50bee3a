import { readdirSync, readFileSync, statSync } from 'node:fs'
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
const firstSize = statSync(`${APP}assets/${first}.gz`).size

test('the first load is small: scripts and styles that the page names, compressed', () => {
  expect(firstSize).toBeGreaterThan(10 * KB)
  expect(firstSize).toBeLessThanOrEqual(36 * KB)
  expect(zipped(/\.css\.gz$/)).toBeLessThanOrEqual(10 * KB)
})

test('charts are a file of their own, and with them it is small, too', () => {
  const charts = zipped(/^uPlot.*\.js\.gz$/)
  expect(charts).toBeGreaterThan(10 * KB)
  expect(firstSize + charts).toBeLessThanOrEqual(60 * KB)
  // Whatever else is loaded when somebody goes there.
  const others = assets.filter((name) => /\.js\.gz$/.test(name) && !/^(?:uPlot|index)/.test(name))
  for (const name of others)
    expect([name, statSync(`${APP}assets/${name}`).size <= 8 * KB]).toEqual([name, true])
  expect(zipped(/\.js\.gz$/)).toBeLessThanOrEqual(80 * KB)
})

test('the page asks for three files, and has no code of its own', () => {
  expect([...page.matchAll(/(?:src|href)="\.\/assets\/[^"]+"/g)]).toHaveLength(3)
  expect(page).not.toMatch(/<script(?![^>]*src=)|<style| on\w+=|style="/)
})
