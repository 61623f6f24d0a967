// The host as the plugin sees it: the calls of the Proxy-Wasm ABI 0.2.1, by way of the SDK's
// imports. The SDK's own wrappers are not used: they abort the VM where these give a status, and
// their log() loses the level.
import * as imports from "@gcoredev/proxy-wasm-sdk-as/assembly/imports";
import { free } from "@gcoredev/proxy-wasm-sdk-as/assembly/malloc";

export enum Level {
  trace,
  debug,
  info,
  warn,
  error,
  critical,
}

/** What the host answers to every call; more of them are in the ABI's specification. */
export namespace Status {
  export const ok: u32 = 0;
  export const notFound: u32 = 1;
  export const casMismatch: u32 = 8;
}

/** What becomes of the message after a callback. */
export enum Action {
  proceed,
  pause,
}

let lowestLevel: Level = Level.info;

/** Lines below this level are dropped before they reach the host. */
export function setLogLevel(level: Level): void {
  lowestLevel = level;
}

export function log(level: Level, message: string): void {
  if (level < lowestLevel) return;
  const text = String.UTF8.encode(message);
  imports.proxy_log(level, changetype<usize>(text), text.byteLength);
}

/** Called by the runtime when an assertion fails or memory runs out; the VM ends here. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const what = message === null ? "" : message;
  const where = file === null ? "" : file;
  log(Level.critical, `abort: ${what} at ${where}:${line}:${column}`);
  unreachable();
}

// Where the host puts its answers: the address of the data, its size, one more number.
const answer: usize = memory.data(16, 8);

/** The bytes of the last answer; the host has taken their memory from malloc(). */
function takeAnswer(): ArrayBuffer {
  const data = load<usize>(answer);
  if (load<usize>(answer, 4) == 0) return new ArrayBuffer(0);
  const bytes = changetype<ArrayBuffer>(data);
  free(data);
  return bytes;
}

export class Header {
  constructor(
    public name: string,
    public value: string,
  ) {}
}

/**
 * A header map of the current stream or HTTP call. Envoy has it only while the callback of the
 * same phase runs; at any other time get() finds nothing and the others do not answer ok.
 */
export class Headers {
  constructor(private map: i32) {}

  get(name: string): string | null {
    const key = String.UTF8.encode(name);
    const status = imports.proxy_get_header_map_value(
      this.map,
      changetype<usize>(key),
      key.byteLength,
      answer,
      answer + 4,
    );
    return status == Status.ok ? String.UTF8.decode(takeAnswer()) : null;
  }

  has(name: string): bool {
    return this.get(name) !== null;
  }

  /** Replaces all values of the name, or adds it. */
  set(name: string, value: string): u32 {
    const key = String.UTF8.encode(name);
    const text = String.UTF8.encode(value);
    return imports.proxy_replace_header_map_value(
      this.map,
      changetype<usize>(key),
      key.byteLength,
      changetype<usize>(text),
      text.byteLength,
    );
  }

  remove(name: string): u32 {
    const key = String.UTF8.encode(name);
    return imports.proxy_remove_header_map_value(this.map, changetype<usize>(key), key.byteLength);
  }
}

export const requestHeaders = new Headers(0);
export const responseHeaders = new Headers(2);
export const callResponseHeaders = new Headers(6);

/** A body: the chunk at hand, or all that is buffered when the callback before this one paused. */
export class Body {
  constructor(private buffer: i32) {}

  read(size: u32): ArrayBuffer | null {
    const status = imports.proxy_get_buffer_bytes(this.buffer, 0, size, answer, answer + 4);
    return status == Status.ok ? takeAnswer() : null;
  }

  /** Puts `data` in place of the first `size` bytes. */
  replace(size: u32, data: ArrayBuffer): u32 {
    const start = changetype<usize>(data);
    return imports.proxy_set_buffer_bytes(this.buffer, 0, size, start, data.byteLength);
  }
}

export const requestBody = new Body(0);
export const responseBody = new Body(1);

/** The text of the plugin's configuration, or null when the host does not hand it out. */
export function pluginConfiguration(size: u32): string | null {
  if (size == 0) return "";
  const bytes = new Body(7).read(size);
  return bytes === null ? null : String.UTF8.decode(bytes);
}

/** A counter that Envoy exports under its name. One that the host refuses counts nothing. */
export class Counter {
  private id: u32 = 0;
  private defined: bool = false;

  constructor(name: string) {
    const text = String.UTF8.encode(name);
    const status = imports.proxy_define_metric(0, changetype<usize>(text), text.byteLength, answer);
    this.defined = status == Status.ok;
    this.id = load<u32>(answer);
    if (!this.defined) log(Level.warn, `metric ${name} cannot be defined`);
  }

  add(): void {
    if (this.defined) imports.proxy_increment_metric(this.id, 1);
  }
}

