import { Webhook } from 'standardwebhooks'
import { expect, it } from 'vitest'
import { keyOfSecret, signCallback } from './callback-message.ts'

const OLD = `whsec_${Buffer.alloc(24, 'old key').toString('base64')}`
const NEW = `whsec_${Buffer.alloc(64, 'new key').toString('base64')}`
const CONTENT = { id: 'msg_1', at: Date.now(), body: '{"type":"ticket.completed","text":"ü\\u0000"}' }

it('signs as the official library does', () => {
  const [first] = (signCallback([keyOfSecret(OLD)], CONTENT)['webhook-signature'] ?? '').split(' ')
  expect(first).toBe(new Webhook(OLD).sign(CONTENT.id, new Date(CONTENT.at), CONTENT.body))
})

it('is verified with any of the secrets, and with no other', () => {
  const headers = signCallback([OLD, NEW].map(keyOfSecret), CONTENT)
  for (const secret of [OLD, NEW]) {
    expect(new Webhook(secret).verify(CONTENT.body, headers)).toMatchObject({ type: 'ticket.completed' })
  }
  const other = new Webhook(`whsec_${Buffer.alloc(24, 'x').toString('base64')}`)
  expect(() => other.verify(CONTENT.body, headers)).toThrow()
  expect(() => new Webhook(NEW).verify(`${CONTENT.body} `, headers)).toThrow()
})

it.each(['', 'secret', OLD.slice(6), 'whsec_', 'whsec_c2hvcnQ=', 'whsec_!!!!', `${OLD} `, `${OLD}${NEW}`])(
  'refuses %j as a secret, without repeating it',
  (secret) => {
    expect(() => keyOfSecret(secret)).toThrow(/^A callback secret has to be whsec_ and 24 to 64 bytes/)
  },
)
