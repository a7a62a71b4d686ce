import { z } from 'zod'

const CPU = /^(\d+(?:\.\d+)?)(m?)$/
const MEMORY = /^(\d+(?:\.\d+)?)(k|M|G|T|Ki|Mi|Gi|Ti)?$/
const MEMORY_UNITS: Readonly<Record<string, number>> = {
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
}

/** Products of decimal fractions end in 1e-14 noise (0.07 * 1000), which must not round a quantity up. */
const roundUp = (amount: number): number => Math.ceil(Number(amount.toFixed(6)))

const tooBig = { error: 'is more than a machine can have' }

/** CPU as Kubernetes writes it (`500m`, `2`, `0.5`); read as thousandths of a core. */
export const CpuMillis = z
  .union([z.string().max(32).regex(CPU, 'must be a CPU quantity such as 500m, 0.5 or 2'), z.number().nonnegative()])
  .transform((quantity) => {
    if (typeof quantity === 'number') return roundUp(quantity * 1000)
    const [, amount, unit] = CPU.exec(quantity) ?? []
    return roundUp(Number(amount) * (unit === 'm' ? 1 : 1000))
  })
  .refine(Number.isSafeInteger, tooBig)
  .meta({ description: 'CPU quantity: cores, or thousandths with "m"', examples: ['500m', 2] })

/** Memory as Kubernetes writes it (`128Mi`, `1G`); read as bytes. */
export const MemoryBytes = z
  .union([z.string().max(32).regex(MEMORY, 'must be a memory quantity such as 128Mi or 1G'), z.number().nonnegative()])
  .transform((quantity) => {
    if (typeof quantity === 'number') return roundUp(quantity)
    const [, amount, unit] = MEMORY.exec(quantity) ?? []
    return roundUp(Number(amount) * (unit === undefined ? 1 : (MEMORY_UNITS[unit] ?? 1)))
  })
  .refine(Number.isSafeInteger, tooBig)
  .meta({ description: 'memory quantity: bytes, or with k M G T Ki Mi Gi Ti', examples: ['128Mi', '1G'] })

/** A count, or a percentage of the replicas, as in Kubernetes' rolling update. */
export const IntOrPercent = z.union([z.int().nonnegative(), z.string().regex(/^\d{1,3}%$/, 'must be a count or a percentage such as 25%')])
export type IntOrPercent = z.infer<typeof IntOrPercent>
