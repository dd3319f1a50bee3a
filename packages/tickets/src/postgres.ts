export { createPostgresStore, type PostgresStoreOptions } from './stores/postgres/create-postgres-store.ts'
