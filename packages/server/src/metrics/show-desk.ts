import type { BackendReport, DeskReport } from '@ai-ticket/core'
import { Gauge, type Registry } from '@prometheus-io/client'

const STATES: readonly BackendReport['state'][] = ['unknown', 'ready', 'busy', 'loading', 'down', 'stuck']
const BREAKERS: readonly BackendReport['breaker'][] = ['closed', 'open', 'trial']

/** Gauges of the desk, set when somebody asks: between scrapes they cost nothing. */
export function showDesk(registry: Registry): (report: DeskReport) => void {
  const { lineLength, lineCapacity, oldest, slots, inFlight, repeatsLeft, speed, state, breaker } = gaugesOf([
    registry,
  ])
  return ({ backends, line }) => {
    lineLength.set(line.waiting)
    lineCapacity.set(line.capacity)
    oldest.set((line.oldest_ms ?? 0) / 1_000)
    for (const one of backends) {
      const backend = one.name
      slots.set({ backend }, one.concurrency)
      inFlight.set({ backend }, one.in_flight)
      repeatsLeft.set({ backend }, one.repeats_left)
      const { prompt_tokens_per_second: reading, completion_tokens_per_second: writing } = one
      if (reading !== undefined) speed.set({ backend, phase: 'prompt' }, reading)
      if (writing !== undefined) speed.set({ backend, phase: 'completion' }, writing)
      for (const name of STATES) state.set({ backend, state: name }, Number(name === one.state))
      for (const name of BREAKERS) breaker.set({ backend, state: name }, Number(name === one.breaker))
    }
  }
}

function gaugesOf(registers: Registry[]) {
  const ofBackend = (name: string, help: string) =>
    new Gauge({ name, help, labelNames: ['backend'], registers })
  return {
    lineLength: new Gauge({
      name: 'ai_ticket_line_length',
      help: 'Events that wait for a slot',
      registers,
    }),
    lineCapacity: new Gauge({
      name: 'ai_ticket_line_capacity',
      help: 'Places in the waiting line',
      registers,
    }),
    oldest: new Gauge({
      name: 'ai_ticket_line_oldest_seconds',
      help: 'How long the oldest event in the line has waited; 0 without one',
      registers,
    }),
    slots: ofBackend('ai_ticket_backend_slots', 'Calls that the backend takes at once'),
    inFlight: ofBackend('ai_ticket_backend_in_flight', 'Slots of the backend that are taken'),
    repeatsLeft: ofBackend(
      'ai_ticket_backend_repeats_left',
      'What the retry budget of the backend still allows',
    ),
    speed: new Gauge({
      name: 'ai_ticket_backend_tokens_per_second',
      help: 'Speeds learned, of reading prompts (prompt) and of writing (completion)',
      labelNames: ['backend', 'phase'],
      registers,
    }),
    state: new Gauge({
      name: 'ai_ticket_backend_state',
      help: '1 for the state that the backend is in, 0 for the others',
      labelNames: ['backend', 'state'],
      registers,
    }),
    breaker: new Gauge({
      name: 'ai_ticket_breaker_state',
      help: '1 for the state that the breaker of the backend is in, 0 for the others',
      labelNames: ['backend', 'state'],
      registers,
    }),
  }
}
