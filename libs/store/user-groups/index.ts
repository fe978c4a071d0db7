export * from './members.ts'
export * from './provisioned.ts'
export * from './store.ts'
