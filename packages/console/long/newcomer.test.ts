import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openVisit, STEPS } from '../../workspace/newcomer.mjs'
import { chromiumPath, needsChromium, openBrowser, watchedPage } from '../test/console-world.ts'

const MOST_MS = 60_000
const PROMPT = 'Why is the sky blue?'

describe.skipIf(chromiumPath === undefined)(`a newcomer in a browser${needsChromium}`, () => {
  const visit = openVisit()
  const step = async (name: string) => STEPS.find((one) => one.name === name)?.run(visit)
  beforeAll(() => step('clone'), 240_000)
  afterAll(() => visit.close(), 60_000)

  test('sees the first answer in Compose within a minute of npm start in a fresh clone, and finds it again', async () => {
    await using browser = await openBrowser()
    const began = performance.now()
    await step('npm start, and the first curl of the README')
    const { url } = (visit as typeof visit & { readonly server: { readonly url: string } }).server
    const { page, complaints } = await watchedPage(await browser.newContext(), url)
    await page.goto(url)
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('n')
    await page.getByLabel('Prompt', { exact: true }).last().fill(PROMPT)
    await page.keyboard.press('Control+Enter')
    const answer = page.getByRole('region', { name: 'Answer' })
    await answer.getByText(/^This is the AI Ticket simulator/).waitFor()
    const tookMs = performance.now() - began
    process.stdout.write(`a newcomer's first answer in Compose: after ${(tookMs / 1_000).toFixed(1)} s\n`)
    await answer.getByText('completed').waitFor()
    await page
      .getByRole('link', { name: /^Tickets/ })
      .first()
      .click()
    await page.locator('tbody tr[data-id]').first().getByText(PROMPT).waitFor()
    expect(complaints).toEqual([])
    expect(tookMs).toBeLessThan(MOST_MS)
  })
})
