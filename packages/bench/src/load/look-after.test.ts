import { expect, test } from 'vitest'
import { sumOf } from './look-after.ts'

const METRICS = `# HELP in_flight Slots that are taken
# TYPE in_flight gauge
in_flight{backend="one"} 1
in_flight{backend="two"} 2
in_flight_else 40
delay{percentile="50"} 0.1
delay{percentile="99"} 0.25
`

test('the series of a metric are summed, those of others are not', () => {
  expect(sumOf(METRICS, 'in_flight')).toBe(3)
  expect(sumOf(METRICS, 'delay', 'percentile="99"')).toBe(0.25)
  expect(sumOf(METRICS, 'nothing')).toBe(0)
})
