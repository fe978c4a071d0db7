/** One connection that makes the same call again and again. */
export interface Caller {
  /** Rejects for every status but OK. */
  call(): Promise<void>
  close(): void
}
