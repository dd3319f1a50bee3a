import { silentLogger } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { startTracing, wantsTracing } from './start-tracing.ts'

test.each([
  [{}, false],
  [{ OTEL_SERVICE_NAME: 'desk' }, false],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: '' }, false],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }, true],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:4318/v1/traces' }, true],
  [{ OTEL_TRACES_EXPORTER: 'console' }, true],
  [{ OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }, false],
  [{ OTEL_TRACES_EXPORTER: 'console', OTEL_SDK_DISABLED: 'true' }, false],
])('%o asks for traces: %s', (environment, expected) => {
  expect(wantsTracing(environment)).toBe(expected)
})

test('without those variables no SDK is started', async () => {
  const stop = await startTracing({}, silentLogger)
  const registered = Reflect.get(globalThis, Symbol.for('opentelemetry.js.api.1')) as object | undefined
  expect(registered ?? {}).not.toHaveProperty('trace')
  await stop()
})
