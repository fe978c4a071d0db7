import type { MailMessage } from './mailer.ts'

export interface Invitation {
  readonly to: string
  /** Where the public API stands, without a slash at the end. */
  readonly publicUrl: string
  readonly token: string
  readonly expiresAt: Date
}

/**
 * The mail that makes somebody a tenant. The token stands in the link's fragment, which browsers keep to themselves: it
 * is in no server's log. Nothing that an applicant wrote is quoted, since anybody may apply in anybody's name.
 */
export function invitationMail({ to, publicUrl, token, expiresAt }: Invitation): MailMessage {
  const text = `You asked for access to Aqueduct, and you are in.

Open this link to create your account and its first API key:

${publicUrl}/invitations#token=${token}

Or from a terminal:

curl -X POST ${publicUrl}/v1/invitations/accept \\
  -H 'content-type: application/json' \\
  -d '{"token":"${token}"}'

Either works once, until ${expiresAt.toISOString()}. The API key is shown once: keep it.
If you did not ask for this, ignore this mail, and nothing happens.
`
  return { to, subject: 'Your invitation to Aqueduct', text }
}
