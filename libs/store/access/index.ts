export * from './assignments.ts'
export * from './group-reach.ts'
export * from './store.ts'
