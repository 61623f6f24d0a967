use std::collections::BTreeMap;

/// Whether a body of this content-type is text that may be searched.
pub fn is_text(content_type: &str) -> bool {
    let content_type = content_type.to_ascii_lowercase();
    content_type.starts_with("text/")
        || content_type.contains("json")
        || content_type.contains("xml")
}

/// One line that no terminal or log reader trips over: anything but printable ASCII is a dot.
pub fn printable(bytes: &[u8]) -> String {
    let visible = |&c: &u8| {
        if (b' '..=b'~').contains(&c) {
            c as char
        } else {
            '.'
        }
    };
    bytes.iter().map(visible).collect()
}

/// Puts the replacements in, in one pass: what has been put in is not searched again. Where
/// several texts begin at the same place, the first of them counts. None when none is there.
pub fn replace_all(text: &[u8], replacements: &BTreeMap<String, String>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut found = false;
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let hit = replacements
            .iter()
            .find(|(from, _)| rest.starts_with(from.as_bytes()));
        if let Some((from, to)) = hit {
            out.extend_from_slice(to.as_bytes());
            rest = &rest[from.len()..];
            found = true;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    found.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_replaced_in_one_pass() {
        let pairs = [("aa", "b"), ("c", "aa")];
        let pairs = pairs
            .map(|(from, to)| (from.to_string(), to.to_string()))
            .into();
        assert_eq!(replace_all(b"aaac", &pairs).unwrap(), b"baaa");
        assert_eq!(replace_all(b"xyz", &pairs), None);
        assert_eq!(replace_all(b"", &pairs), None);
    }

    #[test]
    fn bodies_are_logged_in_one_line() {
        assert_eq!(printable(b"a\nb\x1b[0m\xff~"), "a.b.[0m.~");
    }

    #[test]
    fn only_texts_are_searched() {
        assert!(is_text("Text/HTML; charset=utf-8"));
        assert!(is_text("application/problem+json"));
        assert!(!is_text("image/png"));
        assert!(!is_text(""));
    }
}
