import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Debian keeps daemons in sbin, which is not on every user's PATH. */
const SBIN = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/bin', '/usr/bin']

/** Absolute path of a program, or null. */
export async function findProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SBIN].filter((folder) => folder.startsWith('/'))
  for (const folder of folders) {
    const path = join(folder, name)
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path
  }
  return null
}

/** Runs a program to its end and gives its standard output. */
export async function runProgram(name, args) {
  const { stdout } = await run((await findProgram(name)) ?? name, args, { maxBuffer: 64 << 20 })
  return stdout
}

/**
 * Absolute paths of programs, installing Debian packages when one is missing and this is root on a machine with apt-get.
 * @throws Error that names the packages to install
 */
export async function ensurePrograms({ programs, packages, log }) {
  const missing = await missingOf(programs)
  if (missing.length > 0) await install({ packages, missing, log })
  const still = await missingOf(programs)
  if (still.length > 0) throw new Error(`installed ${packages.join(' ')}, yet ${still.join(' and ')} cannot be found`)
  return Object.fromEntries(await Promise.all(programs.map(async (name) => [name, await findProgram(name)])))
}

async function missingOf(programs) {
  const found = await Promise.all(programs.map(findProgram))
  return programs.filter((_, index) => found[index] === null)
}

async function install({ packages, missing, log }) {
  const aptGet = process.getuid?.() === 0 ? await findProgram('apt-get') : null
  const advice = `install ${packages.join(' ')} (Debian, Ubuntu: sudo apt-get install -y --no-install-recommends ${packages.join(' ')})`
  if (aptGet === null) throw new Error(`${missing.join(' and ')} not found, and only root with apt-get can be helped here: ${advice}`)
  log?.(`installing ${packages.join(' ')}`)
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, maxBuffer: 64 << 20 }
  try {
    await run(aptGet, ['-o', 'DPkg::Lock::Timeout=120', 'update'], options)
    await run(aptGet, ['-o', 'DPkg::Lock::Timeout=120', 'install', '-y', '--no-install-recommends', ...packages], options)
  } catch (error) {
    throw new Error(`apt-get could not install: ${advice}`, { cause: error })
  }
}
