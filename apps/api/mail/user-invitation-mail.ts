import type { MailMessage } from './mailer.ts'

export interface UserInvitation {
  readonly to: string
  /** Where the public API stands, without a slash at the end. */
  readonly publicUrl: string
  readonly account: { readonly id: string; readonly name: string }
  readonly token: string
  readonly expiresAt: Date
}

/**
 * The mail that makes a user of an account somebody with an API key. The token stands in the link's fragment, as in the
 * mail for new accounts. Of what people wrote only the account's name is quoted, which an operator has approved.
 */
export function userInvitationMail({ to, publicUrl, account, token, expiresAt }: UserInvitation): MailMessage {
  const text = `You were invited to the account ${account.id} (${account.name}) on Aqueduct.

Open this link to get your first API key:

${publicUrl}/invitations#token=${token}

Or from a terminal:

curl -X POST ${publicUrl}/v1/invitations/accept \\
  -H 'content-type: application/json' \\
  -d '{"token":"${token}"}'

Either works once, until ${expiresAt.toISOString()}. The API key is shown once: keep it.
If you do not know who invited you, ignore this mail.
`
  return { to, subject: `Your invitation to the account ${account.id} on Aqueduct`, text }
}
