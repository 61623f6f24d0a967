import { Kind, parse } from "./json";
import { toNumber } from "./settings";

export function test_every_kind_of_value_is_read(): void {
  const value = parse(' {"a": [1, -2.5e3, true, null, "\\u00e9\\ud83d\\ude00\\n"]} ')!;
  const list = value.find("a")!.items;
  assert(list.length == 5);
  assert(list[1].text == "-2.5e3");
  assert(list[2].boolean);
  assert(list[3].kind == Kind.null);
  assert(list[4].text == "é😀\n");
}

export function test_what_is_not_json_is_refused(): void {
  const texts = [
    "", "{", "{}x", "[1,]", '{"a" 1}', "01", "1.", "-", "tru", '"\t"', '"\\x"', '"\\u12"', '"open',
    '{"a":1,"a":2}', "{a:1}", "[".repeat(100) + "]".repeat(100),
  ];
  for (let i = 0; i < texts.length; i++) assert(parse(texts[i]) === null, texts[i]);
}

export function test_numbers_are_whole(): void {
  assert(toNumber("0") == 0 && toNumber("1048576") == 1048576);
  assert(toNumber("") == -1 && toNumber("-1") == -1 && toNumber("1.5") == -1);
  assert(toNumber("9999999999999999") == -1);
}
