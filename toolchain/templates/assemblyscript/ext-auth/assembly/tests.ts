import { Config } from "./config";
import { judge, statusForClient, Verdict } from "./verdict";

export * from "./json_tests";

export function test_only_the_cluster_is_required(): void {
  const config = new Config('{"auth_cluster": "auth"}');
  assert(config.error == "");
  assert(config.authPath == "/auth" && config.timeoutMs == 500 && !config.failureModeAllow);
}

export function test_the_authority_is_the_host_of_the_cluster(): void {
  assert(new Config('{"auth_cluster": "outbound|80||auth.example"}').authority() == "auth.example");
  assert(new Config('{"auth_cluster": "auth"}').authority() == "auth");
  assert(new Config('{"auth_cluster": "auth|"}').authority() == "auth|");
}

export function test_mistakes_are_named(): void {
  const cases = [
    ["", "auth_cluster is required and must not be empty"],
    ['{"auth_cluster": "a b"}', "auth_cluster holds a space"],
    ['{"auth_cluster": "a", "auth_path": "check"}', "auth_path must start with / and hold no space"],
    ['{"auth_cluster": "a", "timeout_ms": 0}', "timeout_ms must be a whole number from 1 to 60000"],
    ['{"auth_cluster": "a", "failure_mode_allow": "yes"}', "failure_mode_allow must be true or false"],
  ];
  for (let i = 0; i < cases.length; i++) {
    const error = new Config(cases[i][0]).error;
    assert(error == cases[i][1], error);
  }
}

export function test_any_success_allows(): void {
  assert(judge(200) == Verdict.allow && judge(204) == Verdict.allow);
}

export function test_a_clear_no_is_passed_on(): void {
  assert(judge(401) == Verdict.deny && statusForClient(401) == 401);
  assert(judge(403) == Verdict.deny && statusForClient(403) == 403);
  assert(judge(404) == Verdict.deny && statusForClient(404) == 403);
}

export function test_everything_else_is_unknown(): void {
  const statuses: i64[] = [-1, 0, 100, 302, 500, 503, 504, 999];
  for (let i = 0; i < statuses.length; i++) assert(judge(statuses[i]) == Verdict.unknown);
}
