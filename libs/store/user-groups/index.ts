export * from './members.ts'
export * from './store.ts'
