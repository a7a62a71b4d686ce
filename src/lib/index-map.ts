/** Index of values by a second key, each in insertion order. */
export class Index<K, V> {
  readonly #byKey = new Map<K, Set<V>>()

  add(key: K, value: V): void {
    const values = this.#byKey.get(key)
    if (values === undefined) this.#byKey.set(key, new Set([value]))
    else values.add(value)
  }

  delete(key: K, value: V): void {
    const values = this.#byKey.get(key)
    values?.delete(value)
    if (values?.size === 0) this.#byKey.delete(key)
  }

  get(key: K): readonly V[] {
    return [...(this.#byKey.get(key) ?? [])]
  }
}
