import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { CLI, runProgram } from './run-program.ts'

const scriptFor = async (shell: string) => (await runProgram(CLI, ['completion', shell])).stdout

const isHere = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0

const bash = await scriptFor('bash')

/** What bash offers after these words, the last of which is being typed. */
function offered(...words: string[]): string[] {
  const typed = ['ai-ticket', ...words].map((word) => `'${word}'`).join(' ')
  const ask = `COMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _ai_ticket; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', `${bash}\n${ask}`], { encoding: 'utf8' })
  expect(stderr).toBe('')
  return stdout.split('\n').filter((word) => word !== '')
}

test('bash completes commands, their commands and flags', () => {
  expect(offered('a')).toEqual(['ask'])
  expect(offered('ask', '--ma')).toEqual(['--max-tokens'])
  expect(offered('ask', 'tickets', '--max-t')).toEqual(['--max-tokens'])
  expect(offered('tickets', 'pr')).toEqual(['prune'])
  expect(offered('tickets', 'prune', '--d')).toEqual(['--dry-run'])
  expect(offered('config', '')).toContain('show')
  expect(offered('ask', 'file.t')).toEqual([])
})

test.skipIf(!isHere('zsh'))('zsh reads its script', async () => {
  const script = `autoload -Uz compinit; compinit -u -D\n${await scriptFor('zsh')}\nprint $_comps[ai-ticket]`
  expect(spawnSync('zsh', ['-f', '-c', script], { encoding: 'utf8' })).toMatchObject({
    stdout: '_ai-ticket\n',
    stderr: '',
  })
})

test.skipIf(!isHere('fish'))('fish completes with its script', async () => {
  const ask = 'complete -C"ai-ticket tickets pr"; complete -C"ai-ticket ask --max-t"'
  const { stdout } = spawnSync('fish', ['--no-config', '-c', `${await scriptFor('fish')}\n${ask}`], {
    encoding: 'utf8',
  })
  expect(stdout).toMatch(/^prune\tRemove finished tickets/m)
  expect(stdout).toMatch(/^--max-tokens\tLongest answer/m)
})
