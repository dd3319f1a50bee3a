import assert from 'node:assert/strict'
import type { Endpoint, Parameters, Turn } from '@ai-ticket/core'
import { ask, type Bench, errorOf, requestOf, untilQuiet, within } from './conformance-subject.ts'

/** A duty and how to look after it. */
export interface Duty {
  readonly name: string
  check(bench: Bench): Promise<void>
}

/** The same for each endpoint. */
const atEach =
  (check: (bench: Bench, endpoint: Endpoint) => Promise<void>) =>
  async (bench: Bench): Promise<void> => {
    for (const endpoint of bench.backend.endpoints) await check(bench, endpoint)
  }

const first = ({ backend }: Bench): Endpoint => {
  const [endpoint] = backend.endpoints
  assert.ok(endpoint, 'a backend has at least one endpoint')
  return endpoint
}

export const answerDuties: readonly Duty[] = [
  {
    name: 'has a name and endpoints with names of their own',
    async check(bench) {
      first(bench)
      const { name, endpoints } = bench.backend
      assert.notEqual(name, '')
      assert.equal(new Set(endpoints.map((endpoint) => endpoint.name)).size, endpoints.length)
      for (const { turns, images, tools } of endpoints) {
        for (const flag of [turns, images, tools]) assert.equal(typeof flag, 'boolean')
      }
    },
  },
  {
    name: 'a whole answer is one end, without deltas',
    check: atEach(async (bench, endpoint) => {
      const { end, deltas } = await ask(bench, endpoint)
      assert.deepEqual(deltas, [], 'deltas are for streaming callers only')
      assert.notEqual(end.text, '')
      assert.ok(['stop', 'length', 'tool_calls'].includes(end.finish_reason), end.finish_reason)
      for (const count of Object.values(end.usage ?? {})) {
        assert.ok(Number.isInteger(count) && count > 0, `usage counts tokens, not ${count}`)
      }
    }),
  },
  {
    name: 'the deltas of a stream, joined, are the text of its end',
    check: atEach(async (bench, endpoint) => {
      const { end, deltas } = await ask(bench, endpoint, { stream: true })
      assert.ok(deltas.length > 0, 'a stream has deltas')
      assert.equal(deltas.map(({ text }) => text).join(''), end.text)
      assert.equal(deltas.map(({ reasoning }) => reasoning ?? '').join(''), end.reasoning ?? '')
    }),
  },
  {
    name: 'max_tokens ends the text, and only a limit that was reached is called length',
    check: atEach(async (bench, endpoint) => {
      const { end } = await ask(bench, endpoint, { parameters: { max_tokens: 5 } })
      const whole = await ask(bench, endpoint)
      assert.ok(end.text.length < whole.end.text.length, 'five tokens are less than two hundred')
      if (end.usage === undefined) return
      assert.ok(
        end.usage.completion_tokens <= 5,
        `5 tokens were allowed, ${end.usage.completion_tokens} came`,
      )
      assert.equal(end.finish_reason, end.usage.completion_tokens === 5 ? 'length' : 'stop')
    }),
  },
  {
    name: 'a stop string ends the text and is not in it',
    check: atEach(async (bench, endpoint) => {
      const { end } = await ask(bench, endpoint)
      const words = end.text.trim().split(/\s+/)
      const stop = words[Math.floor(words.length / 2)] ?? end.text.slice(-3)
      const stopped = await ask(bench, endpoint, { parameters: { stop: [stop] } })
      assert.ok(!stopped.end.text.includes(stop), 'the stop string is not in the text')
      assert.equal(stopped.end.finish_reason, 'stop')
    }),
  },
  {
    name: 'optional, unknown and unusual parameters do no harm',
    check: atEach(async (bench, endpoint) => {
      const parameters: Partial<Parameters> = {
        ...{ surprise: true },
        top_k: 40,
        min_p: 0.01,
        repetition_penalty: 1.1,
        presence_penalty: 0.1,
        frequency_penalty: 0.1,
        logit_bias: {},
        stop: ['\u{1f3ee} never said'],
      }
      const headers = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }
      const turns: Turn[] = [{ role: 'user', content: `${bench.prompt} \ud800 "\u0000\u{1f642}"` }]
      const { end } = await ask(bench, endpoint, { parameters, headers, turns })
      assert.notEqual(end.text, '')
    }),
  },
  {
    name: 'no turn is dropped, at an endpoint without turns neither',
    check: atEach(async (bench, endpoint) => {
      const turns: Turn[] = [
        { role: 'system', content: 'Alpha comes first.' },
        { role: 'user', content: 'Bravo asks.' },
        { role: 'assistant', content: 'Charlie answers.' },
        { role: 'user', content: 'Delta asks again.' },
      ]
      const { end } = await ask(bench, endpoint, { turns, parameters: { max_tokens: 8 } })
      const sent = bench.lastPrompt?.()
      if (sent !== undefined) {
        for (const word of ['Alpha', 'Bravo', 'Charlie', 'Delta'])
          assert.ok(sent.includes(word), `${word} is missing`)
        return
      }
      for (const index of turns.keys()) {
        const fewer = turns.filter((_, at) => at !== index)
        const less = await ask(bench, endpoint, { turns: fewer, parameters: { max_tokens: 8 } })
        if (!end.usage || !less.end.usage) return
        const [all, some] = [end.usage.prompt_tokens, less.end.usage.prompt_tokens]
        assert.ok(some < all, `turn ${index} does not count: ${all} tokens with it, ${some} without`)
      }
    }),
  },
  {
    name: 'calls at the same time all get an answer',
    check: atEach(async (bench, endpoint) => {
      const both = { parameters: { max_tokens: 20 } }
      const answers = await Promise.all([
        ask(bench, endpoint, both),
        ask(bench, endpoint, { ...both, stream: true }),
        ask(bench, endpoint, both),
      ])
      for (const { end } of answers) assert.notEqual(end.text, '')
    }),
  },
]

