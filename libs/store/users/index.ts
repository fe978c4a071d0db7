export * from './invitations.ts'
export * from './provisioned.ts'
export * from './store.ts'
