import { posix } from 'node:path'
import { z } from 'zod'
import { manifestObject } from '../../manifest/to-yaml.ts'
import { type AppView, PlanView, VersionView } from '../../model/views.ts'
import type { Client } from '../client.ts'
import { CliError, EXIT } from '../exit.ts'
import { readSource, type Source, type SourceOptions } from '../files.ts'
import { planColors } from '../output/colors.ts'
import { escapeLines } from '../output/escape.ts'
import { readApp, readApps } from '../read.ts'
import type { Command, Session } from '../session.ts'
import { linked, sayProblems } from './validate.ts'

export interface PlanOptions extends SourceOptions {
  readonly app?: string
  readonly local?: boolean
  readonly detailedExitcode?: boolean
  /** Where to keep the plan for `drover sync --plan`. */
  readonly out?: string
  readonly output: 'text' | 'json' | 'yaml'
}

/** What a plan found, and the files its problems point into. */
interface Planned {
  readonly plan: PlanView
  readonly source: Pick<Source, 'files'>
}

const NO_FILES: Pick<Source, 'files'> = { files: [] }

/** What would change: 0, or with --detailed-exitcode 0 for no change, 2 for changes and 1 for errors, as Terraform has it. */
export const plan: Command<PlanOptions> = async (session, words, options) => {
  const detailed = options.detailedExitcode === true
  const { plan: view, source } = await failingWith(detailed ? EXIT.error : null, () => {
    assertCanBeKept(words, options)
    return planned(session, words, options)
  })
  await show(session, { plan: view, source }, options.output)
  if (options.out !== undefined) await keep(session, view, options.out)
  if (view.problems.length > 0) return detailed ? EXIT.error : EXIT.usage
  return detailed && view.changes.length > 0 ? 2 : EXIT.ok
}

/** @throws CliError 2: a sync applies what the app's own ref holds, so a plan of anything else says nothing of it. */
function assertCanBeKept(words: readonly string[], { out, local, repo, ref, path }: PlanOptions): void {
  if (out === undefined || (words.length === 0 && local !== true && repo === undefined && ref === undefined && path === undefined)) return
  const hint = 'leave out FILES, --repo, --ref, --path and --local, or --out'
  throw new CliError(EXIT.usage, '--out keeps a plan of what git says to the server, for it is the only one that can be synced', hint)
}

async function keep({ deps, printer, client }: Session, view: PlanView, path: string): Promise<void> {
  if (view.problems.length > 0) return printer.say(`${path} is not written: mend the problems first`)
  const { writePlanFile } = await import('../plan-file.ts')
  const { cluster } = await (await client()).get('/api/v1/version', VersionView)
  const { app, to: revision, fingerprint, text } = view
  const createdAt = new Date(deps.clock.now()).toISOString()
  await writePlanFile(deps, path, { cluster, app, revision, fingerprint, text, createdAt })
  printer.say(escapeLines(`the plan is in ${path}\nnext: drover sync ${app} --plan ${path}`))
}

/** As `plan`, with the exit codes of diff(1): 0 the same, 1 different, 2 and more trouble. */
export const diff: Command<PlanOptions> = async (session, words, options) => {
  const { plan: view, source } = await failingWith(null, () => planned(session, words, options)).catch((error: unknown) => {
    throw error instanceof CliError && error.exitCode === EXIT.error ? new CliError(EXIT.usage, error.message, error.hint) : error
  })
  await show(session, { plan: view, source }, options.output)
  if (view.problems.length > 0) return EXIT.usage
  return view.changes.length > 0 ? 1 : EXIT.ok
}

async function failingWith<T>(exitCode: number | null, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (exitCode === null || !(error instanceof CliError)) throw error
    throw new CliError(exitCode, error.message, error.hint)
  }
}

async function show({ printer }: Session, { plan: view, source }: Planned, output: PlanOptions['output']): Promise<void> {
  if (output !== 'text') return printer.value(output, view)
  printer.out(planColors(printer.colors, escapeLines(view.text.endsWith('\n') ? view.text : `${view.text}\n`)))
  if (view.problems.length > 0) sayProblems(printer, view.problems, source)
}

