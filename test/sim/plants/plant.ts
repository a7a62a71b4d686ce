/**
 * Mistakes put into single functions of the product. This file imports nothing of it, so that whatever it is woven into
 * can be loaded in any order.
 */

/** Replacements for exports of a module, made from the real ones. */
interface Plant {
  readonly name: string
  /** Path below `src`, without the suffix. */
  readonly module: string
  readonly make: (real: never) => object
}

const plants: Plant[] = []
const state: { active: string | null } = { active: null }

export function register(plant: Plant): void {
  plants.push(plant)
}

/** From now on the product has this mistake; null: none. */
export function activate(name: string | null): void {
  state.active = name
}

type Callable = (...given: unknown[]) => unknown

/** A module whose functions and classes behave as the active mistake wants, asked anew at every call. */
export function woven<M extends object>(module: string, real: M): M {
  const made = new Map<string, Record<string, Callable>>()
  const planted = (key: string): Callable => {
    const plant = plants.find((one) => one.module === module && one.name === state.active)
    if (plant === undefined) return (real as Record<string, Callable>)[key] as Callable
    const exports = made.get(plant.name) ?? (plant.make(real as never) as Record<string, Callable>)
    made.set(plant.name, exports)
    return exports[key] ?? ((real as Record<string, Callable>)[key] as Callable)
  }
  const weave = (key: string, value: Callable): Callable =>
    new Proxy(value, {
      apply: (_target, self, given) => Reflect.apply(planted(key), self, given),
      construct: (_target, given) => Reflect.construct(planted(key), given),
    })
  return Object.fromEntries(
    Object.entries(real).map(([key, value]) => [key, typeof value === 'function' ? weave(key, value as Callable) : value]),
  ) as M
}
