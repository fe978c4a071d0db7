export {
  type NamespaceScopedAccess,
  type ServiceAccountSpec,
  type ServiceAccountState,
  validateServiceAccountSpec,
  validateServiceAccountUpdate,
} from './spec.ts'