export const stopDuties: readonly Duty[] = [
  {
    name: 'an abort before the call sends nothing',
    check: atEach(async (bench, endpoint) => {
      for (const stream of [true, false]) {
        const asked = ask(bench, endpoint, { stream, signal: AbortSignal.abort() })
        const error = await within(errorOf(asked, 'an aborted call'), bench.stopMs, 'an aborted call')
        assert.equal(error.kind, 'aborted')
        assert.equal(error.stopped, 'not_sent')
      }
    }),
  },
  {
    name: 'an abort stops a call whose answer has not begun',
    check: atEach(async (bench, endpoint) => {
      for (const stream of [true, false]) {
        const abort = new AbortController()
        const failed = errorOf(ask(bench, endpoint, { stream, signal: abort.signal }), 'an aborted call')
        setImmediate(() => abort.abort())
        const error = await within(failed, bench.stopMs, 'stopping')
        assert.equal(error.kind, 'aborted')
        await untilQuiet(bench)
      }
      assert.notEqual((await ask(bench, endpoint, { parameters: { max_tokens: 8 } })).end.text, '')
    }),
  },
  {
    name: 'an abort between two tokens stops the server, and the text so far is handed over or left out',
    check: atEach(async (bench, endpoint) => {
      const abort = new AbortController()
      let text = ''
      const onDelta = (delta: string) => {
        text += delta
        abort.abort()
      }
      const asked = ask(bench, endpoint, { stream: true, signal: abort.signal, onDelta })
      const error = await within(errorOf(asked, 'an aborted stream'), bench.stopMs, 'stopping')
      assert.equal(error.kind, 'aborted')
      assert.notEqual(error.stopped, 'not_sent')
      if (error.partial !== undefined)
        assert.ok(error.partial.startsWith(text), 'partial begins with the deltas')
      await untilQuiet(bench)
    }),
  },
  {
    name: 'a reader that leaves early stops the server',
    check: atEach(async (bench, endpoint) => {
      const { signal } = new AbortController()
      const leave = async () => {
        const events = bench.backend.generate(endpoint, requestOf(bench), { signal, stream: true })
        for await (const { type } of events) if (type === 'delta') break
      }
      await within(leave(), bench.answerMs, 'a stream that is left')
      await untilQuiet(bench)
      assert.notEqual((await ask(bench, endpoint, { parameters: { max_tokens: 8 } })).end.text, '')
    }),
  },
]

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
          // Judged below, when the stream is through.
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
