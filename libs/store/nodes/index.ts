export * from './replace.ts'
export * from './retire.ts'
export * from './store.ts'
