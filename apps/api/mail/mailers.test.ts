import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { invitationMail } from './invitation-mail.ts'
import { MailError } from './mailer.ts'
import { outboxMailer } from './outbox-mailer.ts'
import { smtpMailer } from './smtp-mailer.ts'
import { userInvitationMail } from './user-invitation-mail.ts'

const from = 'Aqueduct <aqueduct@example.com>'
const expiresAt = new Date('2026-03-07T00:00:00Z')
const token = `aqinv_${'t'.repeat(43)}`
const mail = invitationMail({ to: 'ada@example.com', publicUrl: 'https://a.example', token, expiresAt })

const account = { id: 'a1b2c', name: 'Engines' }
const userMail = userInvitationMail({
  to: 'eve@example.com',
  publicUrl: 'https://a.example',
  account,
  token,
  expiresAt,
})

test.each([mail, userMail])(
  '$subject: the token is in a fragment and in a body, never in a path or a query',
  (each) => {
    expect(each.text).toContain(`https://a.example/invitations#token=${token}\n`)
    expect(each.text).toContain(`-d '{"token":"${token}"}'`)
    expect(each.text.split(token)).toHaveLength(3)
    expect(each.subject).not.toContain(token)
  },
)

test('the outbox keeps each mail as a file that its owner alone may read, the link in one piece', async () => {
  const folder = join(await mkdtemp(join(tmpdir(), 'outbox-')), 'outbox')
  try {
    const mailer = outboxMailer({ folder, from, clock: { now: () => new Date('2026-02-28T12:00:00Z') } })
    expect(await mailer.send(mail)).toBe('outbox')
    await mailer.send({ ...mail, subject: 'two\r\nBcc: eve@example.com' })
    const names = (await readdir(folder)).sort()
    expect(names).toHaveLength(2)
    expect(names.every((name) => /^2026-02-28T12-00-00\.000Z-[0-9a-f]{8}\.eml$/.test(name))).toBe(true)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    const texts: string[] = []
    for (const name of names) {
      expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
      texts.push(await readFile(join(folder, name), 'utf8'))
    }
    expect(texts.every((text) => text.includes(`#token=${token}\n`) && !/^Bcc:/m.test(text))).toBe(true)
    expect(texts[0]).toMatch(/^From: Aqueduct <aqueduct@example.com>\nTo: ada@example.com$/m)
  } finally {
    await rm(join(folder, '..'), { recursive: true })
  }
})

/** A mail server that takes everything, or refuses what it is told to send, quoting it. */
async function withSmtp<Result>(refuse: boolean, work: (url: string, received: string[]) => Promise<Result>) {
  const received: string[] = []
  const server = createServer((socket) => speakSmtp(socket, refuse, received))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    return await work(`smtp://127.0.0.1:${(server.address() as AddressInfo).port}`, received)
  } finally {
    server.close()
  }
}

function speakSmtp(socket: Socket, refuse: boolean, received: string[]): void {
  let inData = false
  socket.write('220 test\r\n')
  socket.on('error', () => socket.destroy())
  createInterface(socket).on('line', (line) => {
    if (inData && line !== '.') received.push(line)
    else if (inData) {
      inData = false
      socket.write(refuse ? `554 no: ${received.join(' ')}\r\n` : '250 ok\r\n')
    } else if (line === 'DATA') {
      inData = true
      socket.write('354 go on\r\n')
    } else if (line === 'QUIT') socket.end('221 bye\r\n')
    else socket.write('250 ok\r\n')
  })
}

test('hands a mail to a mail server', async () => {
  await withSmtp(false, async (url, received) => {
    expect(await smtpMailer({ url, from }).send(mail)).toBe('sent')
    expect(received).toContain('To: ada@example.com')
    expect(received.join('\n').replaceAll('=\n', '').replaceAll('=3D', '=')).toContain(`#token=${token}`)
  })
})

test('says why a mail server refused, and nothing of the mail, even when the server quotes it', async () => {
  await withSmtp(true, async (url) => {
    const error = await smtpMailer({ url, from })
      .send(mail)
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(MailError)
    expect(String(error)).toContain('554')
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain('aqinv_')
  })
})
