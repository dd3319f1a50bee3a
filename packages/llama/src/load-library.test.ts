import { expect, test } from 'vitest'
import { loadLibrary } from './load-library.ts'

test('a missing peer says what to install', async () => {
  const missing = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
  await expect(loadLibrary(() => Promise.reject(missing))).rejects.toThrow(/npm install node-llama-cpp/)
})

test('one that cannot be loaded keeps its cause', async () => {
  const broken = new Error('wrong architecture')
  await expect(loadLibrary(() => Promise.reject(broken))).rejects.toMatchObject({ cause: broken })
})
