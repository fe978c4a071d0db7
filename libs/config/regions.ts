/**
 * Where namespaces can live. The id is what clients send (`aws-us-east-1`); the driver says what runs there, so that a
 * laptop can offer `aws-us-east-1` on local processes.
 */
export interface Region {
  readonly id: string
  readonly driver: 'local' | 'ec2' | 'fake'
  /** Shown by GetRegions. */
  readonly location: string
  /** The driver's own settings, checked by the driver. */
  readonly options: Readonly<Record<string, unknown>>
}

const regionId = /^(aws|gcp|azure)-[a-z0-9]+(-[a-z0-9]+)*$/
const drivers = ['local', 'ec2', 'fake'] as const

/** Parses the regions setting: a JSON array of `{"id", "driver", "location"?, "options"?}`. */
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
  const { id, driver, location, options } = value as Record<string, unknown>
  if (typeof id !== 'string' || !regionId.test(id)) {
    throw new Error(`has a region id ${JSON.stringify(id)}: write <provider>-<region>, as in aws-us-east-1`)
  }
  const known = drivers.find((candidate) => candidate === driver)
  if (known === undefined) throw new Error(`region ${id}: driver must be one of ${drivers.join(', ')}`)
  return Object.freeze({
    id,
    driver: known,
    location: typeof location === 'string' ? location : id,
    options: typeof options === 'object' && options !== null ? (options as Record<string, unknown>) : {},
  })
}
