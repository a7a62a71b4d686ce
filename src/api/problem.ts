import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { z } from 'zod'
import { RequestError, type RequestErrorCode } from '../control/requests/control-plane.ts'

export interface Issue {
  readonly path: string
  readonly message: string
}

/** A refusal with an HTTP status of its own; what people read is `message`. */
export class HttpProblem extends Error {
  override name = 'HttpProblem'
  readonly status: ContentfulStatusCode
  readonly code: string
  readonly issues: readonly Issue[]
  constructor(refusal: { status: ContentfulStatusCode; code: string; message: string; issues?: readonly Issue[] }) {
    super(refusal.message)
    this.status = refusal.status
    this.code = refusal.code
    this.issues = refusal.issues ?? []
  }
}

const STATUS: Readonly<Record<RequestErrorCode, ContentfulStatusCode>> = {
  NotFound: 404,
  Conflict: 409,
  Invalid: 400,
  Unavailable: 503,
  Unauthorized: 401,
  Forbidden: 403,
}

const TITLES: Readonly<Record<string, string>> = {
  NotFound: 'Not found',
  Conflict: 'Conflict',
  Invalid: 'Invalid request',
  Unavailable: 'Not available now',
  Unauthorized: 'Not known',
  Forbidden: 'Forbidden',
  TooLarge: 'Request too large',
  UnsupportedMediaType: 'Unsupported media type',
  Internal: 'Internal error',
}

/** What went wrong as a refusal; an unforeseen error becomes a 500 that tells nothing of the inside. */
export function asProblem(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error
  if (error instanceof RequestError) return new HttpProblem({ status: STATUS[error.code], code: error.code, message: error.message })
  return new HttpProblem({ status: 500, code: 'Internal', message: 'the control plane failed on this request; its log says why' })
}

/** RFC 9457 body; never a stack. */
export function problemResponse(c: Context, problem: HttpProblem): Response {
  if (problem.status === 401) c.header('www-authenticate', 'Bearer realm="drover"')
  return c.body(problemText(problem), problem.status, { 'content-type': PROBLEM_TYPE })
}

export const PROBLEM_TYPE = 'application/problem+json'

export function problemText(problem: HttpProblem): string {
  return JSON.stringify({
    type: `urn:drover:problem:${problem.code}`,
    title: TITLES[problem.code] ?? problem.code,
    status: problem.status,
    detail: problem.message,
    code: problem.code,
    ...(problem.issues.length > 0 ? { issues: problem.issues } : {}),
  })
}

/** @throws HttpProblem 400 with one issue for each wrong field. */
export function parseRequest<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issues = result.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }))
  const detail = issues.map((issue) => (issue.path === '' ? issue.message : `${issue.path}: ${issue.message}`)).join('; ')
  throw new HttpProblem({ status: 400, code: 'Invalid', message: detail, issues })
}

export const NoQuery = z.strictObject({})
