/**
 * Where namespaces can live. The id is what clients send (`aws-us-east-1`); the driver says what runs there, so that a
 * laptop can offer `aws-us-east-1` on local processes.
 */
export interface Region {
  readonly id: string
  readonly driver: 'local' | 'ec2' | 'fake'
  /** Shown by GetRegions. */
  readonly location: string
  /** Of new cells. */
  readonly cellSize: 'dev' | 'small' | 'standard'
  /** Machines that the region may have at once, whatever is asked for: the last wall before a bill. */
  readonly nodeLimit: number
  /** What new cells' nodes are made from, where the driver has images and types. */
  readonly nodeTemplate: {
    readonly image?: string
    /** In order of preference, by node role; `default` is for roles that are not named. */
    readonly instanceTypes?: Readonly<Record<string, readonly string[]>>
  }
  /** Where the names of namespaces are kept. */
  readonly dns:
    | { readonly provider: 'none' }
    | {
        readonly provider: 'route53'
        /** Of the zone that holds the names: the product's domain, or one above it. */
        readonly hostedZoneId: string
        /** Instead of AWS's own: for tests. */
        readonly endpoint?: string
      }
  /** The driver's own settings, checked by the driver. */
  readonly options: Readonly<Record<string, unknown>>
}

const regionId = /^(aws|gcp|azure)-[a-z0-9]+(-[a-z0-9]+)*$/
const drivers = ['local', 'ec2', 'fake'] as const
const cellSizes = ['dev', 'small', 'standard'] as const
const nodeRoles = ['default', 'all', 'edge', 'frontend', 'history', 'matching', 'worker']
const defaultNodeLimit = 100

/**
 * Parses the regions setting: a JSON array of
 * `{"id", "driver", "location"?, "cellSize"?, "nodeLimit"?, "nodeTemplate"?, "dns"?, "options"?}`.
 */
export function regions(value: string): readonly Region[] {
  const parsed: unknown = JSON.parse(value)
  if (!Array.isArray(parsed) || parsed.length === 0) throw new Error('must be a JSON array with at least one region')
  const read = parsed.map(readRegion)
  const twice = read.find((region, index) => read.findIndex((other) => other.id === region.id) !== index)
  if (twice !== undefined) throw new Error(`names the region ${twice.id} twice`)
  return Object.freeze(read)
}

function readRegion(value: unknown): Region {
  if (typeof value !== 'object' || value === null) throw new Error('must hold objects')
  const { id, driver, location, cellSize, nodeLimit, nodeTemplate, dns, options } = value as Record<string, unknown>
  if (typeof id !== 'string' || !regionId.test(id)) {
    throw new Error(`has a region id ${JSON.stringify(id)}: write <provider>-<region>, as in aws-us-east-1`)
  }
  const known = drivers.find((candidate) => candidate === driver)
  if (known === undefined) throw new Error(`region ${id}: driver must be one of ${drivers.join(', ')}`)
  const where = `region ${id}`
  return Object.freeze({
    id,
    driver: known,
    location: typeof location === 'string' ? location : id,
    cellSize: readCellSize(where, cellSize),
    nodeLimit: readNodeLimit(where, nodeLimit),
    nodeTemplate: readNodeTemplate(where, nodeTemplate),
    dns: readDns(where, dns),
    options: typeof options === 'object' && options !== null ? (options as Record<string, unknown>) : {},
  })
}

function readCellSize(where: string, value: unknown): Region['cellSize'] {
  if (value === undefined) return 'dev'
  const known = cellSizes.find((candidate) => candidate === value)
  if (known === undefined) throw new Error(`${where}: cellSize must be one of ${cellSizes.join(', ')}`)
  return known
}

function readNodeLimit(where: string, value: unknown): number {
  if (value === undefined) return defaultNodeLimit
  if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value
  throw new Error(`${where}: nodeLimit must be a whole number above 0`)
}

function readNodeTemplate(where: string, value: unknown): Region['nodeTemplate'] {
  if (value === undefined) return {}
  if (!isRecord(value)) throw new Error(`${where}: nodeTemplate must be {"image"?, "instanceTypes"?}`)
  const { image, instanceTypes, ...others } = value
  const [strange] = Object.keys(others)
  if (strange !== undefined) throw new Error(`${where}: nodeTemplate has no ${strange}: only image and instanceTypes`)
  if (image !== undefined && (typeof image !== 'string' || image === '')) {
    throw new Error(
      `${where}: nodeTemplate.image must be text, as in ami-0123456789abcdef0 or ssm:/aqueduct/node-image`,
    )
  }
  return {
    ...(image === undefined ? {} : { image }),
    ...(instanceTypes === undefined ? {} : { instanceTypes: readInstanceTypes(where, instanceTypes) }),
  }
}

function readInstanceTypes(where: string, value: unknown): Readonly<Record<string, readonly string[]>> {
  const byRole = isRecord(value) ? value : {}
  const isListOfText = (list: unknown): list is string[] =>
    Array.isArray(list) && list.length > 0 && list.every((type) => typeof type === 'string' && type !== '')
  if (isRecord(value) && Object.entries(byRole).every(([role, list]) => nodeRoles.includes(role) && isListOfText(list)))
    return byRole as Record<string, readonly string[]>
  throw new Error(
    `${where}: nodeTemplate.instanceTypes must be {"<role>": ["<type>", …]} with the roles ${nodeRoles.join(', ')}`,
  )
}

function readDns(where: string, value: unknown): Region['dns'] {
  if (value === undefined) return { provider: 'none' }
  if (isRecord(value) && value.provider === 'none') return { provider: 'none' }
  if (isRecord(value) && value.provider === 'route53') {
    const { provider, hostedZoneId, endpoint, ...others } = value
    const [strange] = Object.keys(others)
    if (strange !== undefined) throw new Error(`${where}: dns has no ${strange}: only provider and hostedZoneId`)
    if (typeof hostedZoneId !== 'string' || !/^[A-Z0-9]{1,32}$/.test(hostedZoneId)) {
      throw new Error(`${where}: dns.hostedZoneId must be a zone's id, as in Z0123456789ABC, without /hostedzone/`)
    }
    if (endpoint !== undefined && !(typeof endpoint === 'string' && URL.canParse(endpoint))) {
      throw new Error(`${where}: dns.endpoint must be a URL`)
    }
    return { provider, hostedZoneId, ...(endpoint === undefined ? {} : { endpoint }) }
  }
  throw new Error(`${where}: dns must be {"provider": "none"} or {"provider": "route53", "hostedZoneId": "Z…"}`)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
