export interface TarInput {
  path: string
  mode: number
  content?: Buffer
  link?: string
  type?: string
}
export function tar(entries: readonly TarInput[]): Buffer
