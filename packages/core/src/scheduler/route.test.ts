import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  admits,
  type BackendStatus,
  initialStatus,
  onAnswered,
  onBusy,
  onCallFailed,
  onEventEnded,
  onStuck,
  onTrialStarted,
} from './backend-state.ts'
import { modelOn, type RoutableBackend, type RouteRequest, route } from './route.ts'

const ready = onAnswered(initialStatus(), 0)
const refusing = onCallFailed(ready, 1, 'connect')
const unreached = (status: BackendStatus) => onEventEnded(status, 0, { code: 'api_timeout' })
const open = unreached(unreached(unreached(initialStatus())))

const backend = (name: string, properties: Partial<RoutableBackend> = {}): RoutableBackend => ({
  name,
  aliases: {},
  models: ['koboldcpp/tiny'],
  probed: true,
  status: ready,
  inFlight: 0,
  concurrency: 1,
  recentLatencyMs: undefined,
  ...properties,
})

const namesOf = (backends: readonly RoutableBackend[]) => backends.map(({ name }) => name)

/** Names in order; `?` marks one that takes an event as its trial, `…` one that takes none yet. */
const ordered = (backends: RoutableBackend[], event: RouteRequest['event'] = {}, now = 100): string[] => {
  const routed = route({ backends, event, now })
  if (!routed.ok) return [routed.failure.code]
  if (routed.value.kind === 'needs_probe') return ['probe', ...namesOf(routed.value.backends)]
  const marks = { yes: '', trial: '?', no: '…' }
  return routed.value.candidates.map(({ name, status }) => name + marks[admits(status, now)])
}

test('without names every backend is a candidate, also one that was never probed', () => {
  expect(ordered([backend('a'), backend('b', { probed: false, models: [] })])).toEqual(['a', 'b'])
})

test('the backend of the event narrows the list; an unknown one is not found, with the known ones', () => {
  const backends = [backend('a'), backend('b')]
  expect(ordered(backends, { backend: 'b' })).toEqual(['b'])
  expect(route({ backends, event: { backend: 'x' }, now: 0 })).toEqual({
    ok: false,
    failure: { code: 'not_found', details: 'No backend has the name in `backend`. Known: a, b.' },
  })
  expect(ordered([backend('a')], { backend: 'x' })).toEqual(['not_found'])
})

const two = [
  backend('a', { aliases: { fast: 'tiny' } }),
  backend('b', { models: ['koboldcpp/big'], aliases: { good: 'big-q4' } }),
]

test.each([
  ['tiny', ['a']],
  ['koboldcpp/tiny', ['a']],
  ['fast', ['a']],
  ['big', ['b']],
  ['big-q4', ['b']],
  ['good', ['b']],
  ['default', ['a', 'b']],
  ['gpt-4', ['not_found']],
  ['toString', ['not_found']],
])('where there is a choice, the model %s goes to %j', (model, names) => {
  expect(ordered(two, { model })).toEqual(names)
})

test('an unknown model is told the known ones, of the named backend where one is named', () => {
  const details = (event: RouteRequest['event']) => {
    const routed = route({ backends: two, event, now: 0 })
    return routed.ok ? undefined : routed.failure.details
  }
  expect(details({ model: 'gpt-4' })).toBe(
    'No backend serves the model in `model`. Known: fast, koboldcpp/tiny, good, koboldcpp/big, default.',
  )
  expect(details({ model: 'tiny', backend: 'b' })).toContain('Known: good, koboldcpp/big, default.')
})

test('any model is taken by a single backend, and where all serve one and the same', () => {
  expect(ordered([backend('a', { probed: false, models: [] })], { model: 'gpt-4' })).toEqual(['a'])
  expect(ordered([backend('a'), backend('b', { models: ['tiny'] })], { model: 'gpt-4' })).toEqual(['a', 'b'])
})

test('a backend that was not probed yet is probed before a name is called unknown or taken for any', () => {
  const fresh = backend('b', { probed: false, models: [], status: initialStatus() })
  expect(ordered([backend('a'), fresh], { model: 'gpt-4' })).toEqual(['probe', 'b'])
  expect(ordered([backend('a'), fresh], { model: 'gpt-4', backend: 'a' })).toEqual(['probe', 'b'])
  expect(ordered([backend('a'), fresh], { model: 'tiny' })).toEqual(['a'])
})

test('a box that is off neither makes a name unknown nor keeps others from answering', () => {
  const off = backend('off', { models: [], status: onCallFailed(initialStatus(), 0, 'connect') })
  expect(ordered([...two, off], { model: 'gpt-4' })).toEqual(['off'])
  expect(ordered([backend('a'), off], { model: 'gpt-4' })).toEqual(['a', 'off'])
})

test('ready before unknown, then fewest in flight per slot, then lowest latency, then as configured', () => {
  const backends = [
    backend('unknown', { status: initialStatus() }),
    backend('slow', { recentLatencyMs: 900 }),
    backend('half', { inFlight: 2, concurrency: 4 }),
    backend('third', { inFlight: 1, concurrency: 3 }),
    backend('quick', { recentLatencyMs: 10 }),
    backend('quick too', { recentLatencyMs: 10 }),
    backend('full', { inFlight: 1 }),
    backend('stuck', { inFlight: 1, status: onStuck(ready) }),
  ]
  expect(ordered(backends)).toEqual([
    'quick',
    'quick too',
    'slow',
    'third',
    'half',
    'full',
    'unknown',
    'stuck',
  ])
})

