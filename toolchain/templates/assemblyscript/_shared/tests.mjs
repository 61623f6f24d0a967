// Runs every exported test_* function of build/tests.wasm; one that aborts has failed.
import { readFile } from "node:fs/promises";

const module = await WebAssembly.compile(await readFile("build/tests.wasm"));
let memory;
// AssemblyScript keeps the length of a string, in bytes, four bytes before it.
const text = (at) =>
  at ? Buffer.from(memory.buffer, at, new Uint32Array(memory.buffer)[(at - 4) >>> 2]).toString("utf16le") : "";
const env = {
  abort: (message, file, line, column) => {
    throw new Error(`${text(file)}:${line}:${column}: ${text(message)}`);
  },
};
// What needs a host is tested by `wasmplug test`.
for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
  if (from === "env" && kind === "function") env[name] ??= () => 12;
}
const { exports } = await WebAssembly.instantiate(module, { env });
memory = exports.memory;
exports._initialize();

let failed = 0;
const tests = Object.keys(exports).filter((name) => name.startsWith("test_"));
for (const name of tests) {
  try {
    exports[name]();
    console.log(`ok     ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED ${name}\n       ${error.message}`);
  }
}
console.log(`${tests.length - failed} passed, ${failed} failed`);
process.exit(failed || tests.length === 0 ? 1 : 0);
