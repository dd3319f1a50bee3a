import { expect, it } from 'vitest'
import { addedTo, deliveryRoom, type HostLoad, removedFrom } from './create-callback-sender.ts'

const LIMITS = { concurrency: 5, concurrencyPerHost: 2 }
const loadOf = (...hosts: readonly string[]) => hosts.reduce<HostLoad>(addedTo, new Map())

it.each([
  [[], { limit: 2, busyHosts: [] }],
  [['a'], { limit: 1, busyHosts: [] }],
  [['a', 'a'], { limit: 2, busyHosts: ['a'] }],
  [['a', 'a', 'b', 'b'], { limit: 1, busyHosts: ['a', 'b'] }],
  [['a', 'a', 'b', 'b', 'c'], { limit: 0, busyHosts: ['a', 'b'] }],
])('leaves room beside %j', (hosts, room) => {
  expect(deliveryRoom(loadOf(...hosts), LIMITS)).toEqual(room)
})

it('forgets a host that nothing is sent to', () => {
  expect(removedFrom(loadOf('a', 'b', 'b'), 'b')).toEqual(loadOf('a', 'b'))
  expect(removedFrom(loadOf('a', 'b'), 'b')).toEqual(loadOf('a'))
})
