import { toNumber } from "./settings";

/** One answer, as it stands in a slot of the shared data. */
export class Entry {
  constructor(
    public storedMs: u64,
    public key: string,
    public contentType: string,
    public body: Uint8Array,
  ) {}

  /** Four parts, one a line; the body is the rest. */
  encode(): ArrayBuffer {
    const head = String.UTF8.encode(`${this.storedMs}\n${this.key}\n${this.contentType}\n`);
    return concat(Uint8Array.wrap(head), this.body).buffer;
  }

  /** Null for an empty slot, or one that something else has written. */
  static decode(data: ArrayBuffer): Entry | null {
    const bytes = Uint8Array.wrap(data);
    const lines: string[] = [];
    let start = 0;
    for (let i = 0; i < bytes.length && lines.length < 3; i++) {
      if (bytes[i] == 0x0a) {
        lines.push(String.UTF8.decode(data.slice(start, i)));
        start = i + 1;
      }
    }
    const stored = lines.length == 3 ? toNumber(lines[0]) : -1;
    if (stored < 0) return null;
    return new Entry(stored, lines[1], lines[2], Uint8Array.wrap(data.slice(start)));
  }

  expired(now: u64, ttlSeconds: u32): bool {
    return now >= this.storedMs + u64(ttlSeconds) * 1000;
  }

  /** In seconds; 0 when the clock went back. */
  age(now: u64): u64 {
    return now > this.storedMs ? (now - this.storedMs) / 1000 : 0;
  }
}

/** Which of `slots` slots an answer to `key` goes to (FNV-1a). */
export function slotOf(key: string, slots: u32): u32 {
  const bytes = Uint8Array.wrap(String.UTF8.encode(key));
  let hash: u32 = 2166136261;
  for (let i = 0; i < bytes.length; i++) hash = (hash ^ bytes[i]) * 16777619;
  return hash % slots;
}

/** Whether a cache-control header of a response forbids to keep it. */
export function forbidsStoring(cacheControl: string): bool {
  const directives = cacheControl.toLowerCase();
  return directives.includes("no-store") || directives.includes("no-cache") || directives.includes("private");
}

/** The bytes of both, one after the other. */
export function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
