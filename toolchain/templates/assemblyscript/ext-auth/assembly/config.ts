import { Level } from "./host";
import { Settings } from "./settings";

/** What the WasmPlugin passes in `pluginConfig`; described by config.schema.json. */
export class Config {
  authCluster: string = "";
  authPath: string = "";
  timeoutMs: u32 = 500;
  failureModeAllow: bool = false;
  logLevel: Level = Level.info;
  /** Why the text is refused; empty when it is good. */
  error: string = "";

  constructor(text: string) {
    const settings = new Settings(text);
    this.authCluster = settings.requiredText("auth_cluster");
    if (!isVisible(this.authCluster)) settings.fail("auth_cluster holds a space");
    this.authPath = settings.text("auth_path", "/auth");
    if (!this.authPath.startsWith("/") || !isVisible(this.authPath)) {
      settings.fail("auth_path must start with / and hold no space");
    }
    this.timeoutMs = settings.number("timeout_ms", 500, 1, 60000);
    this.failureModeAllow = settings.flag("failure_mode_allow");
    this.logLevel = settings.logLevel();
    settings.finish();
    this.error = settings.error;
  }

  /** The call's :authority: HOST of Istio's outbound|PORT|SUBSET|HOST, else the cluster's name. */
  authority(): string {
    const host = this.authCluster.substring(this.authCluster.lastIndexOf("|") + 1);
    return host.length > 0 ? host : this.authCluster;
  }
}

/** Envoy refuses a call with a space or a control character in one of these. */
function isVisible(text: string): bool {
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char <= 0x20 || char == 0x7f) return false;
  }
  return true;
}
