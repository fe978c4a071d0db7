/** What the workflow may not do by itself: everything that touches the world. */
export async function greet(name: string): Promise<string> {
  return `Hello, ${name}!`
}
