#include "verdict.h"

#include "check.h"

TEST(any_success_allows) {
  CHECK(judge(200).verdict == Verdict::allow);
  CHECK(judge(204).verdict == Verdict::allow);
}

TEST(a_clear_no_is_passed_on) {
  CHECK(judge(401).verdict == Verdict::deny && judge(401).status == 401);
  CHECK(judge(403).verdict == Verdict::deny && judge(403).status == 403);
  CHECK(judge(404).verdict == Verdict::deny && judge(404).status == 403);
}

TEST(everything_else_is_unknown) {
  for (uint32_t status : {0u, 100u, 302u, 500u, 503u, 504u, 999u}) {
    CHECK(judge(status).verdict == Verdict::unknown && judge(status).status == 503);
  }
}
