// run.mjs MODULE SIZE: the same in Node as gc.c does here. Pauses are what --trace-gc prints.
import fs from 'node:fs';

const instance = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(process.argv[2])), {});
const before = process.cpuUsage();
instance.exports.run(Number(process.argv[3]));
const used = process.cpuUsage(before);
console.log(`cpu ${(used.user + used.system) / 1e3}`);
