export * from './cells.ts'
export * from './new-cells.ts'
export * from './store.ts'
