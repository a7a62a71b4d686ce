import { type Finding, quote } from './problem.ts'
import { suggest } from './suggest.ts'

/** `Intl` knows these three-letter names from the IANA list; the others it knows (`IST`, `BST`) are abbreviations of several zones. */
const THREE_LETTERS = new Set(['UTC', 'GMT', 'UCT', 'CET', 'MET', 'EET', 'WET', 'EST', 'MST', 'HST', 'PRC', 'ROC', 'ROK'])
const NOT_IANA = /^([A-Z]{3}|SystemV\/.*)$/i
/** Names in use that `Intl` understands but lists by an older one, or not at all. */
const UNLISTED = ['UTC', 'Asia/Kolkata', 'Asia/Kathmandu', 'Asia/Ho_Chi_Minh', 'Asia/Yangon', 'Europe/Kyiv', 'America/Nuuk']

function isKnown(name: string): boolean {
  if (NOT_IANA.test(name) && !THREE_LETTERS.has(name.toUpperCase())) return false
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }) !== null
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

const cityOf = (name: string): string =>
  name
    .slice(name.lastIndexOf('/') + 1)
    .replaceAll(' ', '_')
    .toLowerCase()

/** The zone that was most likely meant, by its city or by its whole name. */
function nearest(name: string): string | null {
  const names = [...UNLISTED, ...Intl.supportedValuesOf('timeZone')]
  const city = cityOf(name)
  return names.find((one) => cityOf(one) === city) ?? suggest(name, names)
}

/** What is wrong with a `timeZone`, as a clause that follows the field's name; null when it names a zone. */
export function timeZoneFinding(name: string): Finding | null {
  if (isKnown(name)) return null
  const found = nearest(name)
  const hint = found === null ? 'write a name of the IANA list, such as Europe/Berlin or UTC' : `did you mean "${found}"?`
  return { message: `names no time zone: ${quote(name)}`, hint }
}
