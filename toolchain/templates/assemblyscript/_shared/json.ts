// A strict JSON reader for the plugin's configuration.

export enum Kind {
  null,
  boolean,
  number,
  string,
  array,
  object,
}

export class Value {
  kind: Kind = Kind.null;
  boolean: bool = false;
  /** Of a string; of a number, as it was written. */
  text: string = "";
  /** Of an object's members, in the order of `items`. */
  names: string[] = [];
  /** Of an array or an object. */
  items: Value[] = [];

  find(name: string): Value | null {
    const at = this.names.indexOf(name);
    return at < 0 ? null : this.items[at];
  }
}

const maxDepth = 16;

/** Null when the text is not JSON, names a member twice or nests deeper than 16 levels. */
export function parse(text: string): Value | null {
  const parser = new Parser(text);
  const value = parser.read(0);
  return parser.atEnd() ? value : null;
}

// Reading past a mistake is harmless: `ok` is looked at in the end.
class Parser {
  private ok: bool = true;
  private at: i32 = 0;

  constructor(private text: string) {}

  atEnd(): bool {
    this.skipSpace();
    return this.ok && this.at == this.text.length;
  }

  read(depth: i32): Value {
    const value = new Value();
    this.skipSpace();
    const first = this.peek();
    if (depth > maxDepth) {
      this.ok = false;
    } else if (first == "{" || first == "[") {
      this.readMembers(value, depth, first == "{");
    } else if (first == '"') {
      value.kind = Kind.string;
      value.text = this.readString();
    } else if (this.eat("true") || this.eat("false")) {
      value.kind = Kind.boolean;
      value.boolean = first == "t";
    } else if (!this.eat("null")) {
      value.kind = Kind.number;
      value.text = this.readNumber();
    }
    return value;
  }

  private peek(): string {
    return this.text.charAt(this.at);
  }

  private eat(token: string): bool {
    if (!this.text.startsWith(token, this.at)) return false;
    this.at += token.length;
    return true;
  }

  private expect(token: string): void {
    if (!this.eat(token)) this.ok = false;
  }

  private skipSpace(): void {
    while (this.at < this.text.length && " \t\r\n".includes(this.peek())) this.at++;
  }

  private readMembers(value: Value, depth: i32, named: bool): void {
    const close = named ? "}" : "]";
    value.kind = named ? Kind.object : Kind.array;
    this.at++;
    this.skipSpace();
    if (this.eat(close)) return;
    do {
      if (named) {
        this.skipSpace();
        const name = this.readString();
        if (value.names.includes(name)) this.ok = false;
        value.names.push(name);
        this.skipSpace();
        this.expect(":");
      }
      value.items.push(this.read(depth + 1));
      this.skipSpace();
    } while (this.ok && this.eat(","));
    this.expect(close);
  }

  private eatDigits(): i32 {
    const from = this.at;
    while (this.at < this.text.length && "0123456789".includes(this.peek())) this.at++;
    return this.at - from;
  }

  private readNumber(): string {
    const start = this.at;
    this.eat("-");
    const leadingZero = this.peek() == "0";
    const whole = this.eatDigits();
    if (whole == 0 || (whole > 1 && leadingZero)) this.ok = false;
    if (this.eat(".") && this.eatDigits() == 0) this.ok = false;
    if (this.eat("e") || this.eat("E")) {
      if (!this.eat("+")) this.eat("-");
      if (this.eatDigits() == 0) this.ok = false;
    }
    return this.text.substring(start, this.at);
  }

  private readString(): string {
    this.expect('"');
    let out = "";
    while (this.ok && this.at < this.text.length) {
      const char = this.text.charAt(this.at++);
      if (char == '"') return out;
      if (char.charCodeAt(0) < 0x20) break;
      out += char == "\\" ? this.readEscape() : char;
    }
    this.ok = false;
    return out;
  }

  private readEscape(): string {
    const char = this.text.charAt(this.at++);
    const index = '"\\/bfnrt'.indexOf(char);
    if (char.length > 0 && index >= 0) return '"\\/\b\f\n\r\t'.charAt(index);
    let code = 0;
    for (let i = 0; i < 4; i++) {
      const digit = "0123456789abcdef".indexOf(this.text.charAt(this.at++).toLowerCase());
      if (digit < 0 || this.at > this.text.length) this.ok = false;
      code = (code << 4) | digit;
    }
    if (char != "u") this.ok = false;
    return String.fromCharCode(code);
  }
}
