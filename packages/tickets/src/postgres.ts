export { createPostgresStore, type PostgresStoreOptions } from './postgres/create-postgres-store.ts'
