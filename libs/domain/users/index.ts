export {
  type AccessSpec,
  type AccountRole,
  accessEquals,
  accountRoles,
  isNamespaceIdOf,
  type NamespacePermission,
  namespacePermissions,
  type PrincipalRole,
  principalRoles,
  validateAccess,
  validateGrant,
} from './access.ts'
export { emailMistake, normalizeEmail } from './email.ts'
export { type UserSpec, type UserState, validateUserSpec, validateUserUpdate } from './spec.ts'
export { lineMistake, paragraphMistake } from './text.ts'
