import { Config } from "./config";
import { Entry, forbidsStoring, slotOf } from "./entry";

export * from "./json_tests";

function bytes(text: string): Uint8Array {
  return Uint8Array.wrap(String.UTF8.encode(text));
}

export function test_everything_has_a_default(): void {
  const config = new Config("");
  assert(config.error == "");
  assert(config.cacheTtlSeconds == 60 && config.maxEntries == 128 && config.maxBodyBytes == 65536);
}

export function test_mistakes_are_named(): void {
  const cases = [
    ['{"cache_ttl_seconds": 0}', "cache_ttl_seconds must be a whole number from 1 to 86400"],
    ['{"cache_ttl_seconds": -1}', "cache_ttl_seconds must be a whole number from 1 to 86400"],
    ['{"max_entries": 1.5}', "max_entries must be a whole number from 1 to 65536"],
    ['{"max_body_bytes": "1k"}', "max_body_bytes must be a number"],
    ['{"ttl": 5}', "unknown key 'ttl'"],
  ];
  for (let i = 0; i < cases.length; i++) {
    const error = new Config(cases[i][0]).error;
    assert(error == cases[i][1], error);
  }
}

export function test_an_entry_comes_back_as_it_was(): void {
  const entry = new Entry(5000, "example.com/a", "text/plain", bytes("one\ntwo"));
  const back = Entry.decode(entry.encode())!;
  assert(back.storedMs == 5000 && back.key == "example.com/a" && back.contentType == "text/plain");
  assert(String.UTF8.decode(back.body.buffer) == "one\ntwo");
  assert(Entry.decode(new Entry(1, "k", "", new Uint8Array(0)).encode())!.body.length == 0);
}

export function test_an_empty_or_foreign_slot_is_no_entry(): void {
  assert(Entry.decode(new ArrayBuffer(0)) === null);
  assert(Entry.decode(String.UTF8.encode("12\nkey")) === null);
  assert(Entry.decode(String.UTF8.encode("x\nkey\ntype\nbody")) === null);
}

export function test_an_entry_expires_when_its_time_is_up(): void {
  const entry = new Entry(5000, "k", "", new Uint8Array(0));
  assert(!entry.expired(14999, 10) && entry.expired(15000, 10) && !entry.expired(4000, 10));
  assert(entry.age(7999) == 2 && entry.age(4000) == 0);
}

export function test_every_key_has_a_slot(): void {
  assert(slotOf("a", 1) == 0 && slotOf("a", 128) < 128);
  assert(slotOf("example.com/a", 1 << 16) != slotOf("example.com/b", 1 << 16));
}

export function test_cache_control_may_forbid_to_keep_an_answer(): void {
  assert(forbidsStoring("max-age=5, Private") && forbidsStoring("no-store"));
  assert(!forbidsStoring("public, max-age=60") && !forbidsStoring(""));
}
