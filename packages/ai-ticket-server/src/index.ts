export type { ConfigFile } from './config/config-schema.ts'
