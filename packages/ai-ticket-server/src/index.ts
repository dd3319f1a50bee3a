export type { ConfigFile } from './config-schema.ts'
