export * from './assignments.ts'
export * from './store.ts'
