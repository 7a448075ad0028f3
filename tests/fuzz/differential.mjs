// V8's side of differential fuzzing (differential.c): modules and calls come in, outcomes go out.
import { hashWords, read, trapClass, write } from './v8.mjs'

const GENERATE_RESULTS_AT = 256, AREA = 128

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

write(Uint32Array.of(features()))
for (;;) {
  const sizes = read(8), module = read(sizes.readUInt32LE(0)), count = sizes.readUInt32LE(4)
  const calls = read(count * (4 + AREA)), out = new Uint32Array(count + 1)
  try {
    run(module, calls, count, out)
  } catch (error) {
    console.error('differential.mjs: ' + error)
  }
  write(out)
}
