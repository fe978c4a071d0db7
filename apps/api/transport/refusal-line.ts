import type { AppError } from '#libs/base'

/** Characters of a message, and of a context as JSON, that one line of the log takes. */
const maxLength = 2048

/**
 * What the log says of a refusal. Messages and contexts quote what the caller sent, as an id that is not there, and that
 * may be as long as a request: cut, or a caller fills the disk with it.
 */
export function refusalLine({ message, context }: AppError): { readonly reason: string; readonly context: unknown } {
  const text = JSON.stringify(context)
  return {
    reason: message.slice(0, maxLength),
    context: text.length > maxLength ? `${text.slice(0, maxLength)}…` : context,
  }
}
