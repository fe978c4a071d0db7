import { regions } from '#libs/config'

/** What an operator chooses about one installation in one AWS region. Written as JSON: `infra/installation.example.json`. */
export interface Installation {
  /** Names everything in AWS: lower case letters, digits and hyphens, 20 at most. */
  readonly installation: string
  /** Twelve digits. */
  readonly account: string
  readonly awsRegion: string
  /** Exactly three, so that a cell can lose one. */
  readonly zones: readonly string[]
  /** A /16: subnets are cut out of it. */
  readonly vpcCidr: string
  /** Namespaces are found at `<namespace>.<tenant>.<domain>`. It stands in server certificates: choose it before the first one. */
  readonly domain: string
  /** Of the public zone that holds `domain`. */
  readonly hostedZoneId: string
  /** What callers of the public API call it by; `certificateArn` is for this name. */
  readonly apiName: string
  readonly certificateArn: string
  readonly alarmEmail: string
  /** Sender of invitations. */
  readonly mailFrom: string
  /** Networks (a VPN) that reach the operator API. Empty: nobody does, but through a session on an instance. */
  readonly operatorCidrs: readonly string[]
  /** 1 to 3: one less a zone is cheaper, and a zone that ends then takes the others' way out with it. */
  readonly natGateways: number
  /** Whether databases have a standby in another zone. */
  readonly multiAz: boolean
  readonly controlPlane: DatabaseSize & { readonly instanceType: string }
  readonly cells: DatabaseSize & {
    readonly size: 'dev' | 'small' | 'standard'
    /** Machines that the region may have at once. */
    readonly nodeLimit: number
    /** By node role, in order of preference; `default` is for roles that are not named. */
    readonly instanceTypes: Readonly<Record<string, readonly string[]>>
  }
}

interface DatabaseSize {
  /** Without the leading `db.`: `m7g.large`. */
  readonly databaseClass: string
  readonly databaseGiB: number
}

/** Rules by path; each is a pattern that the whole text has to match. */
const texts = {
  installation: /[a-z][a-z0-9-]{0,18}[a-z0-9]/,
  account: /\d{12}/,
  awsRegion: /[a-z]{2}(-[a-z]+)+-\d/,
  vpcCidr: /\d{1,3}\.\d{1,3}\.0\.0\/16/,
  domain: /([a-z0-9-]+\.)+[a-z]{2,}/,
  hostedZoneId: /Z[A-Z0-9]+/,
  apiName: /([a-z0-9-]+\.)+[a-z]{2,}/,
  certificateArn: /arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/.+/,
  alarmEmail: /\S+@\S+/,
  mailFrom: /.+@.+/,
} as const
const databaseClass = /[a-z][a-z0-9]+\.[a-z0-9]+/
const cidr = /\d{1,3}(\.\d{1,3}){3}\/\d{1,2}/
const everybody = '0.0.0.0/0'

/**
 * Reads an installation's settings, strictly: what is unknown, missing or does not fit is an error.
 * @throws Error that names every mistake.
 */
export function readInstallation(json: string): Installation {
  const mistakes: string[] = []
  const check = (path: string, fits: boolean, wanted: string) => {
    if (!fits) mistakes.push(`${path} must be ${wanted}`)
  }
  const root = fields(JSON.parse(json), 'the whole', mistakes, [
    ...Object.keys(texts),
    ...['zones', 'operatorCidrs', 'natGateways', 'multiAz', 'controlPlane', 'cells'],
  ])
  const plane = fields(root.controlPlane, 'controlPlane', mistakes, ['instanceType', 'databaseClass', 'databaseGiB'])
  const cells = fields(root.cells, 'cells', mistakes, [
    ...['size', 'nodeLimit', 'instanceTypes', 'databaseClass', 'databaseGiB'],
  ])
  for (const [name, pattern] of Object.entries(texts)) {
    check(name, matches(root[name], pattern), `text like ${pattern.source}`)
  }
  const { zones, operatorCidrs, natGateways, awsRegion } = root
  const inRegion = (zone: unknown) => typeof zone === 'string' && zone.startsWith(String(awsRegion))
  check('zones', isList(zones) && new Set(zones).size === 3 && zones.every(inRegion), 'three zones of awsRegion')
  // Operators have certificates, and yet: a listener that nobody needs from everywhere is not opened to everywhere.
  const isNetwork = (range: unknown) => matches(range, cidr) && range !== everybody
  check('operatorCidrs', isList(operatorCidrs) && operatorCidrs.every(isNetwork), `networks, and not ${everybody}`)
  check('natGateways', isWhole(natGateways, 1, 3), 'a whole number from 1 to 3')
  check('multiAz', typeof root.multiAz === 'boolean', 'true or false')
  check('controlPlane.instanceType', matches(plane.instanceType, databaseClass), 'an instance type, as in t3.medium')
  for (const [path, size] of [
    ['controlPlane', plane],
    ['cells', cells],
  ] as const) {
    check(`${path}.databaseClass`, matches(size.databaseClass, databaseClass), 'a class without db., as in m7g.large')
    check(`${path}.databaseGiB`, isWhole(size.databaseGiB, 20, 65_536), 'a whole number from 20 to 65536')
  }
  if (mistakes.length === 0) checkAsProduct(root, cells, mistakes)
  if (mistakes.length > 0) throw new Error(`The installation's settings are not usable:\n  ${mistakes.join('\n  ')}`)
  return root as unknown as Installation
}

/** The product reads these later: what it would refuse is refused here, before anything is deployed. */
function checkAsProduct(
  root: Readonly<Record<string, unknown>>,
  cells: Readonly<Record<string, unknown>>,
  mistakes: string[],
): void {
  const { size, nodeLimit, instanceTypes } = cells
  const nodeTemplate = { instanceTypes }
  const id = `aws-${String(root.awsRegion)}`
  try {
    regions(JSON.stringify([{ id, driver: 'ec2', cellSize: size ?? null, nodeLimit: nodeLimit ?? null, nodeTemplate }]))
  } catch (thrown) {
    mistakes.push(`cells: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
  }
}

function fields(
  value: unknown,
  path: string,
  mistakes: string[],
  known: readonly string[],
): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    mistakes.push(`${path} must be an object`)
    return {}
  }
  const record = value as Record<string, unknown>
  for (const name of Object.keys(record).filter((key) => !known.includes(key))) {
    mistakes.push(`${path} has no ${name}`)
  }
  return record
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

function matches(value: unknown, pattern: RegExp): boolean {
  return typeof value === 'string' && new RegExp(`^(?:${pattern.source})$`).test(value)
}

function isWhole(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
}
