//! What may stand in a header.

/// Envoy answers 503 to a request that carries an invalid header, so none may get into a
/// configuration.
pub fn check_name(name: &str) -> Result<(), String> {
    let valid = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
    if name.is_empty() || !name.bytes().all(valid) {
        return Err(format!("'{name}' is no header name"));
    }
    Ok(())
}

pub fn check_value(value: &str) -> Result<(), String> {
    if value.bytes().any(|c| c != b'\t' && c.is_ascii_control()) {
        return Err(format!(
            "the header value {value:?} holds a control character"
        ));
    }
    Ok(())
}
