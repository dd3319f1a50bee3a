#!/usr/bin/env node
import { configureServe } from './commands/serve.ts'
import { addExitCodes, createProgram, runProgram } from './program/command-line.ts'
import { runAsMain } from './program/process.ts'

runAsMain((words) => {
  const program = createProgram('ai-ticket-server', words).description('The front desk of a local LLM server')
  configureServe(program, 'ai-ticket-server')
  return runProgram(addExitCodes(program), words)
})
