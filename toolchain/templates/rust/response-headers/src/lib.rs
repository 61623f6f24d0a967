//! Sets a configured header on the responses with the configured status codes.

mod config;
mod counter;
mod header_rules;
mod headers;
mod settings;

use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MapType};

use config::Config;
use counter::Counter;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::<Plugin>::default());
}}

/// One configuration of the plugin in one worker.
#[derive(Default)]
struct Plugin {
    active: Option<Rc<Active>>,
}

/// What every stream of that configuration shares.
struct Active {
    config: Config,
    requests: Counter,
    errors: Counter,
    headers_set: Counter,
}

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, _size: usize) -> bool {
        let text = self.get_plugin_configuration().unwrap_or_default();
        let config: Config = match settings::parse(&text) {
            Ok(config) => config,
            Err(error) => {
                log::error!("configuration refused: {error}");
                return false;
            }
        };
        config.log_level.apply();
        log::info!("configured: header_name={}", config.header_name);
        self.active = Some(Rc::new(Active {
            config,
            requests: Counter::define("wasmplug_my_plugin_requests_total"),
            errors: Counter::define("wasmplug_my_plugin_errors_total"),
            headers_set: Counter::define("wasmplug_my_plugin_headers_set_total"),
        }));
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        let active = Rc::clone(self.active.as_ref()?);
        Some(Box::new(Stream { active }))
    }
}

/// One HTTP request and its response.
struct Stream {
    active: Rc<Active>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        self.active.requests.add_one();
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end: bool) -> Action {
        let status = headers::get(MapType::HttpResponseHeaders, ":status");
        let Some(status) = status.and_then(|status| status.parse().ok()) else {
            return Action::Continue;
        };
        let config = &self.active.config;
        if !config.matches(status) {
            return Action::Continue;
        }
        let (name, value) = (&config.header_name, &config.header_value);
        match hostcalls::set_map_value(MapType::HttpResponseHeaders, name, Some(value)) {
            Ok(()) => {
                self.active.headers_set.add_one();
                log::debug!("set {name} on a response with status {status}");
            }
            Err(error) => {
                self.active.errors.add_one();
                log::error!("cannot set {name}: {error:?}");
            }
        }
        Action::Continue
    }
}
