import { Config } from "./config";

export * from "./json_tests";

export function test_every_status_matches_when_none_is_listed(): void {
  const config = new Config('{"header_name": "x-a", "header_value": "b"}');
  assert(config.error == "");
  assert(config.headerValue == "b");
  assert(config.matches(200) && config.matches(503));
}

export function test_only_listed_statuses_match(): void {
  const config = new Config('{"header_name": "x-a", "header_value": "b", "response_codes": [200, 201]}');
  assert(config.error == "");
  assert(config.matches(201) && !config.matches(404));
}

export function test_mistakes_are_named(): void {
  const cases = [
    ["", "header_name is required and must not be empty"],
    ["[]", "not a JSON object"],
    ['{"header_name": "x a", "header_value": "b"}', "header_name: 'x a' is no header name"],
    ['{"header_name": "a", "header_value": "b\\nc"}', "header_name: the value of 'a' holds a control character"],
    ['{"header_name": "a", "header_value": "b", "response_codes": [99]}', "response_codes must be a whole number from 100 to 599"],
    ['{"header_name": "a", "header_value": "b", "log_level": "x"}', "log_level must be one of trace, debug, info, warn, error, critical"],
    ['{"header_name": "a", "header_value": "b", "colour": 1}', "unknown key 'colour'"],
  ];
  for (let i = 0; i < cases.length; i++) {
    const error = new Config(cases[i][0]).error;
    assert(error == cases[i][1], error);
  }
}
