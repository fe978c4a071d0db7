const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** The certificates of a PEM text, and nothing else that may stand there. */
export function certificateBlocks(pem: string): readonly string[] {
  return pem.match(block) ?? []
}
