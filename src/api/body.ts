import type { Context } from 'hono'
import type { z } from 'zod'
import { HttpProblem, parseRequest } from './problem.ts'

const MEGABYTE = 1_000_000
/** Bytes of any request body (reliability S-25), and of one that carries manifests. */
const BODY_LIMIT = MEGABYTE
export const FILES_LIMIT = 20 * MEGABYTE

/** @throws HttpProblem 413 before more than `limit` bytes are held, 400 for what is not JSON or not of the schema. */
export async function readJson<T>(c: Context, schema: z.ZodType<T>, limit = BODY_LIMIT): Promise<T> {
  if (Number(c.req.header('content-length') ?? 0) > limit) throw tooLarge(limit)
  const text = await readText(c.req.raw.body, limit)
  return parseRequest(schema, text.trim() === '' ? {} : parseText(text))
}

async function readText(body: ReadableStream<Uint8Array> | null, limit: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.byteLength
    if (size > limit) throw tooLarge(limit)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new HttpProblem({ status: 400, code: 'Invalid', message: `the body is not JSON: ${cause instanceof Error ? cause.message : ''}` })
  }
}

const tooLarge = (limit: number): HttpProblem =>
  new HttpProblem({ status: 413, code: 'TooLarge', message: `the body is larger than ${limit / MEGABYTE} MB` })
