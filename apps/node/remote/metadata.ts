/** Seconds; renewed when the service does not take it any more. */
const tokenSeconds = 21_600
const timeoutMs = 2_000
const maxLength = 64 * 1024

/**
 * What the provider tells a machine about itself: EC2's instance metadata service, version 2 alone, since version 1 answers
 * whoever gets a process of the machine to fetch an address.
 */
export class MachineMetadata {
  readonly #baseUrl: string
  #token: string | undefined

  constructor(baseUrl: string) {
    this.#baseUrl = baseUrl
  }

  /**
   * @param path below `/latest/`: `meta-data/instance-id`.
   * @returns undefined when there is no such thing.
   * @throws Error when the service does not answer, or in another way.
   */
  async get(path: string): Promise<string | undefined> {
    let answer = await this.#ask(path)
    if (answer.status === 401) {
      this.#token = undefined
      answer = await this.#ask(path)
    }
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw new Error(`the metadata service answered ${answer.status} for ${path}`)
    return answer.text
  }

  /** @throws Error when there is none, besides. */
  async need(path: string): Promise<string> {
    const text = (await this.get(path))?.trim()
    if (text === undefined || text === '') throw new Error(`the metadata service has no ${path}`)
    return text
  }

  async #ask(path: string): Promise<{ readonly status: number; readonly text: string }> {
    this.#token ??= await this.#newToken()
    return await this.#fetch(`latest/${path}`, 'GET', { 'x-aws-ec2-metadata-token': this.#token })
  }

  async #newToken(): Promise<string> {
    const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': String(tokenSeconds) }
    const { status, text } = await this.#fetch('latest/api/token', 'PUT', headers)
    if (status !== 200) throw new Error(`the metadata service gave no token: it answered ${status}`)
    return text
  }

  async #fetch(path: string, method: string, headers: Readonly<Record<string, string>>) {
    const response = await fetch(new URL(path, `${this.#baseUrl}/`), {
      method,
      headers,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    })
    const text = await response.text()
    if (text.length > maxLength) throw new Error(`the metadata service sent more than ${maxLength} characters`)
    return { status: response.status, text }
  }
}
