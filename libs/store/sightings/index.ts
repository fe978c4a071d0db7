export * from './store.ts'
export type { OrphanKind } from './table.ts'
