// Sets a configured header on the responses with the configured status codes.
import { Config } from "./config";
import { Action, Counter, Level, log, Plugin, responseHeaders, setLogLevel, Status, Stream } from "./host";
import { toNumber } from "./settings";

/** One configuration of the plugin in one worker. */
class MyPlugin extends Plugin {
  config: Config = new Config("");
  requests: Counter = new Counter("wasmplug_my_plugin_requests_total");
  errors: Counter = new Counter("wasmplug_my_plugin_errors_total");
  headersSet: Counter = new Counter("wasmplug_my_plugin_headers_set_total");

  onConfigure(text: string): bool {
    const config = new Config(text);
    if (config.error.length > 0) {
      log(Level.error, `configuration refused: ${config.error}`);
      return false;
    }
    this.config = config;
    setLogLevel(config.logLevel);
    log(Level.info, `configured: header_name=${config.headerName}`);
    return true;
  }

  newStream(): Stream {
    return new MyStream(this);
  }
}

class MyStream extends Stream {
  constructor(private plugin: MyPlugin) {
    super();
  }

  onRequestHeaders(_end: bool): Action {
    this.plugin.requests.add();
    return Action.proceed;
  }

  onResponseHeaders(_end: bool): Action {
    const config = this.plugin.config;
    const status = responseHeaders.get(":status");
    const code = status === null ? -1 : toNumber(status);
    if (code < 0 || !config.matches(u32(code))) return Action.proceed;
    if (responseHeaders.set(config.headerName, config.headerValue) == Status.ok) {
      this.plugin.headersSet.add();
      log(Level.debug, `set ${config.headerName} on a response with status ${code}`);
    } else {
      this.plugin.errors.add();
      log(Level.error, `cannot set ${config.headerName}`);
    }
    return Action.proceed;
  }
}

export function newPlugin(): Plugin {
  return new MyPlugin();
}
