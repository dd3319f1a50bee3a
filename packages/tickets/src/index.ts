export type { CallbackContent } from './callbacks/callback-message.ts'
export {
  type CallbackCheck,
  type CallbackPolicy,
  type CallbackPolicyOptions,
  createCallbackPolicy,
} from './callbacks/callback-policy.ts'
export type {
  CallbackObserver,
  CallbackReport,
  CallbackSenderOptions,
} from './callbacks/callback-sender-options.ts'
export { type CallbackSender, createCallbackSender } from './callbacks/create-callback-sender.ts'
export type { TicketDeskOptions } from './desk/desk-options.ts'
export { createTicketDesk, storeProblem, type TicketDesk } from './desk/ticket-desk.ts'
export {
  createHistory,
  type History,
  type HistoryMode,
  type HistoryOptions,
  type HistorySettings,
} from './history.ts'
export { createSqliteStore, type SqliteStoreOptions } from './stores/sqlite/create-sqlite-store.ts'
export type {
  CallbackStore,
  ClaimedDelivery,
  DeliveryClaim,
  DeliveryFence,
} from './ticket/callback-store.ts'
export type {
  Delivery,
  DeliveryAttempt,
  DeliveryError,
  DeliveryStatus,
  Verdict,
} from './ticket/delivery.ts'
export type { HistoryEntry, Idempotency, NewTicket } from './ticket/new-ticket.ts'
export { type StoreProblem, StoreUnavailable } from './ticket/store-unavailable.ts'
export type {
  Fence,
  Progress,
  Release,
  Ticket,
  TicketCall,
  TicketOwner,
  TicketState,
  TicketStatus,
} from './ticket/ticket.ts'
export type { RowFacts, TicketRow, TicketRowPage, TicketSummary } from './ticket/ticket-row.ts'
export type {
  Accepted,
  AdoptRequest,
  ClaimRequest,
  ClaimStanding,
  CountedMinute,
  LeaseRequest,
  MinuteQuery,
  PruneRequest,
  TicketGlance,
  TicketPage,
  TicketQuery,
  TicketStats,
  TicketStore,
} from './ticket/ticket-store.ts'
