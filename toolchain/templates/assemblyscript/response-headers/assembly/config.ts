import { Level } from "./host";
import { Kind } from "./json";
import { Settings } from "./settings";

/** What the WasmPlugin passes in `pluginConfig`; described by config.schema.json. */
export class Config {
  headerName: string = "";
  headerValue: string = "";
  /** All of them when empty. */
  responseCodes: u32[] = [];
  logLevel: Level = Level.info;
  /** Why the text is refused; empty when it is good. */
  error: string = "";

  constructor(text: string) {
    const settings = new Settings(text);
    this.headerName = settings.requiredText("header_name");
    this.headerValue = settings.requiredText("header_value");
    settings.checkHeader("header_name", this.headerName, this.headerValue);
    const codes = settings.take("response_codes", Kind.array, "an array");
    if (codes !== null) {
      for (let i = 0; i < codes.items.length; i++) {
        const code = settings.checkNumber(codes.items[i], "response_codes", 100, 599);
        this.responseCodes.push(code);
      }
    }
    this.logLevel = settings.logLevel();
    settings.finish();
    this.error = settings.error;
  }

  matches(status: u32): bool {
    return this.responseCodes.length == 0 || this.responseCodes.includes(status);
  }
}
