import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { createGroupCommit } from './group-commit.ts'

function open() {
  const database = new DatabaseSync(':memory:')
  database.exec('CREATE TABLE numbers (number INTEGER PRIMARY KEY)')
  const steps: string[] = []
  const commits = createGroupCommit({
    database,
    explain: (error) => error,
    onStep: (step) => steps.push(step),
  })
  const add = (number: number) =>
    commits.write(() => database.prepare('INSERT INTO numbers VALUES (?)').run(number).changes)
  const count = () => database.prepare('SELECT count(*) AS number FROM numbers').get()?.number
  return { commits, add, count, steps }
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

it('does what was asked before it was closed', async () => {
  const { commits, add, count } = open()
  const adding = add(1)
  commits.close()
  await adding
  expect(count()).toBe(1)
  await expect(add(2)).rejects.toMatchObject({ problem: 'closed' })
})
