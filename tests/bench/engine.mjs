// A WASI command under V8, for tests/bench/engine.sh: node [V8's flags] engine.mjs MODULE [ARGUMENT...]
import { readFileSync } from 'node:fs'
import { WASI } from 'node:wasi'

const wasi = new WASI({ version: 'preview1', args: process.argv.slice(2), returnOnExit: false })
const module = new WebAssembly.Module(readFileSync(process.argv[2]))
wasi.start(new WebAssembly.Instance(module, { wasi_snapshot_preview1: wasi.wasiImport }))
