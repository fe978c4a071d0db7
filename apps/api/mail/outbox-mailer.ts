import { randomBytes } from 'node:crypto'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#libs/base'
import { MailError, type Mailer, type MailMessage } from './mailer.ts'

export interface OutboxMailerOptions {
  /** Made when it is not there; only its owner may look in. */
  readonly folder: string
  readonly from: string
  readonly clock: Clock
}

/**
 * Puts each mail into a folder as `<time>-<random>.eml`, readable by its owner alone: what an installation does that
 * has no mail server. A file is whole as soon as it has its name.
 */
export function outboxMailer({ folder, from, clock }: OutboxMailerOptions): Mailer {
  return {
    send: async (message) => {
      const now = clock.now()
      const name = `${now.toISOString().replaceAll(':', '-')}-${randomBytes(4).toString('hex')}.eml`
      const path = join(folder, name)
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 })
        await writeFile(`${path}.part`, eml(message, from, now), { mode: 0o600, flag: 'wx' })
        await rename(`${path}.part`, path)
      } catch (thrown) {
        const code = (thrown as NodeJS.ErrnoException).code ?? 'unknown'
        throw new MailError(`the outbox ${folder} did not take the mail: ${code}`)
      }
      return 'outbox'
    },
  }
}

/** The body stands as it is, neither wrapped nor encoded, so that a person can copy the link out of the file. */
function eml(message: MailMessage, from: string, now: Date): string {
  const headers = {
    Date: now.toUTCString().replace('GMT', '+0000'),
    From: from,
    To: message.to,
    Subject: message.subject,
    'MIME-Version': '1.0',
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Transfer-Encoding': '8bit',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value.replaceAll(/[\r\n]+/g, ' ')}`)
  return [...lines, '', message.text].join('\n')
}
