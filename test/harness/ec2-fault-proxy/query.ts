/** A request of EC2's Query protocol: a form, in which lists are numbered (`InstanceId.1`). */
export interface Query {
  readonly action: string
  readonly params: URLSearchParams
}

/** Undefined for other protocols: SSM speaks JSON. */
export function readQuery(contentType: string | undefined, body: string): Query | undefined {
  if (contentType?.startsWith('application/x-www-form-urlencoded') !== true) return undefined
  const params = new URLSearchParams(body)
  const action = params.get('Action')
  return action === null ? undefined : { action, params }
}

/** The values of a numbered list. */
export function listOf(params: URLSearchParams, name: string): readonly string[] {
  return [...params].filter(([key]) => new RegExp(`^${name}\\.\\d+$`).test(key)).map(([, value]) => value)
}

/** What EC2 says when it refuses. */
export interface Refusal {
  readonly status: number
  readonly code: string
  readonly message: string
}

export function refusalXml({ code, message }: Refusal): string {
  const error = `<Error><Code>${code}</Code><Message>${message}</Message></Error>`
  return `<?xml version="1.0" encoding="UTF-8"?><Response><Errors>${error}</Errors><RequestID>proxy</RequestID></Response>`
}

/** The text of an element that occurs once, or first. */
export function textOf(xml: string, element: string): string | undefined {
  return new RegExp(`<${element}>([^<]*)</${element}>`).exec(xml)?.[1]
}

/** Leaves those items of a list out of an answer. */
export function withoutItems(xml: string, list: string, isLeftOut: (item: string) => boolean): string {
  const [head = '', rest] = splitOnce(xml, `<${list}>`)
  if (rest === undefined) return xml
  const [inner = '', tail = ''] = splitOnce(rest, `</${list}>`)
  const kept = topLevelItems(inner).filter((item) => !isLeftOut(item))
  return `${head}<${list}>${kept.join('')}</${list}>${tail}`
}

/** `<item>` elements that are not in another one. */
function topLevelItems(xml: string): readonly string[] {
  const items: string[] = []
  let depth = 0
  let from = 0
  for (const { 0: tag, index } of xml.matchAll(/<\/?item>/g)) {
    if (tag === '<item>') {
      if (depth === 0) from = index
      depth += 1
    } else {
      depth -= 1
      if (depth === 0) items.push(xml.slice(from, index + tag.length))
    }
  }
  return items
}

function splitOnce(text: string, mark: string): readonly [string, string?] {
  const at = text.indexOf(mark)
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + mark.length)]
}
