import { z } from 'zod'
import { Name } from './ids.ts'

export const DependsOn = z.strictObject({
  kind: z.enum(['Deployment', 'Job']),
  name: Name,
  condition: z
    .enum(['Available', 'Complete'])
    .meta({ description: 'Available: a Deployment with every replica ready; Complete: a Job that succeeded' }),
})
export type DependsOn = z.infer<typeof DependsOn>
