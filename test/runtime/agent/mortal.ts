/** When an agent dies: at its n-th call to the outside, before the call takes effect or after it did. */
export interface Fate {
  readonly atCall: number
  readonly when: 'before' | 'after'
}

/** What only looks, again and again. */
const UNCOUNTED: ReadonlySet<string> = new Set(['logs', 'fingerprint'])

/** A life that ends as SIGKILL ends one: nothing it waits for ever comes, nothing it asks for happens any more. */
export class Life {
  calls = 0
  dead = false
  /** The call at which it died, for messages. */
  diedAt = ''
  readonly #fate: Fate | null
  readonly #onDeath: () => void

  constructor(fate: Fate | null, onDeath: () => void) {
    this.#fate = fate
    this.#onDeath = onDeath
  }

  end(at: string): void {
    if (this.dead) return
    this.dead = true
    this.diedAt = at
    this.#onDeath()
  }

  /** The same object, but its promises belong to this life. Calls of `counted` objects are where it may die. */
  bind<T extends object>(target: T, kind: 'counted' | 'free'): T {
    const call = (name: string, method: (...args: unknown[]) => unknown, args: unknown[]): unknown => {
      const mine = kind === 'counted' && !UNCOUNTED.has(name) ? this.#nextCall() : -1
      if (this.dead || this.#dies(mine, 'before', name))
        return name === 'now' || name === 'monotonic' ? method.apply(target, args) : never()
      const result = method.apply(target, args)
      return result instanceof Promise ? this.#whileAlive(result, () => this.#dies(mine, 'after', name)) : result
    }
    return new Proxy(target, {
      get: (object, key) => {
        const value: unknown = Reflect.get(object, key)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => call(String(key), value as (...args: unknown[]) => unknown, args)
      },
    })
  }

  #nextCall(): number {
    this.calls += 1
    return this.calls
  }

  #dies(call: number, when: Fate['when'], name: string): boolean {
    if (this.#fate === null || call !== this.#fate.atCall || when !== this.#fate.when) return false
    this.end(`${when} call ${call} (${name})`)
    return true
  }

  #whileAlive<T>(work: Promise<T>, dies: () => boolean): Promise<T> {
    return new Promise((resolve, reject) => {
      const ifAlive =
        (settle: (value: never) => void) =>
        (value: unknown): void => {
          if (!this.dead && !dies()) settle(value as never)
        }
      work.then(ifAlive(resolve as (value: never) => void), ifAlive(reject))
    })
  }
}

const never = (): Promise<never> => new Promise(() => undefined)
