/** One word for a POSIX shell, whatever bytes it holds; NUL cannot be in an argument at all. */
export function quote(word: string): string {
  if (word.includes('\0')) throw new Error('an argument cannot hold NUL')
  return `'${word.replaceAll("'", `'\\''`)}'`
}
