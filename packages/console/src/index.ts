export { type ConsoleOptions, createConsole } from './plugin/console-routes.ts'
export type { ConsoleTokens } from './plugin/theme.ts'
