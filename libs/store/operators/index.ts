export * from './admins.ts'
export * from './certificates.ts'
export * from './first.ts'
export * from './store.ts'
