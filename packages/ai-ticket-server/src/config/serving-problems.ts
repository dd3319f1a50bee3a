import { type Config, exposureProblems } from './config.ts'
import type { ConfigProblem } from './config-problems.ts'

/** What speaks against serving with this configuration. Commands that do not serve need not ask. */
export const servingProblems = (config: Config): ConfigProblem[] => [
  ...exposureProblems(config),
  ...callbackProblems(config),
]

/** A receiver could not tell an unsigned callback from anybody else's. */
function callbackProblems({ callbackAllow, callbackSecrets }: Config): ConfigProblem[] {
  if (callbackAllow.length === 0 || callbackSecrets.length > 0) return []
  return [
    {
      key: 'callback_secret',
      message:
        'callback_allow is set, but there is no secret to sign callbacks with. Set AI_TICKET_CALLBACK_SECRET, for ' +
        'example to what `echo whsec_$(openssl rand -base64 32)` prints, or unset AI_TICKET_CALLBACK_ALLOW.',
    },
  ]
}
