export function engineAnswers(socketPath: string): Promise<boolean>
