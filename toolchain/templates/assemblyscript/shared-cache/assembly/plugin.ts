// Answers GET requests from a cache that all workers share.
import { Config } from "./config";
import { concat, Entry, forbidsStoring, slotOf } from "./entry";
import {
  Action,
  Counter,
  getShared,
  Header,
  Level,
  log,
  notYet,
  now,
  Plugin,
  requestHeaders,
  responseBody,
  responseHeaders,
  setLogLevel,
  setShared,
  setTickPeriod,
  Status,
  Stream,
} from "./host";
import { toNumber } from "./settings";

const tickMs = 1000;
/** How many slots one tick looks at: the host copies each into this VM. */
const slotsPerTick: u32 = 16;
/** Longer ones are not worth a slot. */
const longestKey = 1024;
/** A request with one of these gets an answer of its own. */
const personal = ["authorization", "cookie", "range", "cache-control", "upgrade"];
/** A response with one of these is not for everybody, or not for every time. */
const unfit = ["set-cookie", "vary", "content-encoding"];

/** One configuration of the plugin in one worker. */
class MyPlugin extends Plugin {
  config: Config = new Config("");
  requests: Counter = new Counter("wasmplug_my_plugin_requests_total");
  errors: Counter = new Counter("wasmplug_my_plugin_errors_total");
  hits: Counter = new Counter("wasmplug_my_plugin_hits_total");
  misses: Counter = new Counter("wasmplug_my_plugin_misses_total");
  stored: Counter = new Counter("wasmplug_my_plugin_stored_total");
  expired: Counter = new Counter("wasmplug_my_plugin_expired_total");
  bodiesTooLarge: Counter = new Counter("wasmplug_my_plugin_bodies_too_large_total");
  private nextSlot: u32 = 0;

  onConfigure(text: string): bool {
    const config = new Config(text);
    if (config.error.length > 0) {
      log(Level.error, `configuration refused: ${config.error}`);
      return false;
    }
    this.config = config;
    this.nextSlot = 0;
    setLogLevel(config.logLevel);
    if (setTickPeriod(tickMs) != Status.ok) {
      log(Level.warn, "no ticks: expired answers stay in memory");
    }
    log(
      Level.info,
      `configured: cache_ttl_seconds=${config.cacheTtlSeconds}, max_entries=${config.maxEntries}`,
    );
    return true;
  }

  newStream(): Stream {
    return new MyStream(this);
  }

  // Shared data cannot be deleted: an expired slot is emptied, unless another worker has written
  // it in the meantime.
  onTick(): void {
    const time = now();
    for (let i: u32 = 0; i < slotsPerTick && i < this.config.maxEntries; i++) {
      const key = slotKey(this.nextSlot);
      this.nextSlot = (this.nextSlot + 1) % this.config.maxEntries;
      const slot = getShared(key);
      const entry = slot !== null ? Entry.decode(slot.value) : null;
      if (slot === null || entry === null || !entry.expired(time, this.config.cacheTtlSeconds)) continue;
      if (setShared(key, new ArrayBuffer(0), slot.cas) == Status.ok) this.expired.add();
    }
  }

  slotFor(key: string): string {
    return slotKey(slotOf(key, this.config.maxEntries));
  }

  check(status: u32, doing: string): void {
    if (status == Status.ok) return;
    this.errors.add();
    log(Level.error, `cannot ${doing}: status ${status}`);
  }

  tooLarge(): void {
    this.bodiesTooLarge.add();
    log(Level.debug, `not kept: the body is above max_body_bytes (${this.config.maxBodyBytes})`);
  }
}

class MyStream extends Stream {
  private config: Config;
  /** Empty when this request has nothing to do with the cache. */
  private key: string = "";
  /** The answer that is being collected. */
  private keeping: Entry | null = null;

  constructor(private plugin: MyPlugin) {
    super();
    this.config = plugin.config;
  }

