//! Header maps as bytes: proxy-wasm's methods that return text panic on a header that is no
//! UTF-8, and a panic ends the VM with all its streams.
//!
//! Envoy has a map only while the callbacks of its own phase run; asked at any other time,
//! proxy-wasm panics too.

use proxy_wasm::hostcalls;
use proxy_wasm::types::MapType;

/// The first value of a header, as text; a byte that is no UTF-8 becomes U+FFFD.
pub fn get(map: MapType, name: &str) -> Option<String> {
    let value = hostcalls::get_map_value_bytes(map, name).ok()??;
    Some(String::from_utf8_lossy(&value).into_owned())
}
