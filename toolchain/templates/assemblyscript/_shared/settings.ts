import { Level } from "./host";
import { Kind, parse, Value } from "./json";

const levelNames = ["trace", "debug", "info", "warn", "error", "critical"];

/**
 * Takes the members out of a configuration object one by one; the first mistake wins, and what
 * nobody asked for is a mistake too.
 */
export class Settings {
  /** Why the configuration is refused; empty while it is good. */
  error: string = "";
  private root: Value = new Value();
  private known: string[] = [];

  /** An empty text counts as {}: that is what Istio sends for a plugin without pluginConfig. */
  constructor(text: string) {
    const root = parse(text.length == 0 ? "{}" : text);
    if (root === null) {
      this.fail("not valid JSON");
    } else if (root.kind != Kind.object) {
      this.fail("not a JSON object");
    } else {
      this.root = root;
    }
  }

  fail(why: string): void {
    if (this.error.length == 0) this.error = why;
  }

  /** The member, or null when it is missing or of another kind (which is a mistake). */
  take(name: string, kind: Kind, described: string): Value | null {
    this.known.push(name);
    const value = this.root.find(name);
    if (value === null || value.kind == kind) return value;
    this.fail(`${name} must be ${described}`);
    return null;
  }

  text(name: string, fallback: string): string {
    const value = this.take(name, Kind.string, "a string");
    return value === null ? fallback : value.text;
  }

  requiredText(name: string): string {
    const value = this.text(name, "");
    if (value.length == 0) this.fail(`${name} is required and must not be empty`);
    return value;
  }

  flag(name: string): bool {
    const value = this.take(name, Kind.boolean, "true or false");
    return value !== null && value.boolean;
  }

  number(name: string, fallback: u32, least: u32, most: u32): u32 {
    const value = this.take(name, Kind.number, "a number");
    return value === null ? fallback : this.checkNumber(value, name, least, most);
  }

  checkNumber(value: Value, name: string, least: u32, most: u32): u32 {
    const number = value.kind == Kind.number ? toNumber(value.text) : -1;
    if (number >= i64(least) && number <= i64(most)) return u32(number);
    this.fail(`${name} must be a whole number from ${least} to ${most}`);
    return least;
  }

  logLevel(): Level {
    const level = levelNames.indexOf(this.text("log_level", "info"));
    if (level < 0) this.fail(`log_level must be one of ${levelNames.join(", ")}`);
    return level < 0 ? Level.info : (level as Level);
  }

  /** Envoy answers 503 to a request that carries an invalid header, so none may get in here. */
  checkHeader(where: string, name: string, value: string): void {
    if (!isHeaderName(name)) this.fail(`${where}: '${name}' is no header name`);
    for (let i = 0; i < value.length; i++) {
      const char = value.charCodeAt(i);
      if ((char < 0x20 && char != 0x09) || char == 0x7f) {
        this.fail(`${where}: the value of '${name}' holds a control character`);
      }
    }
  }

  /** Call last: a member that nobody took is a misspelt one. */
  finish(): void {
    for (let i = 0; i < this.root.names.length; i++) {
      const name = this.root.names[i];
      if (!this.known.includes(name)) this.fail(`unknown key '${name}'`);
    }
  }
}

/** The number that the text is, when it is nothing but up to 15 decimal digits; else -1. */
export function toNumber(text: string): i64 {
  if (text.length == 0 || text.length > 15) return -1;
  let number: i64 = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}

function isHeaderName(name: string): bool {
  const allowed = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
  for (let i = 0; i < name.length; i++) {
    if (!allowed.includes(name.charAt(i).toLowerCase())) return false;
  }
  return name.length > 0;
}
