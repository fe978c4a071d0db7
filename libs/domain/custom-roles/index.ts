export { type CustomPermission, type CustomResourceType, type CustomRoleSpec, customResourceTypes } from './spec.ts'
