// What a plugin needs to take events like `POST /event`: for @ai-ticket/tickets.
export { acceptEvents } from './cloudevents/accept-events.ts'
export type { CloudEvent } from './cloudevents/cloud-event.ts'
export { type BatchEntry, type Incoming, MAX_BATCH_EVENTS, singleOf } from './cloudevents/incoming.ts'
export { replyToCaller } from './cloudevents/reply-to-caller.ts'
export { traceHeadersOf } from './cloudevents/trace-headers.ts'
export { wantsEventStream } from './http/wants-event-stream.ts'
