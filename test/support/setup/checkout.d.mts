export function prepareCheckout(root: string, say: (line: string) => void): void
