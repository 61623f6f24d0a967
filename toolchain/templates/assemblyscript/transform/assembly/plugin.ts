// Adds request headers, removes response headers, logs request bodies and replaces texts in
// response bodies.
import { Config } from "./config";
import {
  Action,
  Counter,
  Level,
  log,
  Plugin,
  requestBody,
  requestHeaders,
  responseBody,
  responseHeaders,
  setLogLevel,
  Status,
  Stream,
} from "./host";
import { toNumber } from "./settings";
import { concat, isText, printable, replaceAll } from "./text";

/** One configuration of the plugin in one worker. */
class MyPlugin extends Plugin {
  config: Config = new Config("");
  requests: Counter = new Counter("wasmplug_my_plugin_requests_total");
  errors: Counter = new Counter("wasmplug_my_plugin_errors_total");
  bodiesReplaced: Counter = new Counter("wasmplug_my_plugin_bodies_replaced_total");
  bodiesTooLarge: Counter = new Counter("wasmplug_my_plugin_bodies_too_large_total");

  onConfigure(text: string): bool {
    const config = new Config(text);
    if (config.error.length > 0) {
      log(Level.error, `configuration refused: ${config.error}`);
      return false;
    }
    this.config = config;
    setLogLevel(config.logLevel);
    log(
      Level.info,
      `configured: ${config.addRequestHeaders.length} headers to add, ` +
        `${config.removeResponseHeaders.length} to remove, ` +
        `${config.replaceResponseText.length} texts to replace`,
    );
    return true;
  }

  newStream(): Stream {
    return new MyStream(this);
  }

  check(status: u32, doing: string): void {
    if (status == Status.ok) return;
    this.errors.add();
    log(Level.error, `cannot ${doing}: status ${status}`);
  }

  tooLarge(what: string): void {
    this.bodiesTooLarge.add();
    log(Level.warn, `${what} is above max_body_bytes (${this.config.maxBodyBytes})`);
  }
}

class MyStream extends Stream {
  private config: Config;
  /** Of the request's body, as far as it is logged. */
  private bodyStart: Uint8Array = new Uint8Array(0);
  private bodySize: u64 = 0;
  private rewrites: bool = false;

  constructor(private plugin: MyPlugin) {
    super();
    this.config = plugin.config;
  }

  onRequestHeaders(_end: bool): Action {
    this.plugin.requests.add();
    const headers = this.config.addRequestHeaders;
    for (let i = 0; i < headers.length; i++) {
      const header = headers[i];
      this.plugin.check(requestHeaders.set(header.name, header.value), `set ${header.name}`);
    }
    return Action.proceed;
  }

  // The body goes on chunk by chunk; only what is logged is kept.
  onRequestBody(size: u32, end: bool): Action {
    if (!this.config.logRequestBody) return Action.proceed;
    this.bodySize += size;
    const room = this.config.maxBodyBytes - u32(this.bodyStart.length);
    const wanted = min(size, room);
    const chunk = wanted > 0 ? requestBody.read(wanted) : null;
    if (chunk !== null) this.bodyStart = concat(this.bodyStart, Uint8Array.wrap(chunk));
    if (end && this.bodySize > 0) this.logBody();
    return Action.proceed;
  }

  onResponseHeaders(end: bool): Action {
    const names = this.config.removeResponseHeaders;
    for (let i = 0; i < names.length; i++) {
      this.plugin.check(responseHeaders.remove(names[i]), `remove ${names[i]}`);
    }
    this.rewrites = !end && this.mayRewrite();
    if (this.rewrites) {
      // The length will be another one; without it the body is sent in chunks.
      this.plugin.check(responseHeaders.remove("content-length"), "remove content-length");
    }
    return Action.proceed;
  }

  onResponseBody(size: u32, end: bool): Action {
    if (!this.rewrites) return Action.proceed;
    if (size > this.config.maxBodyBytes) {
      this.rewrites = false;
      this.plugin.tooLarge("a response body");
      return Action.proceed;
    }
    if (!end) return Action.pause;
    if (size > 0) this.rewrite(size);
    return Action.proceed;
  }

  private logBody(): void {
    const line = printable(this.bodyStart);
    if (this.bodySize == u64(this.bodyStart.length)) {
      log(Level.info, `request body (${this.bodySize} bytes): ${line}`);
      return;
    }
    const start = this.bodyStart.length;
    log(Level.info, `request body (first ${start} of ${this.bodySize} bytes): ${line}`);
    this.plugin.tooLarge("a request body");
  }

  /** Whether the response is a complete, uncompressed text within the limit. */
  private mayRewrite(): bool {
    if (this.config.replaceResponseText.length == 0) return false;
    const type = responseHeaders.get("content-type");
    if (type === null || !isText(type)) return false;
    if (responseHeaders.has("content-encoding") || responseHeaders.has("content-range")) return false;
    const length = responseHeaders.get("content-length");
    if (length === null || toNumber(length) <= i64(this.config.maxBodyBytes)) return true;
    this.plugin.tooLarge("a response body");
    return false;
  }

  private rewrite(size: u32): void {
    const body = responseBody.read(size);
    if (body === null) {
      this.plugin.check(Status.notFound, "read the response body");
      return;
    }
    const replaced = replaceAll(Uint8Array.wrap(body), this.config.replaceResponseText);
    if (replaced === null) return;
    this.plugin.check(responseBody.replace(size, replaced.buffer), "replace the response body");
    this.plugin.bodiesReplaced.add();
  }
}

export function newPlugin(): Plugin {
  return new MyPlugin();
}
