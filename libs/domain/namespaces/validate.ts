import type { Problem } from '#libs/base'
import type { CertificateFilter } from '#libs/domain/edges'
import { capacityProblems } from './capacity.ts'
import { searchAttributeChangeProblems, searchAttributeProblems } from './search-attributes.ts'
import { type CodecServer, type MtlsAuth, type NamespaceSpec, specEquals } from './spec.ts'
import type { NamespaceState } from './state.ts'

export interface NamespaceLimits {
  /** Ids of the regions that are configured. */
  readonly regions: readonly string[]
}

const name = /^[a-z]([a-z0-9-]*[a-z0-9])?$/
const maxFilters = 25
const maxFilterLength = 256
const maxUrlLength = 1024
const filterFields = [
  ['commonName', 'common_name'],
  ['organization', 'organization'],
  ['organizationalUnit', 'organizational_unit'],
  ['subjectAlternativeName', 'subject_alternative_name'],
] as const

/**
 * What is wrong with a spec, field by field with the paths of the wire. That the CA is a good one is for `#libs/pki` to
 * say. Temporal Cloud's rules, but one: Cloud refuses mTLS for a namespace that began with API keys alone; here every
 * way of authentication can be turned on at any time, since nothing in the cell or the edge depends on the first one.
 */
export function validateSpec(spec: NamespaceSpec, limits: NamespaceLimits): Problem[] {
  return [
    ...nameProblems(spec.name),
    ...regionProblems(spec.regions, limits),
    ...retentionProblems(spec.retentionDays),
    ...authProblems(spec),
    ...spec.mtlsAuth.certificateFilters.flatMap(filterProblems),
    ...(spec.codecServer === undefined ? [] : codecProblems(spec.codecServer)),
    ...searchAttributeProblems(spec.searchAttributes ?? {}),
    ...capacityProblems(spec.capacity),
  ]
}

/** Temporal Cloud's rule: a namespace begins on demand, and capacity is provisioned by an update. */
export function validateNew(spec: NamespaceSpec, limits: NamespaceLimits): Problem[] {
  const problems = validateSpec(spec, limits)
  if (spec.capacity?.mode !== 'provisioned') return problems
  const message = 'a new namespace has its capacity on demand: provision it by an update'
  return [...problems, { field: 'spec.capacity_spec.provisioned', message }]
}

/**
 * As for a new one; besides, name and regions never change, search attributes never go or change their type, and something must, unless the last change failed: then the
 * same spec asks for it once more. Clients match the text `nothing to change`.
 */
export function validateUpdate(
  current: { readonly spec: NamespaceSpec; readonly state: NamespaceState },
  next: NamespaceSpec,
  limits: NamespaceLimits,
): Problem[] {
  const { spec } = current
  const fixed: Problem[] = []
  if (next.name !== spec.name) fixed.push({ field: 'spec.name', message: 'cannot be changed' })
  if (JSON.stringify(next.regions) !== JSON.stringify(spec.regions)) {
    fixed.push({ field: 'spec.replicas', message: 'regions cannot be changed by an update' })
  }
  fixed.push(...searchAttributeChangeProblems(spec.searchAttributes ?? {}, next.searchAttributes ?? {}))
  // A region that is no longer offered must not make its namespaces unchangeable.
  const known = { ...limits, regions: [...limits.regions, ...spec.regions] }
  const problems = [...fixed, ...validateSpec(next, known)]
  if (problems.length > 0) return problems
  const mayRepeat = current.state === 'update_failed' || current.state === 'activation_failed'
  return !mayRepeat && specEquals(spec, next) ? [{ field: 'spec', message: 'nothing to change' }] : []
}

function nameProblems(value: string): Problem[] {
  if (value.length >= 2 && value.length <= 39 && name.test(value)) return []
  return [
    {
      field: 'spec.name',
      message:
        'must have 2 to 39 characters: lower-case letters, digits and hyphens, a letter first, a letter or digit last',
    },
  ]
}

