export * from './attachments.ts'
export * from './store.ts'
