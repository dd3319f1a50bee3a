import { DatabaseSync } from 'node:sqlite'
import { systemClock } from '@ai-ticket/core'
import { createVirtualClock } from '@ai-ticket/testkit'
import { expect, it } from 'vitest'
import { createWriteWatch, StoreUnavailable } from '../../ticket/store-unavailable.ts'
import { createGroupCommit } from './group-commit.ts'

function open({ clock = systemClock, check = () => {} } = {}) {
  const database = new DatabaseSync(':memory:')
  database.exec('CREATE TABLE numbers (number INTEGER PRIMARY KEY)')
  const steps: string[] = []
  const waits: boolean[] = []
  const commits = createGroupCommit({
    database,
    clock,
    check,
    explain: (error) => error,
    watch: createWriteWatch(),
    onStep(step) {
      steps.push(step)
      // 2 is FULL, the default; 1 is NORMAL.
      if (step === 'commit') waits.push(database.prepare('PRAGMA synchronous').get()?.synchronous === 2)
    },
  })
  const insert = (number: number) => () =>
    database.prepare('INSERT INTO numbers VALUES (?)').run(number).changes
  const add = (number: number) => commits.write(insert(number))
  const addLazily = (number: number) => commits.writeLazily(insert(number))
  const count = () => database.prepare('SELECT count(*) AS number FROM numbers').get()?.number
  return { commits, add, addLazily, count, steps, waits }
}

it('commits all that is asked in one turn at once', async () => {
  const { add, count, steps } = open()
  await Promise.all([add(1), add(2), add(3)])
  expect(count()).toBe(3)
  expect(steps).toEqual(['commit', 'committed'])
})

it('lets a faulty member of a group fail alone', async () => {
  const { add, count } = open()
  const results = await Promise.allSettled([add(1), add(1), add(2)])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(count()).toBe(2)
})

it('waits for the disk unless all of a group may be lost', async () => {
  const { add, addLazily, count, waits } = open()
  await Promise.all([addLazily(1), addLazily(2)])
  await Promise.all([addLazily(3), add(4)])
  await addLazily(5)
  await add(6)
  expect(waits).toEqual([false, true, false, true])
  expect(count()).toBe(6)
})

it('waits for another program, each piece of work for as long as the others', async () => {
  const clock = createVirtualClock()
  let isLocked = true
  const { add, count } = open({
    clock,
    check() {
      if (isLocked) throw new StoreUnavailable('locked', 'Another program has the file.')
    },
  })
  const [early, late] = [add(1), add(2)]
  const refused = Promise.allSettled([early, late])
  await clock.advance(1_900)
  const fresh = add(3)
  await clock.advance(200)
  expect(await refused).toMatchObject([{ reason: { problem: 'locked' } }, { reason: { problem: 'locked' } }])
  isLocked = false
  await clock.advance(100)
  await fresh
  expect(count()).toBe(1)
})

it('refuses at once what waits for another program when it is closed', async () => {
  const { commits, add } = open({
    check() {
      throw new StoreUnavailable('locked', 'Another program has the file.')
    },
  })
  const adding = add(1)
  commits.close()
  await expect(adding).rejects.toMatchObject({ problem: 'locked' })
})

it('does what was asked before it was closed', async () => {
  const { commits, add, count } = open()
  const adding = add(1)
  commits.close()
  await adding
  expect(count()).toBe(1)
  await expect(add(2)).rejects.toMatchObject({ problem: 'closed' })
})
