export async function add(one: number, other: number): Promise<number> {
  return one + other
}
