import { setTimeout as sleep } from 'node:timers/promises'
import {
  ChangeResourceRecordSetsCommand,
  ListResourceRecordSetsCommand,
  Route53Client,
  type RRType,
} from '@aws-sdk/client-route-53'
import type { Route53Call } from './route53-calls.ts'
import { route53Error } from './route53-errors.ts'

/** A record set as Route 53 has it, as far as it is of interest here. Names are lower case, without the dot at the end. */
export interface RecordSet {
  readonly name: string
  readonly type: string
  /** Seconds; 0 where the set is an alias. */
  readonly ttl: number
  /** Of TXT with their quotation marks. */
  readonly values: readonly string[]
}

export interface RecordChange {
  readonly action: 'CREATE' | 'DELETE'
  readonly set: RecordSet
}

type Input = { readonly [Call in Route53Call]: unknown } & {
  /** From a name on, in Route 53's order, in which what lies below a name follows it; from the beginning without one. */
  readonly ListResourceRecordSets: { readonly from?: RecordSetKey; readonly limit: number }
  /** All of it or nothing. */
  readonly ChangeResourceRecordSets: readonly RecordChange[]
}
type Output = { readonly [Call in Route53Call]: unknown } & {
  readonly ListResourceRecordSets: { readonly sets: readonly RecordSet[]; readonly next?: RecordSetKey }
  readonly ChangeResourceRecordSets: undefined
}

export interface RecordSetKey {
  readonly name: string
  readonly type?: string
  readonly identifier?: string
}

/** The calls that we make of Route 53, and no other. @throws DnsError */
export type Route53Api = { readonly [Call in Route53Call]: (input: Input[Call]) => Promise<Output[Call]> }

export interface Route53Options {
  readonly hostedZoneId: string
  /** For tests: another server than AWS's own. */
  readonly endpoint?: string
  /** Milliseconds between the beginnings of two calls. */
  readonly paceMs?: number
  /** Milliseconds, 15,000 unless said. A call whose answer has not come by then is taken for lost. */
  readonly timeoutMs?: number
}

/**
 * Route 53 takes five calls a second of an account, whoever makes them
 * (https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html): this process takes half of them, so
 * that a second provisioner, or a person at the console, still gets through.
 */
const defaultPaceMs = 400

/** The zone over AWS's SDK. Credentials are found as the SDK finds them. */
export function route53Api(options: Route53Options): Route53Api {
  const { hostedZoneId, endpoint, paceMs = defaultPaceMs, timeoutMs = 15_000 } = options
  const client = new Route53Client({
    // Route 53 has one endpoint for the world, which signs as this region.
    region: 'us-east-1',
    retryMode: 'adaptive',
    maxAttempts: 5,
    // Changes of a zone go one after the other: a call that hangs would stop all names.
    requestHandler: { requestTimeout: timeoutMs, connectionTimeout: 5_000, throwOnRequestTimeout: true },
    ...(endpoint === undefined ? {} : { endpoint }),
  })
  const paced = pace(paceMs)
  const send = async <Result>(doing: string, call: () => Promise<Result>): Promise<Result> => {
    await paced()
    try {
      return await call()
    } catch (thrown) {
      throw route53Error(doing, thrown)
    }
  }
  return {
    ListResourceRecordSets: async ({ from, limit }) => {
      const page = await send('listing DNS records', () =>
        client.send(
          new ListResourceRecordSetsCommand({
            HostedZoneId: hostedZoneId,
            MaxItems: limit,
            ...(from === undefined ? {} : { StartRecordName: from.name }),
            ...(from?.type === undefined ? {} : { StartRecordType: from.type as RRType }),
            ...(from?.identifier === undefined ? {} : { StartRecordIdentifier: from.identifier }),
          }),
        ),
      )
      const sets = (page.ResourceRecordSets ?? []).map((set) => ({
        name: plainName(set.Name ?? ''),
        type: set.Type ?? '',
        ttl: set.TTL ?? 0,
        values: (set.ResourceRecords ?? []).map((record) => record.Value ?? ''),
      }))
      if (page.IsTruncated !== true || page.NextRecordName === undefined) return { sets }
      const next = {
        name: page.NextRecordName,
        ...(page.NextRecordType === undefined ? {} : { type: page.NextRecordType }),
        ...(page.NextRecordIdentifier === undefined ? {} : { identifier: page.NextRecordIdentifier }),
      }
      return { sets, next }
    },
    ChangeResourceRecordSets: async (changes) => {
      await send('changing DNS records', () =>
        client.send(
          new ChangeResourceRecordSetsCommand({
            HostedZoneId: hostedZoneId,
            ChangeBatch: {
              Changes: changes.map(({ action, set }) => ({
                Action: action,
                ResourceRecordSet: {
                  Name: `${set.name}.`,
                  Type: set.type as RRType,
                  TTL: set.ttl,
                  ResourceRecords: set.values.map((Value) => ({ Value })),
                },
              })),
            },
          }),
        ),
      )
      return undefined
    },
  }
}

/** Lets one through every so often, in the order in which they came. */
function pace(everyMs: number): () => Promise<void> {
  let next = 0
  return async () => {
    const now = performance.now()
    const at = Math.max(now, next)
    next = at + everyMs
    if (at > now) await sleep(at - now)
  }
}

/** Route 53 writes characters besides a–z, 0–9, `-`, `_` and `.` as octal escapes: `\052` is `*`. */
function plainName(name: string): string {
  const unescaped = name.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
  return unescaped.replace(/\.$/, '').toLowerCase()
}