test('an open backend is left out while another one is there', () => {
  expect(ordered([backend('a', { status: open }), backend('b', { inFlight: 1 })], {}, 4999)).toEqual(['b'])
  expect(ordered([backend('a', { status: open }), backend('b', { inFlight: 1 })], {}, 5000)).toEqual([
    'b',
    'a?',
  ])
})

test('if every candidate is open the next event is the trial, one for each backend', () => {
  const onTrial = onTrialStarted(open)
  expect(ordered([backend('a', { status: open }), backend('b', { status: open })])).toEqual(['a…', 'b…'])
  expect(ordered([backend('a', { status: onTrial }), backend('b', { status: open })])).toEqual(['b…'])
  expect(ordered([backend('a', { status: onTrial })])).toEqual([])
})

test('a loading backend is waited for only if no other is ready', () => {
  const loading = backend('loading', { status: refusing })
  expect(ordered([loading, backend('b', { inFlight: 1 })])).toEqual(['b'])
  expect(ordered([loading, backend('b', { status: initialStatus() })])).toEqual(['b', 'loading…'])
  expect(ordered([loading, backend('b', { status: open })])).toEqual(['loading…'])
  expect(ordered([backend('loading', { status: unreached(unreached(unreached(refusing))) })])).toEqual([
    'loading…',
  ])
})

test('one that said "busy" is waited for like a ready one', () => {
  const busy = backend('busy', { status: onBusy(ready, 50) })
  expect(ordered([busy, backend('down', { status: open })])).toEqual(['busy…'])
  expect(ordered([busy, backend('ready')])).toEqual(['ready', 'busy…'])
})

test('one that is down, but not yet given up, comes last', () => {
  const down = backend('down', { status: onCallFailed(initialStatus(), 0, 'connect') })
  expect(ordered([down, backend('unknown', { status: initialStatus() })])).toEqual(['unknown', 'down'])
})

test('the model is called by its name on the server', () => {
  const named = { aliases: { fast: 'tiny-q4' }, models: ['koboldcpp/tiny'] }
  expect(modelOn(named, undefined)).toBeUndefined()
  expect(modelOn(named, 'default')).toBeUndefined()
  expect(modelOn(named, 'fast')).toBe('tiny-q4')
  expect(modelOn(named, 'tiny')).toBe('koboldcpp/tiny')
  expect(modelOn(named, 'gpt-4')).toBe('gpt-4')
})

const someStatus = fc.constantFrom(
  initialStatus(),
  ready,
  refusing,
  open,
  onTrialStarted(open),
  onStuck(ready),
  onBusy(ready, 50),
  onCallFailed(initialStatus(), 0, 'connect'),
)
const someBackends = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    aliases: fc.constantFrom<Record<string, string>>({}, { fast: 'tiny' }),
    models: fc.constantFrom<string[]>([], ['tiny'], ['koboldcpp/big']),
    probed: fc.boolean(),
    status: someStatus,
    inFlight: fc.nat(2),
    concurrency: fc.constant(2),
    recentLatencyMs: fc.option(fc.nat(100), { nil: undefined }),
  }),
  { minLength: 1, selector: ({ name }) => name },
)
const someEvent: fc.Arbitrary<RouteRequest['event']> = fc.record(
  {
    backend: fc.constantFrom('a', 'b'),
    model: fc.constantFrom('tiny', 'big', 'fast', 'default', 'gpt-4'),
  },
  { requiredKeys: [] },
)

test('candidates are among the allowed, each once, and the same question gets the same answer', () => {
  fc.assert(
    fc.property(someBackends, someEvent, fc.nat(10_000), (backends, event, now) => {
      const routed = route({ backends, event, now })
      expect(route({ backends: structuredClone(backends), event, now })).toEqual(routed)
      if (!routed.ok) {
        expect(event.backend ?? event.model).toBeDefined()
        return
      }
      if (routed.value.kind === 'needs_probe') {
        const unprobed = backends.filter(({ probed }) => !probed)
        expect(routed.value.backends).toEqual(unprobed)
        return
      }
      const names = namesOf(routed.value.candidates)
      expect(new Set(names).size).toBe(names.length)
      expect(namesOf(routed.value.allowed)).toEqual(expect.arrayContaining(names))
      expect(routed.value.allowed.length).toBeGreaterThan(0)
      if (event.backend !== undefined) expect(namesOf(routed.value.allowed)).toEqual([event.backend])
    }),
  )
})

test('there is always a candidate, unless every allowed backend has its trial out', () => {
  fc.assert(
    fc.property(someBackends, fc.nat(10_000), (backends, now) => {
      const routed = route({ backends, event: {}, now })
      if (!routed.ok || routed.value.kind !== 'candidates') throw new Error('nothing was named')
      const allOnTrial = backends.every(
        ({ status }) => status.breaker.kind === 'open' && status.breaker.trialRunning,
      )
      expect(routed.value.candidates.length > 0).toBe(!allOnTrial)
    }),
  )
})
