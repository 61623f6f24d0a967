//! Adds request headers, removes response headers, logs request bodies and replaces texts in
//! response bodies.

mod config;
mod counter;
mod header_rules;
mod headers;
mod range;
mod settings;
mod text;

use std::fmt::Display;
use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, LogLevel, MapType, Status};

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
    bodies_replaced: Counter,
    bodies_too_large: Counter,
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
        log::info!(
            "configured: {} headers to add, {} to remove, {} texts to replace",
            config.add_request_headers.len(),
            config.remove_response_headers.len(),
            config.replace_response_text.len()
        );
        self.active = Some(Rc::new(Active {
            config,
            requests: Counter::define("wasmplug_my_plugin_requests_total"),
            errors: Counter::define("wasmplug_my_plugin_errors_total"),
            bodies_replaced: Counter::define("wasmplug_my_plugin_bodies_replaced_total"),
            bodies_too_large: Counter::define("wasmplug_my_plugin_bodies_too_large_total"),
        }));
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        let active = Rc::clone(self.active.as_ref()?);
        Some(Box::new(Stream {
            active,
            body_start: Vec::new(),
            body_size: 0,
            rewrites: false,
        }))
    }
}

/// One HTTP request and its response.
struct Stream {
    active: Rc<Active>,
    /// Of the request's body, as far as it is logged.
    body_start: Vec<u8>,
    body_size: usize,
    rewrites: bool,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        self.active.requests.add_one();
        for (name, value) in &self.active.config.add_request_headers {
            let result = hostcalls::set_map_value(MapType::HttpRequestHeaders, name, Some(value));
            self.active.check(result, format_args!("set {name}"));
        }
        Action::Continue
    }

    // The body goes on chunk by chunk; only what is logged is kept.
    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        if !self.active.config.log_request_body {
            return Action::Continue;
        }
        self.body_size += size;
        let room = self.active.config.body_limit() - self.body_start.len();
        if size.min(room) > 0 {
            let chunk = hostcalls::get_buffer(BufferType::HttpRequestBody, 0, size.min(room));
            if let Ok(Some(chunk)) = chunk {
                self.body_start.extend_from_slice(&chunk);
            }
        }
        if end && self.body_size > 0 {
            self.log_body();
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, end: bool) -> Action {
        for name in &self.active.config.remove_response_headers {
            self.remove(name);
        }
        self.rewrites = !end && self.may_rewrite();
        if self.rewrites {
            // The length will be another one; without it the body is sent in chunks.
            self.remove("content-length");
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        if !self.rewrites {
            return Action::Continue;
        }
        if size > self.active.config.body_limit() {
            self.rewrites = false;
            self.active.too_large("a response body");
            return Action::Continue;
        }
        if !end {
            return Action::Pause;
        }
        self.rewrite(size);
        Action::Continue
    }
}

impl Stream {
    fn remove(&self, name: &str) {
        let result = hostcalls::remove_map_value(MapType::HttpResponseHeaders, name);
        self.active.check(result, format_args!("remove {name}"));
    }

    fn log_body(&self) {
        let (start, size) = (&self.body_start, self.body_size);
        let shown = text::printable(start);
        if start.len() == size {
            log::info!("request body ({size} bytes): {shown}");
        } else {
            log::info!(
                "request body (first {} of {size} bytes): {shown}",
                start.len()
            );
            self.active.too_large("a request body");
        }
    }

    /// Whether the response is a complete, uncompressed text within the limit.
    fn may_rewrite(&self) -> bool {
        const MAP: MapType = MapType::HttpResponseHeaders;
        let config = &self.active.config;
        if config.replace_response_text.is_empty()
            || !headers::get(MAP, "content-type").is_some_and(|value| text::is_text(&value))
            || headers::get(MAP, "content-encoding").is_some()
            || headers::get(MAP, "content-range").is_some()
        {
            return false;
        }
        let length = headers::get(MAP, "content-length").and_then(|text| text.parse().ok());
        let fits = length.is_none_or(|bytes: usize| bytes <= config.body_limit());
        if !fits {
            self.active.too_large("a response body");
        }
        fits
    }

    fn rewrite(&self, size: usize) {
        if size == 0 {
            return;
        }
        let Ok(Some(body)) = hostcalls::get_buffer(BufferType::HttpResponseBody, 0, size) else {
            return self
                .active
                .check(Err(Status::NotFound), "read the response body");
        };
        let config = &self.active.config;
        if let Some(replaced) = text::replace_all(&body, &config.replace_response_text) {
            let result = hostcalls::set_buffer(BufferType::HttpResponseBody, 0, size, &replaced);
            self.active.check(result, "replace the response body");
            self.active.bodies_replaced.add_one();
        }
    }
}

impl Active {
    fn check(&self, result: Result<(), Status>, doing: impl Display) {
        if let Err(status) = result {
            self.errors.add_one();
            log::error!("cannot {doing}: {status:?}");
        }
    }

    fn too_large(&self, what: &str) {
        self.bodies_too_large.add_one();
        log::warn!(
            "{what} is above max_body_bytes ({})",
            self.config.max_body_bytes
        );
    }
}
