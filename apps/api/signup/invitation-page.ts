import { createHash } from 'node:crypto'

// The token leaves the address bar before anything else happens, and is spent by a click alone: mail scanners that
// open every link must not accept invitations.
const script = `
const token = new URLSearchParams(location.hash.slice(1)).get('token')
history.replaceState(null, '', location.pathname)
const button = document.querySelector('button')
const result = document.querySelector('pre')
if (!token) { button.disabled = true; result.textContent = 'This link is not complete: copy all of it out of the mail.' }
button.addEventListener('click', async () => {
  button.disabled = true
  try {
    const answer = await fetch('/v1/invitations/accept', {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token }),
    })
    const body = await answer.json()
    result.textContent = answer.ok
      ? 'Account: ' + body.tenant.id + ' (' + body.tenant.name + ')\\nUser: ' + body.user.email +
        '\\nAPI key, valid until ' + body.apiKey.expiresAt + ', shown once:\\n\\n' + body.apiKey.token
      : body.message
    button.disabled = answer.ok || answer.status === 401
  } catch {
    result.textContent = 'The server cannot be reached: try again.'
    button.disabled = false
  }
})
`
const style =
  'body{font:16px/1.5 system-ui;max-width:42rem;margin:4rem auto;padding:0 1rem}pre{white-space:pre-wrap;overflow-wrap:anywhere}'

/** What the link of an invitation opens: a button that accepts it, and the API key, once. */
export const invitationPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Aqueduct: your invitation</title>
<style>${style}</style>
<h1>Welcome to Aqueduct</h1>
<p>This creates your first API key; and your account, if you asked for one of your own. It works once.</p>
<button>Accept the invitation</button>
<pre role="status"></pre>
<script>${script}</script>
</html>
`

const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

export const invitationPageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': `default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'; script-src ${hash(script)}; style-src ${hash(style)}`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}
