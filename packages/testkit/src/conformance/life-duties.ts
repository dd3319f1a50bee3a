import assert from 'node:assert/strict'
import type { Turn } from '@ai-ticket/core'
import { atEach, type Duty, first } from './conformance-duty.ts'
import { ask, errorOf, requestOf, within } from './conformance-subject.ts'

export const lifeDuties: readonly Duty[] = [
  {
    name: 'a probe answers while a generation runs, and does not disturb it',
    async check(bench) {
      const { signal } = new AbortController()
      let looking: Promise<void> | undefined
      const look = async () => {
        const state = await within(bench.backend.probe(signal), bench.stopMs, 'a probe')
        assert.ok(state.models.every((model) => typeof model === 'string' && model !== ''))
        assert.ok(state.contextLength === undefined || state.contextLength > 0)
      }
      const { end } = await ask(bench, first(bench), {
        stream: true,
        onDelta: () => {
          if (looking) return
          looking = look()
          // Checked below, when the stream has ended.
          looking.catch(() => {})
        },
      })
      await looking
      assert.ok(looking, 'a stream has deltas')
      assert.equal(end.text, (await ask(bench, first(bench))).end.text, 'the same answer without a probe')
    },
  },
  {
    name: 'tokens are counted, where it counts them: more for a longer prompt',
    async check(bench) {
      const count = bench.backend.countTokens?.bind(bench.backend)
      if (!count) return
      const { signal } = new AbortController()
      const turns: Turn[] = [{ role: 'user', content: `${bench.prompt} And it shall be about a lighthouse.` }]
      const short = await count(requestOf(bench), signal)
      const long = await count(requestOf(bench, { turns }), signal)
      // Where its server cannot, it says so.
      if (short === undefined && long === undefined) return
      assert.ok(short !== undefined && long !== undefined, 'it counts one prompt and not the other')
      assert.ok(Number.isInteger(short) && short > 0 && long > short, `${short} and ${long} tokens`)
    },
  },
  {
    name: 'it may be closed twice, and then refuses',
    async check(bench) {
      const { backend } = bench
      await within(Promise.all([backend.close(), backend.close()]), bench.stopMs, 'closing')
      await backend.close()
      const { signal } = new AbortController()
      const refused = within(backend.probe(signal), bench.stopMs, 'a probe after closing')
      await errorOf(refused, 'a probe after closing')
      await errorOf(ask(bench, first(bench)), 'a call after closing')
    },
  },
  {
    name: 'closing ends what runs',
    async check(bench) {
      const closing = Promise.withResolvers<void>()
      const asked = ask(bench, first(bench), {
        stream: true,
        onDelta: () => closing.resolve(bench.backend.close()),
      })
      const failed = errorOf(asked, 'a call at closing')
      failed.catch(() => {})
      await within(closing.promise, bench.answerMs, 'a first delta and closing')
      await within(failed, bench.answerMs, 'a call at closing')
    },
  },
]

/** For a backend whose server is not there. */
export const deadDuties: readonly Duty[] = [
  {
    name: 'a server that is not there is an error of ours that quotes nothing',
    check: atEach(async (bench, endpoint) => {
      for (const stream of [true, false]) {
        const error = await errorOf(ask(bench, endpoint, { stream }), 'a call without a server')
        assert.equal(error.stopped, 'not_sent')
        assert.ok(!error.message.includes(bench.prompt), 'the message quotes the prompt')
      }
      const { signal } = new AbortController()
      await errorOf(bench.backend.probe(signal), 'a probe without a server')
    }),
  },
]
