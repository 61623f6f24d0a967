import { Header, Level } from "./host";
import { Kind } from "./json";
import { Settings } from "./settings";
import { Replacement } from "./text";

/** Envoy itself answers 413 or 500 once 1 MiB is buffered. */
const mostBodyBytes: u32 = 1024 * 1024 - 1;

/** What the WasmPlugin passes in `pluginConfig`; described by config.schema.json. */
export class Config {
  addRequestHeaders: Header[] = [];
  removeResponseHeaders: string[] = [];
  logRequestBody: bool = false;
  replaceResponseText: Replacement[] = [];
  maxBodyBytes: u32 = 65536;
  logLevel: Level = Level.info;
  /** Why the text is refused; empty when it is good. */
  error: string = "";

  constructor(text: string) {
    const settings = new Settings(text);
    this.addRequestHeaders = takePairs(settings, "add_request_headers");
    for (let i = 0; i < this.addRequestHeaders.length; i++) {
      const header = this.addRequestHeaders[i];
      settings.checkHeader("add_request_headers", header.name, header.value);
    }
    this.takeRemovals(settings);
    this.logRequestBody = settings.flag("log_request_body");
    const replacements = takePairs(settings, "replace_response_text");
    for (let i = 0; i < replacements.length; i++) {
      const pair = replacements[i];
      if (pair.name.length == 0) settings.fail("replace_response_text: a text to replace is empty");
      this.replaceResponseText.push(new Replacement(pair.name, pair.value));
    }
    this.maxBodyBytes = settings.number("max_body_bytes", 65536, 1, mostBodyBytes);
    this.logLevel = settings.logLevel();
    settings.finish();
    this.error = settings.error;
  }

  private takeRemovals(settings: Settings): void {
    const names = settings.take("remove_response_headers", Kind.array, "an array");
    if (names === null) return;
    for (let i = 0; i < names.items.length; i++) {
      const name = names.items[i];
      if (name.kind != Kind.string) settings.fail("remove_response_headers must hold strings");
      settings.checkHeader("remove_response_headers", name.text, "");
      this.removeResponseHeaders.push(name.text);
    }
  }
}

function takePairs(settings: Settings, key: string): Header[] {
  const pairs: Header[] = [];
  const object = settings.take(key, Kind.object, "an object");
  if (object === null) return pairs;
  for (let i = 0; i < object.items.length; i++) {
    const name = object.names[i];
    if (object.items[i].kind != Kind.string) settings.fail(`${key}: '${name}' must be a string`);
    pairs.push(new Header(name, object.items[i].text));
  }
  return pairs;
}
