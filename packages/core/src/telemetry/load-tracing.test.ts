import { trace } from '@opentelemetry/api'
import { TracerProvider } from '@opentelemetry/sdk-trace'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { traceIdOf, tracing } from './load-tracing.ts'

afterEach(() => trace.disable())

test('nothing is traced and nothing is loaded until a tracer provider is registered', async () => {
  expect(tracing()).toBeUndefined()
  trace.setGlobalTracerProvider(new TracerProvider())
  const loading = tracing()
  expect(loading).toBeInstanceOf(Promise)
  const loaded = await loading
  expect(loaded?.startEventTrace).toBeTypeOf('function')
  expect(tracing()).toBe(loaded)
  trace.disable()
  expect(tracing()).toBeUndefined()
})

test('without the API there is a warning, and events go on untraced', async () => {
  vi.resetModules()
  vi.doMock('@opentelemetry/api', () => {
    throw new Error('not installed')
  })
  const warn = vi.spyOn(process, 'emitWarning').mockReturnValue()
  onTestFinished(() => {
    vi.doUnmock('@opentelemetry/api')
    warn.mockRestore()
  })
  trace.setGlobalTracerProvider(new TracerProvider())
  const { tracing, traceArrival } = await import('./load-tracing.ts')
  expect(await Promise.all([tracing(), tracing()])).toEqual([undefined, undefined])
  expect(tracing()).toBeUndefined()
  const headers = { traceparent: 'given' }
  expect(await traceArrival({ name: 'mail', headers })).toBe(headers)
  expect(warn.mock.calls).toEqual([[expect.stringContaining('npm install @opentelemetry/api')]])
})

test('the trace of a caller is that of his traceparent', () => {
  const id = '0af7651916cd43dd8448eb211c80319c'
  expect(traceIdOf({ traceparent: `00-${id}-b7ad6b7169203331-01` })).toBe(id)
  expect(traceIdOf({ traceparent: `00-${id.slice(1)}-b7ad6b7169203331-01` })).toBeUndefined()
  expect(traceIdOf({})).toBeUndefined()
  expect(traceIdOf(undefined)).toBeUndefined()
})
