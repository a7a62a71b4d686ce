// Node's module hooks: whoever imports a module that a mistake can be put into gets it woven, see `plant.ts`.
import { WOVEN } from './modules.mjs'

const source = new URL('../../../src/', import.meta.url).href
const weaver = new URL('./plant.ts', import.meta.url).href

/** `core/sync` of the address of `src/core/sync.ts`; null: it stays as it is. */
function wovenName(url) {
  const [path, query] = url.split('?')
  if (!path.startsWith(source) || !path.endsWith('.ts') || query?.startsWith('real')) return null
  const name = path.slice(source.length, -'.ts'.length)
  return Object.hasOwn(WOVEN, name) ? name : null
}

export async function resolve(specifier, context, next) {
  const [, query] = specifier.split('?')
  const result = await next(specifier.split('?')[0], context)
  if (query === 'real') return { ...result, url: `${result.url.split('?')[0]}?real` }
  return wovenName(result.url) === null ? result : { ...result, url: `${result.url.split('?')[0]}?woven` }
}

export async function load(url, context, next) {
  const name = url.endsWith('?woven') ? wovenName(url) : null
  if (name === null) return next(url, context)
  const real = JSON.stringify(`${url.split('?')[0]}?real`)
  const names = WOVEN[name].join(', ')
  const text = `import * as real from ${real}
import { woven } from ${JSON.stringify(weaver)}
export * from ${real}
export const { ${names} } = woven(${JSON.stringify(name)}, { ${WOVEN[name].map((one) => `${one}: real.${one}`).join(', ')} })
`
  return { format: 'module', source: text, shortCircuit: true }
}
