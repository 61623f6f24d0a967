#pragma once

#include <stdint.h>

/// What an answer of the service means.
enum class Verdict { allow, deny, unknown };

struct Decision {
  Verdict verdict = Verdict::unknown;
  uint32_t status = 503;  ///< For the client, unless it is allowed.
};

/// `status` is 0 when there was no answer. Only a clear no is passed on: everything that the
/// service does not say on purpose (5xx, Envoy's own 503 and 504, redirects) is unknown.
constexpr Decision judge(uint32_t status) {
  if (status >= 200 && status < 300) return {Verdict::allow, status};
  if (status == 401 || status == 403) return {Verdict::deny, status};
  if (status >= 400 && status < 500) return {Verdict::deny, 403};
  return {};
}