  onRequestHeaders(end: bool): Action {
    this.plugin.requests.add();
    const key = end ? cacheKey() : "";
    if (key.length == 0) return Action.proceed;
    const time = now();
    const slot = getShared(this.plugin.slotFor(key));
    const entry = slot !== null ? Entry.decode(slot.value) : null;
    if (entry !== null && entry.key == key && !entry.expired(time, this.config.cacheTtlSeconds)) {
      const status = this.answer(entry, time);
      this.plugin.check(status, "answer from the cache");
      if (status == Status.ok) {
        // The answer comes through onResponseHeaders too: without a key.
        this.plugin.hits.add();
        return Action.pause;
      }
    }
    this.plugin.misses.add();
    this.key = key;
    return Action.proceed;
  }

  onResponseHeaders(end: bool): Action {
    if (this.key.length == 0) return Action.proceed;
    this.plugin.check(responseHeaders.set("x-cache", "miss"), "set x-cache");
    if (this.mayKeep()) {
      const type = responseHeaders.get("content-type");
      this.keeping = new Entry(0, this.key, type === null ? "" : type, new Uint8Array(0));
    }
    if (end) this.keep();
    return Action.proceed;
  }

  // The body goes on chunk by chunk, and is kept at its end.
  onResponseBody(size: u32, end: bool): Action {
    const entry = this.keeping;
    if (entry === null) return Action.proceed;
    if (u64(entry.body.length) + size > this.config.maxBodyBytes) {
      this.keeping = null;
      this.plugin.tooLarge();
      return Action.proceed;
    }
    if (size > 0) {
      const chunk = responseBody.read(size);
      if (chunk === null || u32(chunk.byteLength) != size) {
        this.keeping = null;
        this.plugin.check(Status.notFound, "read the response body");
        return Action.proceed;
      }
      entry.body = concat(entry.body, Uint8Array.wrap(chunk));
    }
    if (end) this.keep();
    return Action.proceed;
  }

  private answer(entry: Entry, time: u64): u32 {
    const headers = [new Header("x-cache", "hit"), new Header("age", entry.age(time).toString())];
    if (entry.contentType.length > 0) headers.push(new Header("content-type", entry.contentType));
    return this.respond(200, "cache_hit", entry.body.buffer, headers);
  }

  private mayKeep(): bool {
    const status = responseHeaders.get(":status");
    if (status === null || status != "200") return false;
    for (let i = 0; i < unfit.length; i++) {
      if (responseHeaders.has(unfit[i])) return false;
    }
    const control = responseHeaders.get("cache-control");
    if (control !== null && forbidsStoring(control)) return false;
    const length = responseHeaders.get("content-length");
    if (length === null || toNumber(length) <= i64(this.config.maxBodyBytes)) return true;
    this.plugin.tooLarge();
    return false;
  }

  private keep(): void {
    const entry = this.keeping;
    if (entry === null) return;
    this.keeping = null;
    entry.storedMs = now();
    const key = this.plugin.slotFor(entry.key);
    const before = getShared(key);
    const status = setShared(key, entry.encode(), before === null ? notYet : before.cas);
    if (status == Status.casMismatch) {
      log(Level.debug, `another worker has just written ${key}`);
      return;
    }
    this.plugin.check(status, "keep an answer");
    if (status == Status.ok) this.plugin.stored.add();
  }
}

/** Empty when the cache is not to be asked: the answer could be another one for this client. */
function cacheKey(): string {
  const method = requestHeaders.get(":method");
  const host = requestHeaders.get(":authority");
  const path = requestHeaders.get(":path");
  if (method === null || method != "GET" || host === null || path === null) return "";
  for (let i = 0; i < personal.length; i++) {
    if (requestHeaders.has(personal[i])) return "";
  }
  return host.length + path.length <= longestKey ? host + path : "";
}

function slotKey(slot: u32): string {
  return `my-plugin/slot/${slot}`;
}

export function newPlugin(): Plugin {
  return new MyPlugin();
}
