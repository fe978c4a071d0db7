export {
  type DesiredNexusEndpoint,
  type NexusEndpointStep,
  type ObservedNexusEndpoint,
  planNexusEndpoint,
} from './plan.ts'
export {
  maxCallersOfAccount,
  type NexusEndpointSpec,
  validateNexusEndpointSpec,
  validateNexusEndpointUpdate,
} from './spec.ts'
