import { parseBlob } from '../../manifest/blob.ts'
import { frame } from '../../manifest/frame.ts'
import { type Desired, link } from '../../manifest/link.ts'
import type { Problem } from '../../model/records.ts'
import { EXIT } from '../exit.ts'
import { readSource, type Source, type SourceOptions } from '../files.ts'
import type { Printer } from '../output/print.ts'
import type { Command } from '../session.ts'

export interface ValidateOptions extends SourceOptions {
  readonly output: 'text' | 'json'
}

/** Checks manifests without a server: 0 when all are right, 2 with every mistake in its place. */
export const validate: Command<ValidateOptions> = async (session, words, options) => {
  const source = await readSource(session.deps, words, options)
  const { desired, problems } = linked(source)
  const { printer } = session
  if (options.output === 'json') await printer.value('json', { revision: source.revision, workloads: desired.workloads.length, problems })
  else if (problems.length > 0) sayProblems(printer, problems, source)
  else printer.out(`valid: ${count(desired.workloads.length, 'workload')} in ${count(source.files.length, 'file')}\n`)
  return problems.length > 0 ? EXIT.usage : EXIT.ok
}

export const linked = (source: Source): { desired: Desired; problems: Problem[] } =>
  link(
    source.files.map(({ path, text }) => parseBlob(path, text)),
    { path: source.path },
  )

/** Each mistake with the line it is on, where the file is at hand. */
export function sayProblems(printer: Printer, problems: readonly Problem[], source: Pick<Source, 'files'>): void {
  const texts = new Map(source.files.map(({ path, text }) => [path, text]))
  for (const problem of problems) printer.say(`${frame(problem, texts.get(problem.file) ?? null)}\n`)
  printer.say(count(problems.length, 'problem'))
}

const count = (amount: number, noun: string): string => `${amount} ${noun}${amount === 1 ? '' : 's'}`
