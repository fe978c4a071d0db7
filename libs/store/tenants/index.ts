export { assertRoom } from './room.ts'
export * from './store.ts'
