import { z } from 'zod'
import { Name } from './ids.ts'

/** A port of this task, by number or by the name it has in `ports`. */
const PortRef = z.union([z.int().min(1).max(65_535), Name])
export type PortRef = z.infer<typeof PortRef>

const Host = z.string().min(1).max(253)

const HttpGet = z.strictObject({
  path: z.string().regex(/^\//, 'must begin with "/"').max(2048).default('/'),
  port: PortRef,
  host: Host.optional().meta({ description: "address to ask; default: the task's own" }),
  scheme: z.enum(['HTTP', 'HTTPS']).default('HTTP').meta({ description: 'HTTPS does not check the certificate, as in Kubernetes' }),
  httpHeaders: z
    .array(z.strictObject({ name: z.string().regex(/^[A-Za-z0-9-]{1,100}$/, 'must be a header name'), value: z.string().max(4096) }))
    .default([]),
})
const TcpSocket = z.strictObject({ port: PortRef, host: Host.optional() })
const Exec = z.strictObject({
  command: z.array(z.string().max(131_072)).min(1).meta({ description: 'program and arguments, run in the task; never a shell line' }),
})

const seconds = (min: number) => z.int().min(min).max(86_400)
const threshold = z.int().min(1).max(1000)

/** Kubernetes' fields and defaults. */
export const Probe = z
  .strictObject({
    httpGet: HttpGet.optional().meta({ description: 'passes with a status from 200 to 399' }),
    tcpSocket: TcpSocket.optional().meta({ description: 'passes when the port takes a connection' }),
    exec: Exec.optional().meta({ description: 'passes with exit code 0' }),
    initialDelaySeconds: seconds(0).default(0),
    periodSeconds: seconds(1).default(10),
    timeoutSeconds: seconds(1).default(1),
    successThreshold: threshold.default(1).meta({ description: 'passes in a row until it counts as passed; 1 for startup and liveness' }),
    failureThreshold: threshold.default(3).meta({ description: 'failures in a row until it counts as failed' }),
  })
  .refine((probe) => [probe.httpGet, probe.tcpSocket, probe.exec].filter((check) => check !== undefined).length === 1, {
    error: 'needs exactly one of httpGet, tcpSocket and exec',
  })
export type Probe = z.infer<typeof Probe>

export const PROBE_FIELDS = ['startupProbe', 'readinessProbe', 'livenessProbe'] as const

/** What is asked of a task, with the port resolved to the number to ask at the task's own address. */
const ProbeCheck = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('http'),
    scheme: z.enum(['HTTP', 'HTTPS']),
    /** Null: the task's own address, which the driver knows. */
    host: z.string().nullable(),
    port: z.number().int(),
    path: z.string(),
    headers: z.array(z.object({ name: z.string(), value: z.string() })),
  }),
  z.object({ type: z.literal('tcp'), host: z.string().nullable(), port: z.number().int() }),
  z.object({ type: z.literal('exec'), command: z.array(z.string()) }),
])
export type ProbeCheck = z.infer<typeof ProbeCheck>

export const ProbeSpec = z.object({
  check: ProbeCheck,
  initialDelaySeconds: z.number(),
  periodSeconds: z.number(),
  timeoutSeconds: z.number(),
  successThreshold: z.number().int(),
  failureThreshold: z.number().int(),
})
export type ProbeSpec = z.infer<typeof ProbeSpec>

/** The probes of one container or process; one that is absent is not asked. */
export const ProbeSpecs = z.object({ startup: ProbeSpec.optional(), readiness: ProbeSpec.optional(), liveness: ProbeSpec.optional() })
export type ProbeSpecs = z.infer<typeof ProbeSpecs>
