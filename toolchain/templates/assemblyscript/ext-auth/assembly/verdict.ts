/** What an answer of the service means. */
export enum Verdict {
  allow,
  deny,
  /** The service has not said yes, and not said no on purpose. */
  unknown,
}

/**
 * `status` is -1 when there was no answer. Only a clear no is passed on: 5xx, Envoy's own 503 and
 * 504, redirects and no answer at all are unknown.
 */
export function judge(status: i64): Verdict {
  if (status >= 200 && status < 300) return Verdict.allow;
  if (status >= 400 && status < 500) return Verdict.deny;
  return Verdict.unknown;
}

/** What the client gets when the service denies with this status. */
export function statusForClient(status: i64): u32 {
  return status == 401 ? 401 : 403;
}
