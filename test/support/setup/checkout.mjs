import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Installs the dependencies of a checkout where they are missing or older than the lock file, and builds it. */
export function prepareCheckout(root, say) {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) throw new Error(`Drover needs Node 20.19 or newer; this is ${process.versions.node}`)
  if (!isInstalled(root)) {
    say('installing dependencies (npm ci)')
    npm(root, ['ci', '--loglevel=error'])
  }
  say('building (npm run build)')
  npm(root, ['run', '--silent', 'build'])
}

function isInstalled(root) {
  const installed = join(root, 'node_modules', '.package-lock.json')
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs
}

function npm(root, args) {
  const { status } = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed`)
}
