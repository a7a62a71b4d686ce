import { Lexer, Parser } from 'yaml'
import { MAX_DEPTH, MAX_DOCUMENTS, MAX_LINES, MAX_TOKENS } from './limits.ts'
import type { Finding } from './problem.ts'

type SyntaxToken = ReturnType<Parser['next']> extends Generator<infer T> ? T : never

/** A finding and how many code units into the file it is. */
type Refusal = Finding & { offset: number }
export type Tokens = { ok: true; tokens: SyntaxToken[] } | { ok: false; refusal: Refusal }

/** The parser keeps its document and the scalar in hand on the stack as well. */
const STACK_OVERHEAD = 2
const BLANK = new Set([' ', '\t', '#'])
/** Marks the lexer puts between lexemes; they are no text of the file. */
const MARKS = new Set(['\u0002', '\u0018', '\u001f'])

type Counts = { tokens: number; lines: number; documents: number }

const tooMany = (what: string, limit: number): Finding => ({
  message: `the file has more than ${limit.toLocaleString('en')} ${what}`,
  hint: 'split it into several files',
})

function count(counts: Counts, lexeme: string): Finding | null {
  const first = lexeme[0] ?? ''
  if (first === '\n' || first === '\r') counts.lines += 1
  else if (!BLANK.has(first) && !MARKS.has(first)) counts.tokens += 1
  if (counts.tokens > MAX_TOKENS) return tooMany('YAML tokens', MAX_TOKENS)
  return counts.lines > MAX_LINES ? tooMany('empty lines and line ends', MAX_LINES) : null
}

function refuseToken(counts: Counts, token: SyntaxToken): Finding | null {
  if (token.type === 'directive' && !/^%YAML[ \t]+1\.2[ \t]*$/.test(token.source))
    return { message: 'YAML directives are not supported', hint: 'remove the line; manifests are YAML 1.2' }
  if (token.type === 'document') counts.documents += 1
  return counts.documents > MAX_DOCUMENTS ? tooMany('documents', MAX_DOCUMENTS) : null
}

/**
 * The concrete syntax of a file, refused as soon as a limit is passed.
 * Composing nodes is recursive and makes an Error object a mistake, so depth and size are bounded before it.
 */
export function tokenize(text: string): Tokens {
  const parser = new Parser()
  const counts: Counts = { tokens: 0, lines: 0, documents: 0 }
  const tokens: SyntaxToken[] = []
  const refuse = (finding: Finding): Tokens => ({ ok: false, refusal: { ...finding, offset: Math.min(parser.offset, text.length) } })
  const take = (found: Iterable<SyntaxToken>): Finding | null => {
    for (const token of found) {
      const finding = refuseToken(counts, token)
      if (finding !== null) return finding
      tokens.push(token)
    }
    return null
  }
  for (const lexeme of new Lexer().lex(text)) {
    const finding = count(counts, lexeme) ?? take(parser.next(lexeme))
    if (finding !== null) return refuse(finding)
    if (parser.stack.length > MAX_DEPTH + STACK_OVERHEAD)
      return refuse({ message: `nested more than ${MAX_DEPTH} levels deep`, hint: 'no manifest needs that; check the brackets' })
  }
  const finding = take(parser.end())
  return finding === null ? { ok: true, tokens } : refuse(finding)
}
