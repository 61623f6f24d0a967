import { Config } from "./config";
import { isText, printable, replaceAll, Replacement } from "./text";

export * from "./json_tests";

function bytes(text: string): Uint8Array {
  return Uint8Array.wrap(String.UTF8.encode(text));
}

export function test_nothing_is_configured_by_default(): void {
  const config = new Config("");
  assert(config.error == "");
  assert(config.addRequestHeaders.length == 0 && config.removeResponseHeaders.length == 0);
  assert(!config.logRequestBody && config.maxBodyBytes == 65536);
}

export function test_every_key_is_read(): void {
  const config = new Config(
    '{"add_request_headers": {"x-a": "1", "x-b": ""}, "remove_response_headers": ["server"], ' +
      '"log_request_body": true, "replace_response_text": {"a": "b"}, "max_body_bytes": 1048575, ' +
      '"log_level": "warn"}',
  );
  assert(config.error == "", config.error);
  assert(config.addRequestHeaders.length == 2 && config.addRequestHeaders[0].value == "1");
  assert(config.removeResponseHeaders[0] == "server");
  assert(config.logRequestBody && config.maxBodyBytes == 1048575);
}

export function test_mistakes_are_named(): void {
  const cases = [
    ["{", "not valid JSON"],
    ['{"add_request_headers": {":path": "/"}}', "add_request_headers: ':path' is no header name"],
    ['{"add_request_headers": {"x-a": 1}}', "add_request_headers: 'x-a' must be a string"],
    ['{"remove_response_headers": [1]}', "remove_response_headers must hold strings"],
    ['{"replace_response_text": {"": "x"}}', "replace_response_text: a text to replace is empty"],
    ['{"max_body_bytes": 1048576}', "max_body_bytes must be a whole number from 1 to 1048575"],
    ['{"log_body": true}', "unknown key 'log_body'"],
  ];
  for (let i = 0; i < cases.length; i++) {
    const error = new Config(cases[i][0]).error;
    assert(error == cases[i][1], error);
  }
}

export function test_texts_are_replaced_in_one_pass(): void {
  const pairs = [new Replacement("aa", "b"), new Replacement("c", "aa")];
  const replaced = replaceAll(bytes("aaac"), pairs)!;
  assert(String.UTF8.decode(replaced.buffer) == "baaa");
  assert(replaceAll(bytes("xyz"), pairs) === null);
  assert(replaceAll(bytes(""), pairs) === null);
}

export function test_bodies_are_logged_in_one_line(): void {
  assert(printable(bytes("a\nb\x1b[0m~")) == "a.b.[0m~");
}

export function test_only_texts_are_searched(): void {
  assert(isText("Text/HTML; charset=utf-8") && isText("application/problem+json"));
  assert(!isText("image/png") && !isText(""));
}
