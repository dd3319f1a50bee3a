import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { startServer } from './run-program.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const FAST = { tokensPerSecond: Number.POSITIVE_INFINITY }

interface Exported {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { key: string; value: { stringValue?: string } }[] }
    readonly scopeSpans: readonly { readonly spans: readonly { name: string; traceId: string }[] }[]
  }[]
}

/** A collector: keeps what it is sent. */
async function startCollector() {
  const received: Exported[] = []
  const server = createServer(async (request, response) => {
    received.push((await json(request)) as Exported)
    response.setHeader('content-type', 'application/json').end('{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    received,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const send = (url: string, headers: Record<string, string> = {}) =>
  fetch(`${url}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: '{"content":"Hello"}',
  })

test('where OTEL_* names a collector, it gets the spans of an event, the last ones at the end', async () => {
  await using simulator = await startKoboldSimulator(FAST)
  await using collector = await startCollector()
  await using server = await startServer([], {
    KOBOLDCPP_API_URL: simulator.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  })
  expect((await send(server.url, { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01` })).status).toBe(200)
  expect(await server.waitForLine(/^event ended/)).toMatchObject({ trace_id: TRACE_ID })
  server.child.kill('SIGTERM')
  expect(await server.ended).toBe(0)
  const resources = collector.received.flatMap(({ resourceSpans }) => resourceSpans)
  const spans = resources.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans))
  expect(spans.map(({ name, traceId }) => [name, traceId])).toEqual([
    ['chat', TRACE_ID],
    ['ai_ticket event', TRACE_ID],
  ])
  expect(resources[0]?.resource.attributes).toContainEqual({
    key: 'service.name',
    value: { stringValue: 'ai-ticket' },
  })
})

test('of a flood 100 traces a second are taken, unless OTEL_TRACES_SAMPLER says otherwise', async () => {
  await using simulator = await startKoboldSimulator(FAST)
  const tracedOf = async (sampler: Record<string, string>) => {
    await using collector = await startCollector()
    await using server = await startServer([], {
      KOBOLDCPP_API_URL: simulator.url,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      ...sampler,
    })
    const since = performance.now()
    for (let sent = 0; sent < 300; sent += 50) {
      await Promise.all(Array.from({ length: 50 }, () => send(server.url)))
    }
    const seconds = (performance.now() - since) / 1_000
    server.child.kill('SIGTERM')
    expect(await server.ended).toBe(0)
    const spans = collector.received.flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
    )
    return { seconds, events: spans.filter(({ name }) => name === 'ai_ticket event').length }
  }
  const { seconds, events } = await tracedOf({})
  expect(events).toBeGreaterThanOrEqual(100)
  expect(events).toBeLessThanOrEqual(Math.min(300, 100 + 100 * seconds))
  expect((await tracedOf({ OTEL_TRACES_SAMPLER: 'parentbased_always_on' })).events).toBe(300)
})

test('without metrics there is no such route', async () => {
  await using simulator = await startKoboldSimulator(FAST)
  await using server = await startServer([], {
    KOBOLDCPP_API_URL: simulator.url,
    AI_TICKET_METRICS: 'false',
  })
  expect((await send(server.url)).status).toBe(200)
  expect((await fetch(`${server.url}/metrics`)).status).toBe(404)
})

test('GET /metrics counts the events of the server', async () => {
  await using simulator = await startKoboldSimulator(FAST)
  await using server = await startServer([], { KOBOLDCPP_API_URL: simulator.url })
  await send(server.url)
  const text = await (await fetch(`${server.url}/metrics`)).text()
  expect(text).toContain('ai_ticket_events_total{outcome="completed",code="completed",door="event"} 1')
  expect(text).toMatch(/ai_ticket_build_info\{version="\d+\.\d+\.\d+"/)
})
