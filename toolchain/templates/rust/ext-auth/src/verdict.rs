/// What an answer of the service means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    Allow,
    /// With this status for the client.
    Deny(u32),
    /// The service has not said yes, and not said no on purpose.
    Unknown,
}

/// Only a clear no is passed on: 5xx, Envoy's own 503 and 504, redirects and no answer at all are
/// unknown.
pub fn judge(status: Option<u32>) -> Verdict {
    match status {
        Some(200..=299) => Verdict::Allow,
        Some(status @ (401 | 403)) => Verdict::Deny(status),
        Some(400..=499) => Verdict::Deny(403),
        _ => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_success_allows() {
        assert_eq!(judge(Some(200)), Verdict::Allow);
        assert_eq!(judge(Some(204)), Verdict::Allow);
    }

    #[test]
    fn a_clear_no_is_passed_on() {
        assert_eq!(judge(Some(401)), Verdict::Deny(401));
        assert_eq!(judge(Some(403)), Verdict::Deny(403));
        assert_eq!(judge(Some(404)), Verdict::Deny(403));
    }

    #[test]
    fn everything_else_is_unknown() {
        assert_eq!(judge(None), Verdict::Unknown);
        for status in [0, 100, 302, 500, 503, 504, 999] {
            assert_eq!(judge(Some(status)), Verdict::Unknown);
        }
    }
}
