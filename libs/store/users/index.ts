export * from './invitations.ts'
export * from './store.ts'
