// V8's side of tests/bench/compile.sh: CPU seconds of validating and of compiling a module with Liftoff, all of it, now.
// Prints both, and the peak memory in MB.
import { readFileSync } from 'node:fs'

function cpuSeconds(work) {
  const begin = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(begin)
  return (user + system) / 1e6
}

const bytes = readFileSync(process.argv[2])
let valid
const validate = cpuSeconds(() => { valid = WebAssembly.validate(bytes) })
if (!valid) process.exit(1)
const compile = cpuSeconds(() => new WebAssembly.Module(bytes))
console.log(validate, compile, process.resourceUsage().maxRSS / 1024)
