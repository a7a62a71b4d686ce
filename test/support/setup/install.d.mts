export function findProgram(name: string): Promise<string | null>
export function runProgram(name: string, args: readonly string[]): Promise<string>
export function ensurePrograms<Name extends string>(options: {
  programs: readonly Name[]
  packages: readonly string[]
  log?: (message: string) => void
}): Promise<Record<Name, string>>
