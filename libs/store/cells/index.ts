export * from './change.ts'
export * from './new-cell.ts'
export * from './store.ts'
