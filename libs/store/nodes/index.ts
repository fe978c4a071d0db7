export * from './retire.ts'
export * from './store.ts'
