use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::header_rules;
use crate::settings::LogLevel;

/// What the WasmPlugin passes in `pluginConfig`; described by config.schema.json.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(deserialize_with = "header_name")]
    pub header_name: String,
    #[serde(deserialize_with = "header_value")]
    pub header_value: String,
    /// All of them when empty.
    #[serde(default, deserialize_with = "status_codes")]
    pub response_codes: Vec<u16>,
    #[serde(default)]
    pub log_level: LogLevel,
}

impl Config {
    pub fn matches(&self, status: u16) -> bool {
        self.response_codes.is_empty() || self.response_codes.contains(&status)
    }
}

fn header_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    header_rules::check_name(&name).map_err(D::Error::custom)?;
    Ok(name)
}

fn header_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let value = String::deserialize(deserializer)?;
    if value.is_empty() {
        return Err(D::Error::custom("the header value must not be empty"));
    }
    header_rules::check_value(&value).map_err(D::Error::custom)?;
    Ok(value)
}

fn status_codes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u16>, D::Error> {
    let codes = Vec::<u16>::deserialize(deserializer)?;
    match codes.iter().find(|code| !(100..=599).contains(*code)) {
        Some(code) => Err(D::Error::custom(format!("{code} is no response status"))),
        None => Ok(codes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    fn parse(text: &str) -> Result<Config, String> {
        settings::parse(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_status_matches_when_none_is_listed() {
        let config = parse(r#"{"header_name": "x-a", "header_value": "b"}"#).unwrap();
        assert_eq!(config.header_value, "b");
        assert_eq!(config.log_level, LogLevel::Info);
        assert!(config.matches(200));
        assert!(config.matches(503));
    }

    #[test]
    fn only_listed_statuses_match() {
        let config =
            parse(r#"{"header_name": "x-a", "header_value": "b", "response_codes": [200, 201]}"#)
                .unwrap();
        assert!(config.matches(201));
        assert!(!config.matches(404));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, named) in [
            ("", "missing field `header_name`"),
            ("[]", "not a JSON object"),
            (
                r#"{"header_name": "x a", "header_value": "b"}"#,
                "'x a' is no header name",
            ),
            (
                r#"{"header_name": "a", "header_value": "b\nc"}"#,
                "control character",
            ),
            (
                r#"{"header_name": "a", "header_value": "b", "response_codes": [99]}"#,
                "99 is no",
            ),
            (
                r#"{"header_name": "a", "header_value": "b", "response_codes": [200.5]}"#,
                "invalid type",
            ),
            (
                r#"{"header_name": "a", "header_value": "b", "log_level": "loud"}"#,
                "`loud`",
            ),
            (
                r#"{"header_name": "a", "header_value": "b", "colour": 1}"#,
                "`colour`",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
