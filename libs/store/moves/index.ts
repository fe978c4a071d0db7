export * from './begin.ts'
export * from './store.ts'