/** A value that all workers share, and the number that says whether it has changed since. */
export class SharedValue {
  constructor(
    public value: ArrayBuffer,
    public cas: u32,
  ) {}
}

/**
 * The number for a key that nobody has written. The host takes any number for such a key, and
 * refuses one that is not the last for any other; 0 would overwrite what is there.
 */
export const notYet: u32 = u32.MAX_VALUE;

export function getShared(key: string): SharedValue | null {
  const text = String.UTF8.encode(key);
  const start = changetype<usize>(text);
  const size = text.byteLength;
  const status = imports.proxy_get_shared_data(start, size, answer, answer + 4, answer + 8);
  if (status != Status.ok) return null;
  const cas = load<u32>(answer, 8);
  return new SharedValue(takeAnswer(), cas);
}

/** Answers casMismatch when somebody wrote the key since `cas` was read. */
export function setShared(key: string, value: ArrayBuffer, cas: u32): u32 {
  const text = String.UTF8.encode(key);
  return imports.proxy_set_shared_data(
    changetype<usize>(text),
    text.byteLength,
    changetype<usize>(value),
    value.byteLength,
    cas,
  );
}

export function setTickPeriod(milliseconds: u32): u32 {
  return imports.proxy_set_tick_period_milliseconds(milliseconds);
}

/** Milliseconds since 1970. */
export function now(): u64 {
  imports.proxy_get_current_time_nanoseconds(answer + 8);
  return load<u64>(answer, 8) / 1_000_000;
}

/** Count, the sizes of each pair, then names and values, each followed by a zero byte. */
function encodeHeaders(headers: Header[]): ArrayBuffer {
  let size = 4;
  for (let i = 0; i < headers.length; i++) {
    const header = headers[i];
    size += 10 + String.UTF8.byteLength(header.name) + String.UTF8.byteLength(header.value);
  }
  const out = new ArrayBuffer(headers.length == 0 ? 0 : size);
  if (headers.length == 0) return out;
  let sizes = changetype<usize>(out);
  let text = sizes + 4 + 8 * headers.length;
  store<u32>(sizes, headers.length);
  for (let i = 0; i < headers.length; i++) {
    sizes += 4;
    text = put(headers[i].name, sizes, text);
    sizes += 4;
    text = put(headers[i].value, sizes, text);
  }
  return out;
}

function put(part: string, size: usize, at: usize): usize {
  const bytes = String.UTF8.byteLength(part);
  store<u32>(size, bytes);
  String.UTF8.encodeUnsafe(changetype<usize>(part), part.length, at, true);
  return at + bytes + 1;
}

/** One HTTP request and its response. */
export abstract class Stream {
  id: u32 = 0;

  onRequestHeaders(_end: bool): Action {
    return Action.proceed;
  }

  onRequestBody(_size: u32, _end: bool): Action {
    return Action.proceed;
  }

  onResponseHeaders(_end: bool): Action {
    return Action.proceed;
  }

  onResponseBody(_size: u32, _end: bool): Action {
    return Action.proceed;
  }

  /** The answer to httpCall(); `answered` is false when there was none. */
  onHttpCallDone(_answered: bool): void {}

  /** Anything but ok means that no call was made and onHttpCallDone will not run. */
  protected httpCall(cluster: string, headers: Header[], timeout: u32): u32 {
    const name = String.UTF8.encode(cluster);
    const pairs = encodeHeaders(headers);
    const status = imports.proxy_http_call(
      changetype<usize>(name),
      name.byteLength,
      changetype<usize>(pairs),
      pairs.byteLength,
      0,
      0,
      0,
      0,
      timeout,
      answer,
    );
    if (status == Status.ok) calls.set(load<u32>(answer), this.id);
    return status;
  }

  protected resumeRequest(): u32 {
    return imports.proxy_continue_stream(0);
  }

  /** Answers the client instead of the upstream; `details` shows up in the access log. */
  protected respond(status: u32, details: string, body: ArrayBuffer, headers: Header[]): u32 {
    const name = String.UTF8.encode(details);
    const pairs = encodeHeaders(headers);
    return imports.proxy_send_local_response(
      status,
      changetype<usize>(name),
      name.byteLength,
      changetype<usize>(body),
      body.byteLength,
      changetype<usize>(pairs),
      pairs.byteLength,
      -1,
    );
  }
}

/** One configuration of the plugin in one worker. */
export abstract class Plugin {
  /** False refuses the configuration: Envoy keeps the one before, or does not start. */
  abstract onConfigure(text: string): bool;
  abstract newStream(): Stream;
  onTick(): void {}
}

/** Everything that is alive in this VM. */
export const plugins = new Map<u32, Plugin>();
export const streams = new Map<u32, Stream>();
/** From a call's token to the stream that made it. */
export const calls = new Map<u32, u32>();
