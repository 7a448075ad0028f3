// V8's side of differential fuzzing (differential.c): modules and calls come in, outcomes go out.
import { readSync, writeSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'

setFlagsFromString('--experimental-wasm-exnref')

Error.stackTraceLimit = 0 // traps are the common case, and nobody reads their stacks

const GENERATE_RESULTS_AT = 256, AREA = 128

function read(length) {
  const bytes = Buffer.allocUnsafe(length)
  for (let at = 0; at < length;) {
    const got = readSync(0, bytes, at, length - at)
    if (got === 0) process.exit(0)
    at += got
  }
  return bytes
}

// enum generate_feature of generate.h, and a module that only an engine with it accepts
const FEATURES = [
  [1 << 0, [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 6, 1, 4, 0, 0x12, 0, 0x0b]], // return_call
  [1 << 1, [1, 5, 1, 0x60, 1, 0x69, 0]], // exnref
  [1 << 2, [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 7, 1, 5, 0, 6, 0x40, 0x0b, 0x0b]], // try
  [1 << 3, [1, 6, 1, 0x50, 0, 0x5e, 0x6e, 0]], // an array of anyref
  [1 << 4, [5, 3, 1, 4, 1]], // a memory of 64-bit addresses
  [1 << 5, [5, 5, 2, 0, 1, 0, 1]], // two memories
]

function features() {
  const has = bytes => WebAssembly.validate(Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...bytes]))
  return FEATURES.reduce((mask, [bit, bytes]) => mask | (has(bytes) ? bit : 0), 0)
}

function trapClass(error) {
  const text = String(error.message)
  if (error instanceof WebAssembly.Exception) return 8
  if (!(error instanceof WebAssembly.RuntimeError)) return 7
  if (text === 'unreachable') return 1
  if (text.includes('memory access out of bounds') || text.includes('unaligned')) return 2
  if (text === 'divide by zero' || text === 'remainder by zero') return 3
  if (text === 'divide result unrepresentable' || text === 'float unrepresentable in integer range') return 4
  if (text.includes('table index is out of bounds') || text.includes('table access out of bounds')) return 5
  if (text.includes('null function or function signature mismatch') || text.includes('signature mismatch')) return 6
  if (text === 'dereferencing a null pointer') return 9
  if (text === 'illegal cast') return 10
  if (text === 'array element access out of bounds' || text === 'array index out of bounds') return 11
  if (text.includes('data segment') || text.includes('element segment')) return text.includes('data') ? 2 : 5
  console.error('differential.mjs: unknown trap: ' + text)
  return 7
}

function hashWords(hash, words, first, count) {
  for (let i = first; i < first + count; i++) hash = Math.imul(hash ^ words[i], 0x01000193)
  return hash
}

function run(module, calls, count, out) {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module))
  const functions = []
  for (let i = 0; exports[i] !== undefined; i++) functions.push(exports[i])
  let bytes = new Uint8Array(exports.memory.buffer), words = new Uint32Array(exports.memory.buffer)
  for (let i = 0; i < count; i++) {
    const at = i * (4 + AREA)
    let trap = 0
    bytes.set(calls.subarray(at + 4, at + 4 + AREA), 0)
    try {
      functions[calls.readUInt32LE(at)]()
    } catch (error) {
      trap = trapClass(error)
    }
    if (bytes.length === 0) {
      bytes = new Uint8Array(exports.memory.buffer)
      words = new Uint32Array(exports.memory.buffer)
    }
    if (String(i) === process.env.CALL) {
      const hex = Buffer.from(bytes.subarray(GENERATE_RESULTS_AT, GENERATE_RESULTS_AT + 48)).toString('hex')
      console.error(`V8:   trap ${trap}, results ${hex.replace(/.{32}/g, '$& ')}`)
    }
    out[i] = hashWords(trap + 1, words, GENERATE_RESULTS_AT / 4, AREA / 4)
  }
  let hash = 0
  for (const memory of [exports.memory, exports.memory1]) {
    if (memory === undefined) continue
    words = new Uint32Array(memory.buffer)
    hash = hashWords(hash ^ (words.length * 4), words, 0, words.length)
  }
  out[count] = hash
}

writeSync(1, Uint32Array.of(features()))
for (;;) {
  const sizes = read(8), module = read(sizes.readUInt32LE(0)), count = sizes.readUInt32LE(4)
  const calls = read(count * (4 + AREA)), out = new Uint32Array(count + 1)
  try {
    run(module, calls, count, out)
  } catch (error) {
    console.error('differential.mjs: ' + error)
  }
  const bytes = Buffer.from(out.buffer)
  for (let at = 0; at < bytes.length;) at += writeSync(1, bytes, at)
}
