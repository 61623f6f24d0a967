use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::range;
use crate::settings::LogLevel;

/// What the WasmPlugin passes in `pluginConfig`; described by config.schema.json.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(deserialize_with = "cluster")]
    pub auth_cluster: String,
    #[serde(default = "default_path", deserialize_with = "path")]
    pub auth_path: String,
    #[serde(
        default = "default_timeout",
        deserialize_with = "range::within::<_, 1, 60000>"
    )]
    pub timeout_ms: u32,
    #[serde(default)]
    pub failure_mode_allow: bool,
    #[serde(default)]
    pub log_level: LogLevel,
}

impl Config {
    /// The call's :authority: HOST of Istio's outbound|PORT|SUBSET|HOST, else the cluster's name.
    pub fn authority(&self) -> &str {
        match self.auth_cluster.rsplit('|').next() {
            Some(host) if !host.is_empty() => host,
            _ => &self.auth_cluster,
        }
    }
}

fn default_path() -> String {
    "/auth".into()
}

fn default_timeout() -> u32 {
    500
}

/// Envoy refuses a call with a space or a control character in one of these.
fn is_visible(text: &str) -> bool {
    !text.bytes().any(|c| c <= b' ' || c == 0x7f)
}

fn cluster<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let cluster = String::deserialize(deserializer)?;
    if cluster.is_empty() || !is_visible(&cluster) {
        return Err(D::Error::custom("auth_cluster is empty or holds a space"));
    }
    Ok(cluster)
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    if !path.starts_with('/') || !is_visible(&path) {
        return Err(D::Error::custom(
            "auth_path must start with / and hold no space",
        ));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    fn parse(text: &str) -> Result<Config, String> {
        settings::parse(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn only_the_cluster_is_required() {
        let config = parse(r#"{"auth_cluster": "auth"}"#).unwrap();
        assert_eq!(config.auth_path, "/auth");
        assert_eq!(config.timeout_ms, 500);
        assert!(!config.failure_mode_allow);
    }

    #[test]
    fn the_authority_is_the_host_of_the_cluster() {
        for (cluster, authority) in [
            ("outbound|80||auth.example", "auth.example"),
            ("auth", "auth"),
            ("auth|", "auth|"),
        ] {
            let config = parse(&format!(r#"{{"auth_cluster": "{cluster}"}}"#)).unwrap();
            assert_eq!(config.authority(), authority);
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, named) in [
            ("", "missing field `auth_cluster`"),
            (
                r#"{"auth_cluster": "a b"}"#,
                "auth_cluster is empty or holds a space",
            ),
            (
                r#"{"auth_cluster": "a", "auth_path": "check"}"#,
                "must start with /",
            ),
            (
                r#"{"auth_cluster": "a", "auth_path": "/a\nb"}"#,
                "hold no space",
            ),
            (
                r#"{"auth_cluster": "a", "timeout_ms": 0}"#,
                "from 1 to 60000",
            ),
            (
                r#"{"auth_cluster": "a", "failure_mode_allow": "yes"}"#,
                "invalid type",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
