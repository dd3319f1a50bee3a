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

test('the first load is small: scripts and styles that the page names, compressed', () => {
  const [, first = ''] = /<script[^>]* src="\.\/assets\/([^"]+)"/.exec(page) ?? []
  const named = statSync(`${APP}assets/${first}.gz`).size
  expect(named).toBeGreaterThan(10 * KB)
  expect(named).toBeLessThanOrEqual(36 * KB)
  expect(zipped(/\.js\.gz$/)).toBeLessThanOrEqual(60 * KB)
  expect(zipped(/\.css\.gz$/)).toBeLessThanOrEqual(10 * KB)
})

test('the page asks for three files, and has no code of its own', () => {
  expect([...page.matchAll(/(?:src|href)="\.\/assets\/[^"]+"/g)]).toHaveLength(3)
  expect(page).not.toMatch(/<script(?![^>]*src=)|<style| on\w+=|style="/)
})
