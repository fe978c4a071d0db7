export * from './served.ts'
export * from './store.ts'
