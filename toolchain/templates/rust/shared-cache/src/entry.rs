/// One answer, as it stands in a slot of the shared data.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Entry {
    pub stored_ms: u64,
    pub key: String,
    pub content_type: String,
    pub body: Vec<u8>,
}

impl Entry {
    /// Four parts, one a line; the body is the rest.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{}\n{}\n{}\n", self.stored_ms, self.key, self.content_type);
        text.reserve(self.body.len());
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// None for an empty slot, or one that something else has written.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut parts = bytes.splitn(4, |&c| c == b'\n');
        let mut line = || std::str::from_utf8(parts.next()?).ok();
        Some(Self {
            stored_ms: line()?.parse().ok()?,
            key: line()?.into(),
            content_type: line()?.into(),
            body: parts.next()?.into(),
        })
    }

    pub fn expired(&self, now_ms: u64, ttl_seconds: u32) -> bool {
        now_ms >= self.stored_ms.saturating_add(u64::from(ttl_seconds) * 1000)
    }

    /// In seconds; 0 when the clock went back.
    pub fn age(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.stored_ms) / 1000
    }
}

/// Which of `slots` slots an answer to `key` goes to (FNV-1a).
pub fn slot_of(key: &str, slots: u32) -> u32 {
    let hash = |hash: u32, c: u8| (hash ^ u32::from(c)).wrapping_mul(16_777_619);
    key.bytes().fold(2_166_136_261, hash) % slots
}

/// Whether a cache-control header of a response forbids to keep it.
pub fn forbids_storing(cache_control: &str) -> bool {
    let directives = cache_control.to_ascii_lowercase();
    ["no-store", "no-cache", "private"]
        .iter()
        .any(|word| directives.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            stored_ms: 5000,
            key: "example.com/a".into(),
            content_type: "text/plain".into(),
            body: b"one\ntwo".to_vec(),
        }
    }

    #[test]
    fn an_entry_comes_back_as_it_was() {
        assert_eq!(Entry::decode(&entry().encode()), Some(entry()));
        assert_eq!(
            Entry::decode(&Entry::default().encode()),
            Some(Entry::default())
        );
    }

    #[test]
    fn an_empty_or_foreign_slot_is_no_entry() {
        for text in ["", "12\nkey", "x\nkey\ntype\nbody"] {
            assert_eq!(Entry::decode(text.as_bytes()), None);
        }
    }

    #[test]
    fn an_entry_expires_when_its_time_is_up() {
        assert!(!entry().expired(14999, 10));
        assert!(entry().expired(15000, 10));
        assert!(!entry().expired(4000, 10));
        assert_eq!(entry().age(7999), 2);
        assert_eq!(entry().age(4000), 0);
    }

    #[test]
    fn every_key_has_a_slot() {
        assert_eq!(slot_of("a", 1), 0);
        assert!(slot_of("a", 128) < 128);
        assert_ne!(
            slot_of("example.com/a", 1 << 16),
            slot_of("example.com/b", 1 << 16)
        );
    }

    #[test]
    fn cache_control_may_forbid_to_keep_an_answer() {
        assert!(forbids_storing("max-age=5, Private"));
        assert!(forbids_storing("no-store"));
        assert!(!forbids_storing("public, max-age=60"));
    }
}