async function planned(session: Session, words: readonly string[], options: PlanOptions): Promise<Planned> {
  if (options.local === true) {
    const { localPlan } = await import('../local-plan.ts')
    const source = await readSource(session.deps, words, options)
    return { plan: localPlan(options.app ?? 'local', source), source }
  }
  const client = await session.client()
  const app = await theApp(client, options.app)
  const asked = await requestOf(session, words, { ...options, app })
  const path = `/api/v1/apps/${encodeURIComponent(app.name)}/plan`
  return { plan: asked.back(await client.post(path, asked.body, PlanView)), source: asked.source }
}

/** `--app`, or the app of `up`, or the only one there is. @throws CliError 2 when that leaves a choice. */
async function theApp(client: Client, name: string | undefined): Promise<AppView> {
  if (name !== undefined) return readApp(client, name)
  const { app } = await client.get('/api/v1/version', VersionView)
  if (app !== null) return readApp(client, app)
  const apps = await readApps(client)
  const [only] = apps
  if (only !== undefined && apps.length === 1) return only
  const names = apps.map((candidate) => candidate.name).join(', ')
  throw new CliError(EXIT.usage, 'which app? give --app NAME', names === '' ? 'there is none yet' : `there are: ${names}`)
}

interface Asked {
  readonly body: { readonly ref: string | null; readonly files: readonly { path: string; text: string }[] | null }
  readonly source: Pick<Source, 'files'>
  /** Turns the paths of problems back into those the user gave. */
  readonly back: (view: PlanView) => PlanView
}

/** Files are sent as if they lay in the app's own path, for that is where they shall go. */
async function requestOf({ deps }: Session, words: readonly string[], options: SourceOptions & { app: AppView }): Promise<Asked> {
  if (words.length === 0 && options.repo === undefined && options.path === undefined) {
    return { body: { ref: options.ref ?? null, files: null }, source: NO_FILES, back: (view) => view }
  }
  const source = await readSource(deps, words, options)
  const sent = new Map(source.files.map(({ path }) => [path, posix.join(options.app.source.path, posix.relative(source.path, path))]))
  const given = new Map([...sent].map(([path, as]) => [as, path]))
  return {
    body: { ref: options.ref ?? null, files: source.files.map(({ path, text }) => ({ path: sent.get(path) ?? path, text })) },
    source,
    back: (view) => ({
      ...view,
      problems: view.problems.map((problem) => ({ ...problem, file: given.get(problem.file) ?? problem.file })),
    }),
  }
}

const Rendered = z.object({ revision: z.string(), objects: z.array(z.unknown()) })

/** The manifests as they are applied, with every default: YAML documents, or `{revision, objects}`. */
export const render: Command<PlanOptions> = async (session, words, options) => {
  const { printer } = session
  const rendered = options.local === true ? await localRender(session, words, options) : await serverRender(session, words, options)
  if (rendered === null) return EXIT.usage
  if (options.output === 'json') await printer.value('json', rendered)
  else {
    const { stringify } = await import('yaml')
    printer.out(rendered.objects.map((object) => `---\n${stringify(object, { lineWidth: 0 })}`).join(''))
  }
  return EXIT.ok
}

async function serverRender(session: Session, words: readonly string[], options: PlanOptions): Promise<z.infer<typeof Rendered>> {
  const client = await session.client()
  const app = await theApp(client, options.app)
  const { body } = await requestOf(session, words, { ...options, app })
  return client.post(`/api/v1/apps/${encodeURIComponent(app.name)}/render`, body, Rendered)
}

async function localRender(
  { deps, printer }: Session,
  words: readonly string[],
  options: PlanOptions,
): Promise<z.infer<typeof Rendered> | null> {
  const source = await readSource(deps, words, options)
  const { desired, problems } = linked(source)
  if (problems.length > 0) sayProblems(printer, problems, source)
  return problems.length > 0
    ? null
    : { revision: source.revision ?? 'local', objects: desired.workloads.map(({ manifest }) => manifestObject(manifest)) }
}
