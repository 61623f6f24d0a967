//! The parts of a configuration that every plugin has.

use serde::de::{DeserializeOwned, Error};
use serde::Deserialize;

/// Reads a configuration. An empty text counts as `{}`: that is what Istio sends for a plugin
/// without `pluginConfig`.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    let text = if text.is_empty() { b"{}" } else { text };
    // serde would also take an array for a struct.
    match text.iter().find(|c| !c.is_ascii_whitespace()) {
        Some(b'[') => Err(Error::custom("not a JSON object")),
        _ => serde_json::from_slice(text),
    }
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
