use serde::Deserialize;

use crate::range;
use crate::settings::LogLevel;

/// What the WasmPlugin passes in `pluginConfig`; described by config.schema.json.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    #[serde(deserialize_with = "range::within::<_, 1, 86400>")]
    pub cache_ttl_seconds: u32,
    #[serde(deserialize_with = "range::within::<_, 1, 65536>")]
    pub max_entries: u32,
    #[serde(deserialize_with = "range::within::<_, 1, 1048576>")]
    pub max_body_bytes: u32,
    pub log_level: LogLevel,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cache_ttl_seconds: 60,
            max_entries: 128,
            max_body_bytes: 65536,
            log_level: LogLevel::default(),
        }
    }
}

impl Config {
    pub fn body_limit(&self) -> usize {
        self.max_body_bytes as usize
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
    fn everything_has_a_default() {
        let config = parse("").unwrap();
        assert_eq!(config.cache_ttl_seconds, 60);
        assert_eq!(config.max_entries, 128);
        assert_eq!(config.body_limit(), 65536);
        assert_eq!(config.log_level, LogLevel::Info);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, named) in [
            (r#"{"cache_ttl_seconds": 0}"#, "from 1 to 86400"),
            (r#"{"cache_ttl_seconds": -1}"#, "invalid value"),
            (r#"{"max_entries": 1.5}"#, "invalid type"),
            (r#"{"max_body_bytes": "1k"}"#, "invalid type"),
            (r#"{"ttl": 5}"#, "`ttl`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
