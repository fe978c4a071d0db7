import { Client } from 'pg'
import type { Measurement } from '../measurement.ts'
import { alternate } from '../rounds.ts'
import type { Scene } from '../scene.ts'
import { median, ratioOf } from '../statistics.ts'

const keys = 100_000
const largestPage = 1000

/** The first page of 100,000 API keys against the last one: a list stays flat when no page counts those before it. */
export async function benchLists(scene: Scene): Promise<readonly Measurement[]> {
  const { screen, product, tenant, quick } = scene
  screen.progress(`writing ${keys} API keys`)
  await writeKeys(scene)
  const list = async (query: string): Promise<Page> => {
    const response = await fetch(`${product.addresses.http}/cloud/api-keys?${query}`, {
      headers: { authorization: `Bearer ${tenant.token}` },
    })
    if (!response.ok) throw new Error(`GetApiKeys answered ${response.status}: ${await response.text()}`)
    return (await response.json()) as Page
  }
  screen.progress('walking to the last page')
  const last = await lastToken(list)
  const calls = quick ? 20 : 50
  const page = async (token: string): Promise<number> => {
    const times: number[] = []
    for (let call = 0; call < calls; call += 1) {
      const began = performance.now()
      const { apiKeys = [] } = await list(`page_size=100&page_token=${encodeURIComponent(token)}`)
      times.push(performance.now() - began)
      if (apiKeys.length !== 100) throw new Error(`a page of ${apiKeys.length} instead of 100`)
    }
    return median(times)
  }
  const rounds = await alternate(screen, quick ? 3 : 7, { first: () => page(''), last: () => page(last) })
  return [
    {
      name: `GetApiKeys: the last page of 100 out of ${keys}, against the first`,
      unit: 'ms',
      ours: median(rounds.last),
      floor: median(rounds.first),
      ratio: ratioOf(rounds.last, rounds.first),
      target: { of: 'ratio', is: 'at most', value: 2 },
      note: `Floor: the first page of the same list. p50 of ${calls} calls a round, one after the other, over REST.`,
    },
  ]
}

interface Page {
  readonly apiKeys?: readonly unknown[]
  readonly nextPageToken?: string
}

/** Straight into the table: over the API a user has ten. */
async function writeKeys({ installation, tenant }: Scene): Promise<void> {
  const client = new Client({ connectionString: installation.adminUrl })
  await client.connect()
  try {
    await client.query(
      `insert into api_keys (id, tenant_id, owner_kind, owner_id, display_name, expires_at)
       select 'key-' || md5(i::text), $1, 'user', (select id from users where tenant_id = $1 limit 1), 'bench',
         now() + interval '1 day'
       from generate_series(1, $2) i on conflict do nothing`,
      [tenant.id, keys],
    )
    await client.query('analyze api_keys')
  } finally {
    await client.end()
  }
}

/** The token of the last whole page of a hundred. */
async function lastToken(list: (query: string) => Promise<Page>): Promise<string> {
  let token = ''
  for (let left = keys; left >= 2 * largestPage; left -= largestPage) {
    token = (await list(`page_size=${largestPage}&page_token=${encodeURIComponent(token)}`)).nextPageToken ?? ''
  }
  for (;;) {
    const next = (await list(`page_size=100&page_token=${encodeURIComponent(token)}`)).nextPageToken
    if (next === undefined || next === '') throw new Error('the list ended early')
    const { apiKeys = [] } = await list(`page_size=100&page_token=${encodeURIComponent(next)}`)
    if (apiKeys.length < 100) return token
    token = next
  }
}
