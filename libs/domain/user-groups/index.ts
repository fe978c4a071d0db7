export {
  maxGroupReach,
  type UserGroupSource,
  type UserGroupSpec,
  validateUserGroupSpec,
  validateUserGroupUpdate,
} from './spec.ts'
