export {
  type NamespaceScopedAccess,
  type ServiceAccountSpec,
  type ServiceAccountState,
  serviceAccountSpecEquals,
  validateServiceAccountSpec,
  validateServiceAccountUpdate,
} from './spec.ts'
