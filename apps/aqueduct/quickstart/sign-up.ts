import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '#libs/processes'
import type { Telling } from './narrator.ts'
import { apiKeyVariable } from './public-api.ts'
import { operatorOf, type World } from './world.ts'

/** Somebody who is nobody yet. */
export interface Person {
  readonly email: string
  readonly company: string
  readonly useCase: string
}

/** Somebody who is in. */
export interface Tenant {
  readonly id: string
  /** The account owner. */
  readonly userId: string
  /** Holds what the tenant was handed; only the owner of the data folder may look in. */
  readonly directory: string
  readonly apiKeyFile: string
}

interface WaitlistEntry {
  readonly id: string
  readonly email: string
}

/** @returns the id of the entry. */
export async function joinWaitlist({ api, running }: World, person: Person, telling: Telling): Promise<string> {
  const url = `${running.addresses.https}/v1/waitlist`
  const body = { json: person }
  const entry = await api.call<{ id: string; position: number }>({ method: 'POST', url, body }, telling)
  telling.result(`${person.email} is number ${entry.position} in the line (${entry.id})`)
  return entry.id
}

/** @returns the file with the invitation's mail. */
export async function approve(world: World, person: Person, entryId: string, telling: Telling): Promise<string> {
  const { api, running, outboxDirectory, shown } = world
  const list = `${running.addresses.operator}/operator/v1/waitlist`
  const identity = operatorOf(world)
  const waiting: WaitlistEntry[] = []
  let next = ''
  do {
    const page = next === '' ? '' : `&pageToken=${encodeURIComponent(next)}`
    const { entries, nextPageToken } = await api.call<{ entries: WaitlistEntry[]; nextPageToken: string }>(
      { url: `${list}?state=waiting${page}`, identity },
      next === '' ? telling : { ...telling, command: () => undefined },
    )
    waiting.push(...entries)
    next = nextPageToken
  } while (next !== '')
  if (!waiting.some(({ id }) => id === entryId)) throw new Error(`${entryId} does not stand on the waitlist`)
  const { mail } = await api.call<{ mail: string }>(
    { method: 'POST', url: `${list}/${entryId}/approve`, identity },
    telling,
  )
  if (mail !== 'outbox') {
    throw new Error(
      mail === 'sent'
        ? 'The invitation went out through the mail server, where this story cannot read it: unset AQUEDUCT_SMTP_URL for it.'
        : 'The invitation could not be delivered.',
    )
  }
  const file = mailTo(outboxDirectory, person.email)
  telling.result(
    `${waiting.length} waiting, ${entryId} approved; no mail server is set, so the mail lies in ${shown(outboxDirectory)}`,
  )
  return file
}

/** Spends the invitation, and keeps the API key, which is shown only here. */
export async function acceptInvitation(world: World, mailFile: string, telling: Telling): Promise<Tenant> {
  const { api, running, shown, directory } = world
  const token = /aqinv_[\w-]+/.exec(readFileSync(mailFile, 'utf8'))?.[0]
  if (token === undefined) throw new Error(`${mailFile} holds no invitation`)
  const accepted = await api.call<{
    readonly tenant: { readonly id: string }
    readonly user: { readonly id: string }
    readonly apiKey: { readonly id: string; readonly token: string; readonly expiresAt: string }
  }>(
    {
      method: 'POST',
      url: `${running.addresses.https}/v1/invitations/accept`,
      body: { secret: { token }, piped: `sed -n "s/^ *-d '\\(.*\\)'/\\1/p" ${shown(mailFile)}` },
    },
    telling,
  )
  const { tenant, user, apiKey } = accepted
  const own = join(directory, tenant.id)
  mkdirSync(own, { recursive: true, mode: 0o700 })
  const apiKeyFile = join(own, 'api-key')
  await writeFileAtomic(apiKeyFile, `${apiKey.token}\n`, { mode: 0o600 })
  telling.result(`tenant ${tenant.id}, its owner ${user.id}, and an API key until ${apiKey.expiresAt.slice(0, 10)}`)
  telling.result(
    'An invitation works once: this one is spent. A key is shown once: this one was put into the file below (0600).',
  )
  telling.command(`export ${apiKeyVariable}="$(cat ${shown(apiKeyFile)})"`)
  return { id: tenant.id, userId: user.id, directory: own, apiKeyFile }
}

function mailTo(outbox: string, email: string): string {
  const files = readdirSync(outbox).filter((name) => name.endsWith('.eml'))
  const newest = files
    .toSorted()
    .findLast((name) => readFileSync(join(outbox, name), 'utf8').includes(`\nTo: ${email}\n`))
  if (newest === undefined) throw new Error(`no mail to ${email} lies in ${outbox}`)
  return join(outbox, newest)
}
