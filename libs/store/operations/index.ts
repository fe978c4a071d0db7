export * from './forget.ts'
export * from './in-flight.ts'
export * from './open.ts'
export * from './store.ts'
