export * from './callers.ts'
export * from './reconcile.ts'
export * from './store.ts'
