use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::settings::LogLevel;
use crate::{header_rules, range};

/// Envoy itself answers 413 or 500 once 1 MiB is buffered.
const MOST_BODY_BYTES: u32 = 1024 * 1024 - 1;

/// What the WasmPlugin passes in `pluginConfig`; described by config.schema.json.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default, deserialize_with = "headers")]
    pub add_request_headers: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "header_names")]
    pub remove_response_headers: Vec<String>,
    #[serde(default)]
    pub log_request_body: bool,
    #[serde(default, deserialize_with = "replacements")]
    pub replace_response_text: BTreeMap<String, String>,
    #[serde(
        default = "default_body_bytes",
        deserialize_with = "range::within::<_, 1, MOST_BODY_BYTES>"
    )]
    pub max_body_bytes: u32,
    #[serde(default)]
    pub log_level: LogLevel,
}

impl Config {
    pub fn body_limit(&self) -> usize {
        self.max_body_bytes as usize
    }
}

fn default_body_bytes() -> u32 {
    65536
}

fn headers<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let headers = BTreeMap::<String, String>::deserialize(deserializer)?;
    for (name, value) in &headers {
        header_rules::check_name(name).map_err(D::Error::custom)?;
        header_rules::check_value(value).map_err(D::Error::custom)?;
    }
    Ok(headers)
}

fn header_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    for name in &names {
        header_rules::check_name(name).map_err(D::Error::custom)?;
    }
    Ok(names)
}

fn replacements<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let replacements = BTreeMap::<String, String>::deserialize(deserializer)?;
    if replacements.contains_key("") {
        return Err(D::Error::custom("a text to replace is empty"));
    }
    Ok(replacements)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    fn parse(text: &str) -> Result<Config, String> {
        settings::parse(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_configured_by_default() {
        for text in ["", "{}"] {
            let config = parse(text).unwrap();
            assert!(config.add_request_headers.is_empty());
            assert!(config.remove_response_headers.is_empty());
            assert!(!config.log_request_body);
            assert_eq!(config.body_limit(), 65536);
        }
    }

    #[test]
    fn every_key_is_read() {
        let config = parse(
            r#"{"add_request_headers": {"x-a": "1", "x-b": ""},
                "remove_response_headers": ["server"], "log_request_body": true,
                "replace_response_text": {"a": "b"}, "max_body_bytes": 1048575,
                "log_level": "warn"}"#,
        )
        .unwrap();
        assert_eq!(config.add_request_headers["x-a"], "1");
        assert_eq!(config.remove_response_headers, ["server"]);
        assert!(config.log_request_body);
        assert_eq!(config.replace_response_text["a"], "b");
        assert_eq!(config.max_body_bytes, 1048575);
        assert_eq!(config.log_level, LogLevel::Warn);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, named) in [
            ("{", "EOF"),
            (
                r#"{"add_request_headers": {":path": "/"}}"#,
                "':path' is no header name",
            ),
            (
                r#"{"add_request_headers": {"x-a": "b\nc"}}"#,
                "control character",
            ),
            (r#"{"add_request_headers": {"x-a": 1}}"#, "invalid type"),
            (r#"{"remove_response_headers": [1]}"#, "invalid type"),
            (
                r#"{"replace_response_text": {"": "x"}}"#,
                "a text to replace is empty",
            ),
            (r#"{"max_body_bytes": 1048576}"#, "from 1 to 1048575"),
            (r#"{"log_body": true}"#, "`log_body`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
