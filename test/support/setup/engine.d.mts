export function callEngine(call: {
  socketPath: string
  method?: string
  path: string
  timeoutMs?: number
}): Promise<{ status: number; text: string }>
export function engineAnswers(socketPath: string): Promise<boolean>
