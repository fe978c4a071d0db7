export * from './for-edges.ts'
export * from './for-provisioners.ts'
