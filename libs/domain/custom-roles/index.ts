export {
  type CustomResourceType,
  customResourceTypeNamed,
  customResourceTypeNames,
  customResourceTypes,
} from './resource-type.ts'
export {
  actionMatches,
  type CustomActionCatalogue,
  type CustomPermission,
  type CustomRoleSpec,
  validateCustomRole,
  validateCustomRoleUpdate,
} from './spec.ts'
