/** Longest line taken from the engine; characters. */
const MAX_LINE = 1_048_576

/** The values of a stream of JSON lines, each as soon as its line is whole. @throws Error on what is no JSON */
export async function* ndjson(stream: AsyncIterable<Uint8Array | string>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > MAX_LINE) throw new Error(`a line of more than ${MAX_LINE} characters`)
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line)
  }
  if (rest.trim() !== '') yield JSON.parse(rest)
}
