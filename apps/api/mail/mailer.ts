/** One mail to one person. Holds secrets (one-time links): never log it. */
export interface MailMessage {
  readonly to: string
  readonly subject: string
  /** Plain text, lines separated by `\n`. */
  readonly text: string
}

/** `sent`: a mail server has it; `outbox`: it lies in a folder, for a person to hand on. */
export type Delivery = 'sent' | 'outbox'

export interface Mailer {
  /** @throws MailError, which never holds anything of the message. */
  send(message: MailMessage): Promise<Delivery>
}

/** Why a mail could not be handed over, in words without any of its content. */
export class MailError extends Error {
  override readonly name = 'MailError'
}
