/** Of one region on EC2: what `infra/` prints as its outputs, and what AQUEDUCT_REGIONS holds as `options`. */
export interface Ec2Options {
  readonly awsRegion: string
  /** Names this Aqueduct in the account: everything that it makes carries it as a tag, and nothing else is ever touched. */
  readonly installation: string
  /** One a zone, without a way in from the internet. */
  readonly subnets: readonly Ec2Subnet[]
  /** For nodes with an edge: one a zone, with a route to the internet. */
  readonly edgeSubnets: readonly Ec2Subnet[]
  /** `node`: on every node. `edge`: besides those, on nodes with an edge. */
  readonly securityGroups: { readonly node: readonly string[]; readonly edge: readonly string[] }
  /** ARN of what nodes may do in AWS. */
  readonly instanceProfile: string
  /** ARN of the key that volumes are encrypted with; absent: the account's own for volumes. */
  readonly kmsKeyId?: string
  readonly volumeGiB: number
  /** The image's name of its root volume. */
  readonly rootDevice: string
  /** Base URLs of join listeners, as machines reach them. */
  readonly joinUrls: readonly string[]
  /** Base URL of the discovery server, as machines reach it. */
  readonly discoveryUrl: string
  /** Another server that speaks AWS' protocols, for tests. */
  readonly endpoint?: string
}

export interface Ec2Subnet {
  readonly id: string
  /** `us-east-1a` */
  readonly zone: string
}

const known = [
  'awsRegion',
  'installation',
  'subnets',
  'edgeSubnets',
  'securityGroups',
  'instanceProfile',
  'kmsKeyId',
  'volumeGiB',
  'rootDevice',
  'joinUrls',
  'discoveryUrl',
  'endpoint',
  // Read by those who reckon what nodes cost.
  'prices',
]

const patterns = {
  awsRegion: { form: /^[a-z]{2}(-[a-z]+)+-\d$/, example: 'us-east-1' },
  installation: { form: /^[a-z][a-z0-9-]{0,30}[a-z0-9]$/, example: 'prod' },
  instanceProfile: {
    form: /^arn:aws[a-z-]*:iam::\d{12}:instance-profile\/[\w+=,.@/-]+$/,
    example: 'arn:aws:iam::123456789012:instance-profile/aqueduct-node',
  },
  kmsKeyId: {
    form: /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/,
    example: 'arn:aws:kms:us-east-1:123456789012:key/0123-…',
  },
  rootDevice: { form: /^\/dev\/[a-z0-9]+$/, example: '/dev/xvda' },
  subnet: { form: /^subnet-[0-9a-f]+$/, example: 'subnet-0123456789abcdef0' },
  zone: { form: /^[a-z]{2}(-[a-z]+)+-\d[a-z]$/, example: 'us-east-1a' },
  securityGroup: { form: /^sg-[0-9a-f]+$/, example: 'sg-0123456789abcdef0' },
} as const

/** @throws Error that names the region, the field, and what to write there. */
export function readEc2Options(regionId: string, options: Readonly<Record<string, unknown>>): Ec2Options {
  const fail = (field: string, what: string): never => {
    throw new Error(`AQUEDUCT_REGIONS: region ${regionId}: options.${field} ${what}`)
  }
  const strange = Object.keys(options).find((key) => !known.includes(key))
  if (strange !== undefined) fail(strange, `is not known: write only ${known.join(', ')}`)

  const text = (field: string, value: unknown, { form, example }: { form: RegExp; example: string }): string =>
    typeof value === 'string' && form.test(value) ? value : fail(field, `must be text like ${example}`)
  const list = <Item>(field: string, value: unknown, example: string, read: (at: string, item: unknown) => Item) => {
    if (!Array.isArray(value) || value.length === 0) return fail(field, `must be a list with at least one ${example}`)
    return value.map((item, index) => read(`${field}[${index}]`, item))
  }
  const record = (field: string, value: unknown, keys: readonly string[]): Record<string, unknown> => {
    const written = keys.map((key) => JSON.stringify(key)).join(' and ')
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return fail(field, `must be an object with ${written}`)
    }
    if (Object.keys(value).some((key) => !keys.includes(key))) return fail(field, `must have ${written}, and no more`)
    return { ...value }
  }
  const url = (field: string, value: unknown, protocols: readonly string[], example: string): string => {
    const isUrl = typeof value === 'string' && URL.canParse(value) && protocols.includes(new URL(value).protocol)
    return isUrl ? value.replace(/\/+$/, '') : fail(field, `must be a URL like ${example}`)
  }
  const subnets = (field: 'subnets' | 'edgeSubnets'): readonly Ec2Subnet[] => {
    const read = list(field, options[field], '{"id", "zone"}', (at, item) => {
      const { id, zone } = record(at, item, ['id', 'zone'])
      return { id: text(`${at}.id`, id, patterns.subnet), zone: text(`${at}.zone`, zone, patterns.zone) }
    })
    // Launches go by zone: of two subnets in one, nobody could say which.
    const twice = read.find(({ zone }, index) => read.findIndex((other) => other.zone === zone) !== index)
    return twice === undefined ? read : fail(field, `names the zone ${twice.zone} twice: write one subnet a zone`)
  }
  const groups = record('securityGroups', options.securityGroups, ['node', 'edge'])
  const groupsOf = (name: 'node' | 'edge') =>
    list(`securityGroups.${name}`, groups[name], 'id', (at, id) => text(at, id, patterns.securityGroup))
  const { volumeGiB = 50 } = options
  const isSize = typeof volumeGiB === 'number' && Number.isInteger(volumeGiB) && volumeGiB >= 8 && volumeGiB <= 16_384
  const exampleOf = (port: number) => `https://control.internal:${port}`

  return Object.freeze({
    awsRegion: text('awsRegion', options.awsRegion, patterns.awsRegion),
    installation: text('installation', options.installation, patterns.installation),
    subnets: subnets('subnets'),
    edgeSubnets: subnets('edgeSubnets'),
    securityGroups: { node: groupsOf('node'), edge: groupsOf('edge') },
    instanceProfile: text('instanceProfile', options.instanceProfile, patterns.instanceProfile),
    ...(options.kmsKeyId === undefined ? {} : { kmsKeyId: text('kmsKeyId', options.kmsKeyId, patterns.kmsKeyId) }),
    volumeGiB: isSize ? volumeGiB : fail('volumeGiB', 'must be a whole number from 8 to 16384'),
    rootDevice: text('rootDevice', options.rootDevice ?? '/dev/xvda', patterns.rootDevice),
    joinUrls: list('joinUrls', options.joinUrls, 'URL', (at, value) => url(at, value, ['https:'], exampleOf(7097))),
    discoveryUrl: url('discoveryUrl', options.discoveryUrl, ['https:'], exampleOf(7095)),
    ...(options.endpoint === undefined
      ? {}
      : { endpoint: url('endpoint', options.endpoint, ['http:', 'https:'], 'http://127.0.0.1:5000') }),
  })
}
