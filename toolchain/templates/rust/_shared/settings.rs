//! The parts of a configuration that every plugin has.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};

/// Reads a configuration. An empty text counts as `{}`: that is what Istio sends for a plugin
/// without `pluginConfig`.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(if text.is_empty() { b"{}" } else { text })
}

/// Lines below this level are dropped before they reach the host.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Trace,
    Debug,
    #[default]
    Info,
    Warn,
    Error,
    Critical,
}

impl LogLevel {
    pub fn apply(self) {
        use proxy_wasm::types::LogLevel as Host;
        proxy_wasm::set_log_level(match self {
            Self::Trace => Host::Trace,
            Self::Debug => Host::Debug,
            Self::Info => Host::Info,
            Self::Warn => Host::Warn,
            Self::Error => Host::Error,
            Self::Critical => Host::Critical,
        });
    }
}

/// Envoy answers 503 to a request that carries an invalid header, so none may get in here.
pub fn check_header_name(name: &str) -> Result<(), String> {
    let valid = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
    if name.is_empty() || !name.bytes().all(valid) {
        return Err(format!("'{name}' is no header name"));
    }
    Ok(())
}

pub fn check_header_value(value: &str) -> Result<(), String> {
    if value.bytes().any(|c| c != b'\t' && c.is_ascii_control()) {
        return Err(format!("the header value {value:?} holds a control character"));
    }
    Ok(())
}

/// For `#[serde(deserialize_with = "settings::header_name")]`.
pub fn header_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    check_header_name(&name).map_err(D::Error::custom)?;
    Ok(name)
}

/// For `#[serde(deserialize_with = "settings::header_value")]`.
pub fn header_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let value = String::deserialize(deserializer)?;
    if value.is_empty() {
        return Err(D::Error::custom("the header value must not be empty"));
    }
    check_header_value(&value).map_err(D::Error::custom)?;
    Ok(value)
}
