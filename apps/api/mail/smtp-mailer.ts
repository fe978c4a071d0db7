import { createTransport } from 'nodemailer'
import { MailError, type Mailer } from './mailer.ts'

export interface SmtpMailerOptions {
  /** `smtp://user:password@host:587` (STARTTLS when offered) or `smtps://…`. */
  readonly url: string
  /** `Aqueduct <aqueduct@example.com>` */
  readonly from: string
}

/** Milliseconds that each stage may take: an operator waits for the answer. */
const stageMs = 10_000

/** Hands mails to a mail server. It keeps no connection: invitations are rare. */
export function smtpMailer({ url, from }: SmtpMailerOptions): Mailer {
  const transport = createTransport({
    url,
    connectionTimeout: stageMs,
    greetingTimeout: stageMs,
    dnsTimeout: stageMs,
    socketTimeout: stageMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    send: async (message) => {
      try {
        await transport.sendMail({ from, to: message.to, subject: message.subject, text: message.text })
        return 'sent'
      } catch (thrown) {
        throw new MailError(reasonOf(thrown))
      }
    },
  }
}

/** Codes alone: a mail server may quote the message in what it says. */
function reasonOf(thrown: unknown): string {
  const { code, command, responseCode } = thrown as {
    readonly code?: unknown
    readonly command?: unknown
    readonly responseCode?: unknown
  }
  const words = [code, command, responseCode].filter((word) => typeof word === 'string' || typeof word === 'number')
  return `the mail server did not take the mail: ${words.join(' ') || 'no reason given'}`
}
