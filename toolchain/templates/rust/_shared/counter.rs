use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

/// A counter that Envoy exports under its name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter {
    id: Option<u32>,
}

impl Counter {
    /// Envoy refuses none; where a host does, proxy-wasm 0.2 panics or this one counts nothing.
    pub fn define(name: &str) -> Self {
        let id = hostcalls::define_metric(MetricType::Counter, name);
        if let Err(status) = id {
            log::warn!("metric {name} cannot be defined: {status:?}");
        }
        Self { id: id.ok() }
    }

    pub fn add_one(self) {
        if let Some(id) = self.id {
            // A counter that cannot count must not stop a request.
            let _ = hostcalls::increment_metric(id, 1);
        }
    }
}
