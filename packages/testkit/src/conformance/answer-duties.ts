import assert from 'node:assert/strict'
import type { Parameters, Turn } from '@ai-ticket/core'
import { atEach, type Duty, first } from './conformance-duty.ts'
import { ask } from './conformance-subject.ts'

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
      assert.ok(
        ['stop', 'length', 'tool_calls', 'content_filter'].includes(end.finish_reason),
        end.finish_reason,
      )
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
