export * from './grants.ts'
export * from './reconcile.ts'
export * from './store.ts'
