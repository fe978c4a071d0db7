import type { Problem } from '#libs/base'

/** The parts of a namespace spec that the contract has and this product does not do yet. */
export interface UnavailableFeatures {
  readonly searchAttributes?: object | null
  readonly customSearchAttributes?: object | null
  readonly highAvailability?: {
    readonly disableManagedFailover?: boolean | null
    readonly disablePassivePollerForwarding?: boolean | null
  } | null
  readonly capacitySpec?: { readonly onDemand?: object | null; readonly provisioned?: object | null } | null
  readonly fairness?: { readonly taskQueueFairnessEnabled?: boolean | null } | null
}

/** One problem for each part that asks for something: whoever asks must not believe that they got it. */
export function refusedFeatures(spec: UnavailableFeatures): Problem[] {
  const { highAvailability: ha, capacitySpec: capacity } = spec
  const asked: readonly (readonly [field: string, isAsked: boolean, what: string])[] = [
    ['search_attributes', hasEntries(spec.searchAttributes), 'custom search attributes are'],
    ['custom_search_attributes', hasEntries(spec.customSearchAttributes), 'custom search attributes are'],
    [
      'high_availability',
      (ha?.disableManagedFailover ?? false) || (ha?.disablePassivePollerForwarding ?? false),
      'high availability is',
    ],
    ['capacity_spec', isSet(capacity?.onDemand) || isSet(capacity?.provisioned), 'capacity modes are'],
    ['fairness', spec.fairness?.taskQueueFairnessEnabled ?? false, 'task queue fairness is'],
  ]
  return asked
    .filter(([, isAsked]) => isAsked)
    .map(([field, , what]) => ({ field: `spec.${field}`, message: `${what} not available: leave it out` }))
}

function hasEntries(map: object | null | undefined): boolean {
  return Object.keys(map ?? {}).length > 0
}

function isSet(value: object | null | undefined): boolean {
  return value !== null && value !== undefined
}
