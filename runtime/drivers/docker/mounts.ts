import { chmod, mkdir, realpath, writeFile } from 'node:fs/promises'
import { join, normalize, sep } from 'node:path'
import type { MountSettings } from 'dockerode'
import { TerminalError } from '../../../src/lib/errors.ts'
import type { ArtifactSpec, TaskSpec, UnitSpec, VolumeSpec } from '../../../src/model/task-spec.ts'
import { artifactKey } from '../../artifacts/artifacts.ts'
import type { AttemptRef, Prepared } from '../../driver.ts'
import { plainAll } from '../../secrets.ts'
import type { Attempts } from './attempts.ts'

export interface MountSources {
  readonly attempts: Attempts
  readonly ref: AttemptRef
  readonly spec: TaskSpec
  readonly prepared: Prepared
}

/**
 * Makes the volumes of a task on disk and says how its container sees them and its artifacts.
 * An emptyDir belongs to the task and survives restarts in place; files are written anew for each attempt.
 * @throws TerminalError when the spec names what is not there or leads out of a volume
 */
export async function mountsOf(unit: UnitSpec, sources: MountSources): Promise<MountSettings[]> {
  const folders = new Map<string, string>()
  for (const volume of sources.spec.volumes) folders.set(volume.name, await makeVolume(volume, sources))
  const volumes = await Promise.all(
    unit.mounts.map(async (mount) => {
      const folder = folders.get(mount.volume)
      if (folder === undefined) throw invalid(`there is no volume ${mount.volume}`)
      const source = mount.subPath === undefined ? folder : await inside(folder, mount.subPath)
      return bind(source, mount.mountPath, { readOnly: mount.readOnly })
    }),
  )
  return [...volumes, ...unit.artifacts.map((artifact) => artifactMount(artifact, sources.prepared))]
}

function artifactMount(artifact: ArtifactSpec, { artifacts }: Prepared): MountSettings {
  const source = artifacts[artifactKey(artifact)]
  if (source === undefined) throw new TerminalError('ArtifactMissing', `artifact ${artifactKey(artifact)} was not fetched to this machine`)
  return bind(source, artifact.destination, { readOnly: true })
}

/** `Mounts`, not `Binds`: no string to split, and a missing source is an error instead of a new folder. */
function bind(source: string, target: string, { readOnly }: { readOnly: boolean }): MountSettings {
  if (!target.startsWith('/') || normalize(target) === '/') throw invalid(`${target} is no absolute path to mount at`)
  return { Type: 'bind', Source: source, Target: target, ReadOnly: readOnly, BindOptions: { Propagation: 'rprivate' } }
}

async function makeVolume(volume: VolumeSpec, { attempts, ref, prepared }: MountSources): Promise<string> {
  switch (volume.type) {
    case 'emptyDir':
      return await makeFolder(await attempts.volumes(ref.task), volume.name, 0o777)
    case 'files':
      return await writeAll(await makeFolder(join(await attempts.folder(ref), 'files'), volume.name, 0o755), volume.files)
    case 'secret':
      return await writeAll(await makeFolder(await attempts.memory(ref), volume.name, 0o755), plainAll(volume.files, prepared.secrets))
  }
}

/** The mode given to mkdir is cut by the umask, and the task may run as any user; others of the machine stop at a folder above. */
async function makeFolder(parent: string, name: string, mode: number): Promise<string> {
  const folder = join(parent, plainName(name))
  await mkdir(folder, { recursive: true })
  await chmod(folder, mode)
  return folder
}

async function writeAll(folder: string, files: Readonly<Record<string, string>>): Promise<string> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, plainName(name))
    await writeFile(path, text)
    await chmod(path, 0o644)
  }
  return folder
}

/** A task may have left a symlink there in an attempt before; the mount must not follow it out of the volume. */
async function inside(folder: string, subPath: string): Promise<string> {
  const wanted = join(folder, subPath)
  if (!isBelow(wanted, folder)) throw invalid(`${subPath} leads out of its volume`)
  const root = await realpath(folder)
  const real = await realpath(wanted).catch(() => makeBelow(root, subPath))
  if (!isBelow(real, root)) throw invalid(`${subPath} leads out of its volume`)
  return real
}

/** Makes the missing parts one by one, looking where each leads before going on. */
async function makeBelow(root: string, subPath: string): Promise<string> {
  let here = root
  for (const part of normalize(subPath).split(sep)) {
    const next = join(here, part)
    if (await made(next)) await chmod(next, 0o777)
    here = await realpath(next).catch(() => '')
    if (!isBelow(here, root)) throw invalid(`${subPath} leads out of its volume, or nowhere`)
  }
  return here
}

/** False when something of that name is there already, be it a link to nowhere. */
async function made(folder: string): Promise<boolean> {
  try {
    await mkdir(folder)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

const isBelow = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}${sep}`)

function plainName(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) throw invalid(`${JSON.stringify(name)} is no file name`)
  return name
}

const invalid = (message: string): TerminalError => new TerminalError('InvalidVolume', message)
