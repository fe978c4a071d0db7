import { beforeAll, expect, test } from 'vitest'
import { motoPython, startMoto } from '../../../harness/moto.ts'

// The first time ever, it is fetched.
beforeAll(motoPython, 300_000)

test('Moto starts on a free port, answers, and is gone when it was stopped', async () => {
  const [one, two] = await Promise.all([startMoto(), startMoto()])
  try {
    expect(one.url).not.toBe(two.url)
    expect((await fetch(`${one.url}/moto-api/data.json`)).status).toBe(200)
  } finally {
    await Promise.all([one.stop(), two.stop()])
  }
  await expect(fetch(`${one.url}/moto-api/data.json`)).rejects.toThrow('fetch failed')
  expect(() => process.kill(two.pid, 0)).toThrow('ESRCH')
})
