import { systemActor } from '#libs/authz'
import { type Clock, coerceError } from '#libs/base'
import type { Database } from '#libs/store'
import { claimInvitationMail, type InvitationMail, recordInvitationMailed } from '#libs/store/users'
import type { Logger } from '#libs/telemetry'
import { newUserInvitationToken } from '../signup/invitation-token.ts'
import { MailError, type Mailer } from './mailer.ts'
import { userInvitationMail } from './user-invitation-mail.ts'

export interface UserInvitationMailsDeps {
  /** Connected as `aqueduct_signup`, which sees the invitations of every tenant. */
  readonly database: Database
  readonly mailer: Mailer
  readonly logger: Logger
  readonly clock: Clock
  /** Where people reach the public listener, without a slash at the end. */
  readonly publicUrl: string
}

/** Milliseconds between two looks for mails that nobody told of: a process died, a mail server was away. */
const lookEveryMs = 30_000
const system = systemActor('invitation-mails')

/**
 * Sends the mails of invited users, from the rows. An invitation commits with its user, and its mail goes out afterwards,
 * by whichever API process is there, again and again with growing pauses until a mail server has it or the invitation has
 * expired: so neither a refused request sends a mail, nor a crash loses one. Each attempt has a token of its own, which
 * stands in no row; should a mail go out twice, the later one works.
 */
export class UserInvitationMails {
  readonly #deps: UserInvitationMailsDeps
  readonly #proof = system.authorize('invitation', 'send', { fleet: true })
  readonly #timer: NodeJS.Timeout
  #round: Promise<void> | undefined
  #wokenAgain = false
  #stopped = false

  constructor(deps: UserInvitationMailsDeps) {
    this.#deps = deps
    this.#timer = setInterval(() => this.wake(), lookEveryMs)
    this.#timer.unref()
    this.wake()
  }

  /** Sends what is due, now. */
  wake(): void {
    if (this.#stopped) return
    if (this.#round !== undefined) {
      this.#wokenAgain = true
      return
    }
    this.#round = this.#sendDue().finally(() => {
      this.#round = undefined
      if (!this.#wokenAgain) return
      this.#wokenAgain = false
      this.wake()
    })
  }

  /** Ends after the mail that is under way. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await this.#round
  }

  async #sendDue(): Promise<void> {
    const { database, clock, logger } = this.#deps
    try {
      while (!this.#stopped) {
        const token = newUserInvitationToken()
        const mail = await claimInvitationMail(database.all, this.#proof, token, clock.now())
        if (mail === undefined) return
        if (await this.#send(mail, token)) {
          await recordInvitationMailed(database.all, this.#proof, mail, clock.now())
        }
      }
    } catch (thrown) {
      logger.warn({ err: thrown }, 'looking for mails to send failed: trying again soon')
    }
  }

  async #send({ invitationId, tenantId, tenantName, email, expiresAt, attempts }: InvitationMail, token: string) {
    const { mailer, publicUrl, logger } = this.#deps
    const account = { id: tenantId, name: tenantName }
    const log = { invitationId, tenantId, attempts }
    try {
      const delivery = await mailer.send(userInvitationMail({ to: email, publicUrl, account, token, expiresAt }))
      logger.info({ ...log, mail: delivery }, 'user invited')
      return true
    } catch (thrown) {
      // Of an error that is not known to be clean only the name is written down: the message holds a token.
      const reason = thrown instanceof MailError ? thrown.message : coerceError(thrown).name
      logger.error({ ...log, reason }, 'mail failed')
      return false
    }
  }
}
