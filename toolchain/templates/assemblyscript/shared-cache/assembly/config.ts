import { Level } from "./host";
import { Settings } from "./settings";

/** What the WasmPlugin passes in `pluginConfig`; described by config.schema.json. */
export class Config {
  cacheTtlSeconds: u32 = 60;
  maxEntries: u32 = 128;
  maxBodyBytes: u32 = 65536;
  logLevel: Level = Level.info;
  /** Why the text is refused; empty when it is good. */
  error: string = "";

  constructor(text: string) {
    const settings = new Settings(text);
    this.cacheTtlSeconds = settings.number("cache_ttl_seconds", 60, 1, 86400);
    this.maxEntries = settings.number("max_entries", 128, 1, 65536);
    this.maxBodyBytes = settings.number("max_body_bytes", 65536, 1, 1024 * 1024);
    this.logLevel = settings.logLevel();
    settings.finish();
    this.error = settings.error;
  }
}