function regionProblems(regions: readonly string[], limits: NamespaceLimits): Problem[] {
  const field = 'spec.replicas'
  if (regions.length === 0) return [{ field, message: 'a region must be given' }]
  if (regions.length > 1) {
    return [{ field, message: `replication is not available: give one region, not ${regions.length}` }]
  }
  return regions
    .filter((id) => !limits.regions.includes(id))
    .map((id) => ({
      field,
      message: `there is no region ${JSON.stringify(id)}: the regions are ${limits.regions.join(', ')}`,
    }))
}

function retentionProblems(days: number): Problem[] {
  if (Number.isInteger(days) && days >= 1 && days <= 90) return []
  return [{ field: 'spec.retention_days', message: `must be a whole number from 1 to 90, not ${days}` }]
}

function authProblems({ mtlsAuth, apiKeyAuth }: NamespaceSpec): Problem[] {
  const problems: Problem[] = []
  if (!mtlsAuth.enabled && !apiKeyAuth.enabled) {
    problems.push({
      field: 'spec',
      message: 'namespace not configured with authentication: enable mtls_auth or api_key_auth',
    })
  }
  if (mtlsAuth.enabled && mtlsAuth.acceptedClientCa.trim() === '') {
    problems.push({
      field: 'spec.mtls_auth.accepted_client_ca',
      message: 'must be given while mtls_auth is enabled: nobody could connect',
    })
  }
  return [...problems, ...filterCountProblems(mtlsAuth)]
}

function filterCountProblems({ certificateFilters }: MtlsAuth): Problem[] {
  if (certificateFilters.length <= maxFilters) return []
  return [
    {
      field: 'spec.mtls_auth.certificate_filters',
      message: `at most ${maxFilters} filters, not ${certificateFilters.length}`,
    },
  ]
}

function filterProblems(filter: CertificateFilter, index: number): Problem[] {
  const path = `spec.mtls_auth.certificate_filters[${index}]`
  if (filterFields.every(([key]) => filter[key] === '')) {
    return [{ field: path, message: 'must name at least one of common_name, organization and so on' }]
  }
  return filterFields.flatMap(([key, wire]) => {
    const mistake = patternMistake(filter[key])
    return mistake === undefined ? [] : [{ field: `${path}.${wire}`, message: mistake }]
  })
}

function patternMistake(pattern: string): string | undefined {
  if (pattern.length > maxFilterLength) return `must have at most ${maxFilterLength} characters`
  if (/\p{Cc}/u.test(pattern)) return 'must not contain control characters'
  // A star alone would match everything, the certificates that lack the field among them.
  if (pattern === '*') return 'a filter of * alone filters nothing'
  if (pattern.slice(1, -1).includes('*') || (pattern.startsWith('*') && pattern.endsWith('*') && pattern !== '')) {
    return 'one * may stand at the beginning or at the end'
  }
  return undefined
}

function codecProblems(codec: CodecServer): Problem[] {
  const problems: Problem[] = []
  const endpoint = urlMistake(codec.endpoint)
  if (endpoint !== undefined) problems.push({ field: 'spec.codec_server.endpoint', message: endpoint })
  const custom = codec.customErrorMessage
  if (custom === undefined) return problems
  const path = 'spec.codec_server.custom_error_message.default'
  if (custom.message.length > 512)
    problems.push({ field: `${path}.message`, message: 'must have at most 512 characters' })
  const link = custom.link === '' ? undefined : urlMistake(custom.link)
  if (link !== undefined) problems.push({ field: `${path}.link`, message: link })
  return problems
}

function urlMistake(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null || url.protocol !== 'https:') return 'must be an https URL'
  if (url.username !== '' || url.password !== '') return 'must not contain a user name or password'
  if (text.length > maxUrlLength) return `must have at most ${maxUrlLength} characters`
  return undefined
}
