// V8's side of smith.c: modules, calls and byte strings that may be modules come in, outcomes go out.
import { crc32 } from 'node:zlib'
import { hashWords, read, trapClass, write } from './v8.mjs'

const I32 = 0x7f, I64 = 0x7e, F32 = 0x7d, F64 = 0x7c
const EXHAUSTED = 7
const bits = new DataView(new ArrayBuffer(8))

const word = () => read(4).readUInt32LE(0)

function readValue() {
  const type = word(), low = word(), high = word()
  bits.setUint32(0, low, true)
  bits.setUint32(4, high, true)
  switch (type) {
    case I32: return low | 0
    case I64: return bits.getBigInt64(0, true)
    case F32: return bits.getFloat32(0, true)
    case F64: return bits.getFloat64(0, true)
    default: return null
  }
}

function readCall() {
  const index = word(), params = word(), results = word()
  const values = Array.from({ length: params }, readValue), types = Array.from({ length: results }, word)
  return { index, values, types }
}

// Two words; all NaNs are one, since JavaScript has but one; a reference is null or not.
function wordsOf(type, value) {
  bits.setBigUint64(0, 0n)
  switch (type) {
    case I32: bits.setInt32(0, value, true); break
    case I64: bits.setBigInt64(0, value, true); break
    case F32: Number.isNaN(value) ? bits.setUint32(0, 0x7fc00000, true) : bits.setFloat32(0, value, true); break
    case F64: Number.isNaN(value) ? bits.setUint32(4, 0x7ff80000, true) : bits.setFloat64(0, value, true); break
    default: bits.setUint32(0, value === null ? 1 : 2, true)
  }
  return [bits.getUint32(0, true), bits.getUint32(4, true)]
}

function outcome(f, { values, types }) {
  try {
    const result = f(...values), results = types.length === 1 ? [result] : types.length === 0 ? [] : [...result]
    return hashWords(1, results.flatMap((value, i) => wordsOf(types[i], value)), 0, 2 * types.length)
  } catch (error) {
    const kind = trapClass(error)
    return kind === EXHAUSTED ? EXHAUSTED : hashWords(kind + 1, [], 0, 0)
  }
}

function memoriesOf(exports) {
  let hash = 0
  for (const { name, kind } of exports.list) {
    if (kind !== 'memory') continue
    hash = crc32(new Uint8Array(exports.objects[name].buffer), hash)
  }
  return hash
}

function run(bytes, calls, out) {
  let instance
  const module = new WebAssembly.Module(bytes), list = WebAssembly.Module.exports(module)
  out[0] = 1
  try {
    instance = new WebAssembly.Instance(module)
  } catch (error) {
    out[1] = trapClass(error)
    return
  }
  for (let i = 0; i < calls.length; i++) {
    out[3 + i] = outcome(instance.exports[list[calls[i].index].name], calls[i])
    if (out[3 + i] === EXHAUSTED) return
  }
  out[2] = memoriesOf({ list, objects: instance.exports })
}

for (;;) {
  const bytes = read(word()), calls = Array.from({ length: word() }, readCall), mutants = word()
  const out = new Uint32Array(3 + calls.length + mutants)
  for (let i = 0; i < mutants; i++) out[3 + calls.length + i] = WebAssembly.validate(read(word())) ? 1 : 0
  try {
    run(bytes, calls, out)
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) console.error('smith.mjs: ' + error)
    else if (process.env.VERBOSE) console.error('V8: ' + error.message)
  }
  write(out)
}
