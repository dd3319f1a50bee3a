import assert from 'node:assert/strict'
import { atEach, type Duty } from './conformance-duty.ts'
import { ask, errorOf, requestOf, untilQuiet, within } from './conformance-subject.ts'

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
