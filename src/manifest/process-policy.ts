import { ProcessPolicy } from '../model/process-policy.ts'
import type { Problem } from '../model/records.ts'
import { translate } from './issues.ts'
import { parseFile } from './parse.ts'
import { problemAt } from './problem.ts'
import { tellAll } from './validate.ts'
import { describeIssue } from './wording.ts'

export type ParsedPolicy = { ok: true; policy: ProcessPolicy } | { ok: false; problems: Problem[] }

/**
 * Reads the policy of a machine for plain processes: one YAML document, which never comes from git. An empty one is
 * refused: whoever means to restrict something would not know that nothing is.
 */
export function parseProcessPolicy(file: { readonly path: string; readonly text: string }): ParsedPolicy {
  const { documents, problems } = parseFile(file)
  const [document, second] = documents
  if (problems.length > 0) return { ok: false, problems }
  if (document === undefined)
    return refused(file.path, { line: 1, column: 1 }, 'holds no policy', 'give at least one field, such as `minIsolation: sandbox`')
  if (second !== undefined) return refused(file.path, second.at, 'holds a second document', 'write one policy')
  const result = ProcessPolicy.safeParse(document.value, { error: describeIssue, reportInput: true })
  if (result.success) return { ok: true, policy: result.data }
  return { ok: false, problems: tellAll(file.path, document, translate(ProcessPolicy, 'ProcessPolicy', result.error.issues)) }
}

const refused = (path: string, at: { line: number; column: number }, message: string, hint: string): ParsedPolicy => ({
  ok: false,
  problems: [problemAt(path, at, { message, hint })],
})
