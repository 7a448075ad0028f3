// What the two sides of V8 have in common (differential.mjs, smith.mjs).
import { readSync, writeSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'

setFlagsFromString('--experimental-wasm-exnref')
Error.stackTraceLimit = 0 // traps are the common case, and nobody reads their stacks

export function read(length) {
  const bytes = Buffer.allocUnsafe(length)
  for (let at = 0; at < length;) {
    const got = readSync(0, bytes, at, length - at)
    if (got === 0) process.exit(0)
    at += got
  }
  return bytes
}

export function write(words) {
  const bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength)
  for (let at = 0; at < bytes.length;) at += writeSync(1, bytes, at)
}

// The kind of a trap as trap_class of variant.c says it.
export function trapClass(error) {
  const text = String(error.message)
  if (error instanceof WebAssembly.Exception) return 8
  if (!(error instanceof WebAssembly.RuntimeError)) return 7
  if (text === 'unreachable') return 1
  if (text.includes('memory access out of bounds') || text.includes('unaligned')) return 2
  if (text === 'divide by zero' || text === 'remainder by zero') return 3
  if (text === 'divide result unrepresentable' || text === 'float unrepresentable in integer range') return 4
  if (text.includes('table index is out of bounds') || text.includes('table access out of bounds')) return 5
  if (text.includes('null function or function signature mismatch') || text.includes('signature mismatch')) return 6
  if (text === 'dereferencing a null pointer' || text === 'rethrowing null value') return 9
  if (text === 'illegal cast') return 10
  if (text === 'array element access out of bounds' || text === 'array index out of bounds') return 11
  if (text.includes('data segment') || text.includes('element segment')) return text.includes('data') ? 2 : 5
  if (!text.includes('requested new array is too large')) console.error('unknown trap: ' + text)
  return 7
}

export function hashWords(hash, words, first, count) {
  for (let i = first; i < first + count; i++) hash = Math.imul(hash ^ words[i], 0x01000193)
  return hash
}
