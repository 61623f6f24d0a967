// Asks another service whether a request may pass.
import { Config } from "./config";
import {
  Action,
  callResponseHeaders,
  Counter,
  Header,
  Level,
  log,
  Plugin,
  requestHeaders,
  setLogLevel,
  Status,
  Stream,
} from "./host";
import { toNumber } from "./settings";
import { judge, statusForClient, Verdict } from "./verdict";

/** The header in which the service names the user; nobody else may. */
const userHeader = "x-auth-user";

/** One configuration of the plugin in one worker. */
class MyPlugin extends Plugin {
  config: Config = new Config("");
  requests: Counter = new Counter("wasmplug_my_plugin_requests_total");
  errors: Counter = new Counter("wasmplug_my_plugin_errors_total");
  allowed: Counter = new Counter("wasmplug_my_plugin_allowed_total");
  denied: Counter = new Counter("wasmplug_my_plugin_denied_total");

  onConfigure(text: string): bool {
    const config = new Config(text);
    if (config.error.length > 0) {
      log(Level.error, `configuration refused: ${config.error}`);
      return false;
    }
    this.config = config;
    setLogLevel(config.logLevel);
    log(Level.info, `configured: auth_cluster=${config.authCluster}, auth_path=${config.authPath}`);
    return true;
  }

  newStream(): Stream {
    return new MyStream(this);
  }
}

class MyStream extends Stream {
  private config: Config;

  constructor(private plugin: MyPlugin) {
    super();
    this.config = plugin.config;
  }

  onRequestHeaders(_end: bool): Action {
    this.plugin.requests.add();
    if (requestHeaders.remove(userHeader) != Status.ok) {
      return this.refuse(`${userHeader} cannot be removed`);
    }
    const status = this.ask();
    if (status == Status.ok) return Action.pause;
    return this.withoutAnswer(`cluster ${this.config.authCluster} cannot be called: status ${status}`);
  }

  onHttpCallDone(answered: bool): void {
    const text = answered ? callResponseHeaders.get(":status") : null;
    const status: i64 = text === null ? -1 : toNumber(text);
    const verdict = judge(status);
    const action =
      verdict == Verdict.allow
        ? this.allow()
        : verdict == Verdict.deny
          ? this.deny(statusForClient(status))
          : this.withoutAnswer(status < 0 ? "the service did not answer" : `the service answered ${status}`);
    if (action == Action.proceed && this.resumeRequest() != Status.ok) {
      this.refuse("the request cannot be resumed");
    }
  }

  private ask(): u32 {
    const headers = [
      new Header(":method", "GET"),
      new Header(":path", this.config.authPath),
      new Header(":authority", this.config.authority()),
    ];
    copy(":method", "x-forwarded-method", headers);
    copy(":authority", "x-forwarded-host", headers);
    copy(":path", "x-forwarded-uri", headers);
    copy("authorization", "authorization", headers);
    copy("cookie", "cookie", headers);
    copy("x-request-id", "x-request-id", headers);
    return this.httpCall(this.config.authCluster, headers, this.config.timeoutMs);
  }

  private allow(): Action {
    const user = callResponseHeaders.get(userHeader);
    if (user !== null && requestHeaders.set(userHeader, user) != Status.ok) {
      return this.withoutAnswer("the user cannot be passed on");
    }
    this.plugin.allowed.add();
    return Action.proceed;
  }

  private deny(status: u32): Action {
    this.plugin.denied.add();
    log(Level.info, `denied with ${status}`);
    const headers: Header[] = [];
    const challenge = callResponseHeaders.get("www-authenticate");
    if (challenge !== null) headers.push(new Header("www-authenticate", challenge));
    this.answer(status, "auth_denied", status == 401 ? "unauthorized\n" : "forbidden\n", headers);
    return Action.pause;
  }

  private withoutAnswer(why: string): Action {
    if (!this.config.failureModeAllow) return this.refuse(why);
    this.plugin.errors.add();
    log(Level.error, why + "; passed");
    return Action.proceed;
  }

  private refuse(why: string): Action {
    this.plugin.errors.add();
    log(Level.error, why + "; refused");
    this.answer(503, "auth_unavailable", "authorization is unavailable\n", []);
    return Action.pause;
  }

  private answer(status: u32, details: string, body: string, headers: Header[]): void {
    if (this.respond(status, details, String.UTF8.encode(body), headers) != Status.ok) {
      log(Level.error, "cannot answer");
    }
  }
}

/** Adds the request's header to those of the call, under its name there. */
function copy(from: string, to: string, headers: Header[]): void {
  const value = requestHeaders.get(from);
  if (value !== null) headers.push(new Header(to, value));
}

export function newPlugin(): Plugin {
  return new MyPlugin();
}
