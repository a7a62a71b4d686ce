import type { Fault } from './fault.ts'
import { MACHINE_FAULTS } from './machines.ts'
import { NETWORK_FAULTS } from './network.ts'
import { PROCESS_FAULTS } from './processes.ts'
import { SERVICE_FAULTS } from './services.ts'

export type { Fault } from './fault.ts'

export const FAULTS: readonly Fault[] = [...PROCESS_FAULTS, ...NETWORK_FAULTS, ...SERVICE_FAULTS, ...MACHINE_FAULTS]
