import { expect, test } from 'vitest'
import type { Turn } from '../../contract/prompt.ts'
import { joinTurns } from './request-body.ts'

const user = (content: Turn['content']): Turn => ({ role: 'user', content })
const assistant = (content: string): Turn => ({ role: 'assistant', content })
const system = (content: string): Turn => ({ role: 'system', content })
const IMAGE = { type: 'image_url' as const, image_url: { url: 'data:image/png;base64,AA==' } }

test.each<[string, Turn[], Turn[]]>([
  ['a list of strings', [user('One.'), user('Two.')], [user('One.\n\nTwo.')]],
  ['a system turn', [system('Be brief.'), user('Hi')], [user('Be brief.\n\nHi')]],
  [
    'a system turn in the middle',
    [user('Hi'), assistant('Hello.'), system('Now in French.'), user('Bye')],
    [user('Now in French.\n\nHi'), assistant('Hello.'), user('Bye')],
  ],
  ['system turns alone', [system('Be brief.'), system('Say hi.')], [user('Be brief.\n\nSay hi.')]],
  [
    'a greeting before the first question',
    [system('Be brief.'), assistant('What can I do?'), user('Hi')],
    [assistant('What can I do?'), user('Be brief.\n\nHi')],
  ],
  [
    'an image beside text',
    [user('What is this?'), user([IMAGE])],
    [user([{ type: 'text', text: 'What is this?' }, IMAGE])],
  ],
])('%s is joined', (_what, turns, joined) => {
  expect(joinTurns(turns)).toEqual(joined)
})

test.each<[string, Turn[]]>([
  ['turns that alternate', [user('Hi'), assistant('Hello.'), user('Bye')]],
  [
    'calls of tools and their results',
    [
      user('Weather?'),
      { role: 'assistant', content: null, tool_calls: [{ id: 'a' }] },
      { role: 'tool', content: '12 degrees', tool_call_id: 'a' },
      { role: 'tool', content: 'rain', tool_call_id: 'b' },
    ],
  ],
])('%s stay as they are', (_what, turns) => {
  expect(joinTurns(turns)).toBe(turns)
})
