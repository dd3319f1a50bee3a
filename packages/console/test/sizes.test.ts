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

test('the first load is small: all scripts and styles, compressed', () => {
  expect(zipped(/\.js\.gz$/)).toBeGreaterThan(10 * KB)
  expect(zipped(/\.js\.gz$/)).toBeLessThanOrEqual(36 * KB)
  expect(zipped(/\.css\.gz$/)).toBeLessThanOrEqual(10 * KB)
})

test('the page asks for three files, and has no code of its own', () => {
  const page = readFileSync(`${APP}index.html`, 'utf8')
  expect([...page.matchAll(/(?:src|href)="\.\/assets\/[^"]+"/g)]).toHaveLength(3)
  expect(page).not.toMatch(/<script(?![^>]*src=)|<style| on\w+=|style="/)
})
