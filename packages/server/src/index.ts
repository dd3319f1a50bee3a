export { createServer } from './create-server.ts'
export { HTTP_STATUS } from './http-status.ts'
export type { ServerOptions } from './options.ts'
export { type EventRoutesOptions, eventRoutes } from './routes/event.ts'
