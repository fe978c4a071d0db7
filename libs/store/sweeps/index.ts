export * from './fleet.ts'
export * from './store.ts'
