import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, it } from 'vitest'

/** A process that says what happens to it; `work` is the body of its `stop`. */
async function told(work: string, signals: readonly NodeJS.Signals[]): Promise<{ said: string; code: unknown }> {
  const script = `
    import { stopWhenTold } from '#libs/processes'
    const stop = async () => { console.log('stops'); ${work} }
    stopWhenTold(stop, (error) => console.log('failed: ' + error.message))
    setInterval(() => undefined, 1000)
    console.log('ready')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  let said = ''
  for await (const chunk of child.stdout) {
    const wasReady = said.includes('ready')
    said += String(chunk)
    if (!wasReady && said.includes('ready')) for (const signal of signals) child.kill(signal)
  }
  const [code] = await ended
  return { said, code }
}

it('stops once, however often it is told, and ends well', async () => {
  const { said, code } = await told('await new Promise((resolve) => setTimeout(resolve, 50))', ['SIGTERM', 'SIGINT'])
  expect({ said, code }).toEqual({ said: 'ready\nstops\n', code: 0 })
})

it('says why it could not stop in order', async () => {
  const { said, code } = await told("throw new Error('the pool is stuck')", ['SIGTERM'])
  expect({ said, code }).toEqual({ said: 'ready\nstops\nfailed: the pool is stuck\n', code: 1 })
})
