/** A text, and what takes its place, as the bytes that stand in a body. */
export class Replacement {
  from: Uint8Array;
  to: Uint8Array;

  constructor(from: string, to: string) {
    this.from = Uint8Array.wrap(String.UTF8.encode(from));
    this.to = Uint8Array.wrap(String.UTF8.encode(to));
  }
}

/** Whether a body of this content-type is text that may be searched. */
export function isText(contentType: string): bool {
  const type = contentType.toLowerCase();
  return type.startsWith("text/") || type.includes("json") || type.includes("xml");
}

/** One line that no terminal or log reader trips over: anything but printable ASCII is a dot. */
export function printable(bytes: Uint8Array): string {
  const line = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    const visible = bytes[i] >= 0x20 && bytes[i] <= 0x7e;
    line[i] = visible ? bytes[i] : 0x2e;
  }
  return String.UTF8.decode(line.buffer);
}

function startsWith(bytes: Uint8Array, at: i32, wanted: Uint8Array): bool {
  if (wanted.length > bytes.length - at) return false;
  return memory.compare(bytes.dataStart + at, wanted.dataStart, wanted.length) == 0;
}

/**
 * Puts the replacements in, in one pass: what has been put in is not searched again. Where several
 * texts begin at the same place, the first of them counts. Null when none is there.
 */
export function replaceAll(bytes: Uint8Array, replacements: Replacement[]): Uint8Array | null {
  const out: u8[] = [];
  let found = false;
  let at = 0;
  while (at < bytes.length) {
    let hit: Replacement | null = null;
    for (let i = 0; i < replacements.length && hit === null; i++) {
      if (startsWith(bytes, at, replacements[i].from)) hit = replacements[i];
    }
    if (hit === null) {
      out.push(bytes[at++]);
      continue;
    }
    for (let i = 0; i < hit.to.length; i++) out.push(hit.to[i]);
    at += hit.from.length;
    found = true;
  }
  if (!found) return null;
  const result = new Uint8Array(out.length);
  result.set(out);
  return result;
}

/** The bytes of both, one after the other. */
export function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
