/** What a pass says about the next one. There are no inner retry loops: whoever has to wait comes again. */
export type Next = { readonly kind: 'settled' } | { readonly kind: 'again'; readonly afterMs: number }

export const settled: Next = Object.freeze({ kind: 'settled' })

export function again(afterMs: number): Next {
  return { kind: 'again', afterMs }
}
