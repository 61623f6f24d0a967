// The callbacks of the Proxy-Wasm ABI 0.2.1; index.ts exports them.
import { proxy_set_effective_context } from "@gcoredev/proxy-wasm-sdk-as/assembly/imports";
import { calls, Level, log, Plugin, pluginConfiguration, plugins, Status, Stream, streams } from "./host";
import { newPlugin } from "./plugin";

export { malloc } from "@gcoredev/proxy-wasm-sdk-as/assembly/malloc";

function plugin(id: u32): Plugin | null {
  return plugins.has(id) ? plugins.get(id) : null;
}

function stream(id: u32): Stream | null {
  return streams.has(id) ? streams.get(id) : null;
}

export function proxy_abi_version_0_2_1(): void {}

export function proxy_on_vm_start(_id: u32, _size: u32): u32 {
  return 1;
}

export function proxy_on_context_create(id: u32, root: u32): void {
  if (root == 0) {
    plugins.set(id, newPlugin());
    return;
  }
  const owner = plugin(root);
  if (owner === null) return;
  const created = owner.newStream();
  created.id = id;
  streams.set(id, created);
}

export function proxy_on_configure(id: u32, size: u32): u32 {
  const owner = plugin(id);
  const text = pluginConfiguration(size);
  if (text === null) log(Level.error, "the host does not hand out the configuration");
  return owner !== null && text !== null && owner.onConfigure(text) ? 1 : 0;
}

export function proxy_on_tick(id: u32): void {
  const owner = plugin(id);
  if (owner !== null) owner.onTick();
}

export function proxy_on_request_headers(id: u32, _count: u32, end: u32): u32 {
  const current = stream(id);
  return current === null ? 0 : current.onRequestHeaders(end != 0);
}

export function proxy_on_request_body(id: u32, size: u32, end: u32): u32 {
  const current = stream(id);
  return current === null ? 0 : current.onRequestBody(size, end != 0);
}

export function proxy_on_response_headers(id: u32, _count: u32, end: u32): u32 {
  const current = stream(id);
  return current === null ? 0 : current.onResponseHeaders(end != 0);
}

export function proxy_on_response_body(id: u32, size: u32, end: u32): u32 {
  const current = stream(id);
  return current === null ? 0 : current.onResponseBody(size, end != 0);
}

export function proxy_on_http_call_response(_root: u32, token: u32, headers: u32, _body: u32, _trailers: u32): void {
  if (!calls.has(token)) return;
  const id = calls.get(token);
  calls.delete(token);
  const current = stream(id);
  // The client may have left in the meantime: then there is nobody to tell.
  if (current === null || proxy_set_effective_context(id) != Status.ok) return;
  current.onHttpCallDone(headers > 0);
}

export function proxy_on_done(_id: u32): u32 {
  return 1;
}

export function proxy_on_delete(id: u32): void {
  streams.delete(id);
  plugins.delete(id);
}
