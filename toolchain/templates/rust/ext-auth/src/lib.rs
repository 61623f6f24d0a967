//! Asks another service whether a request may pass.

mod config;
mod counter;
mod headers;
mod range;
mod settings;
mod verdict;

use std::rc::Rc;
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MapType, Status};

use config::Config;
use counter::Counter;
use verdict::Verdict;

/// The header in which the service names the user; nobody else may.
const USER_HEADER: &str = "x-auth-user";

const REQUEST: MapType = MapType::HttpRequestHeaders;
const ANSWER: MapType = MapType::HttpCallResponseHeaders;

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
    allowed: Counter,
    denied: Counter,
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
            "configured: auth_cluster={}, auth_path={}",
            config.auth_cluster,
            config.auth_path
        );
        self.active = Some(Rc::new(Active {
            config,
            requests: Counter::define("wasmplug_my_plugin_requests_total"),
            errors: Counter::define("wasmplug_my_plugin_errors_total"),
            allowed: Counter::define("wasmplug_my_plugin_allowed_total"),
            denied: Counter::define("wasmplug_my_plugin_denied_total"),
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

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        self.active.requests.add_one();
        if let Err(status) = hostcalls::set_map_value(REQUEST, USER_HEADER, None) {
            return self.refuse(&format!("{USER_HEADER} cannot be removed: {status:?}"));
        }
        match self.ask() {
            Ok(_) => Action::Pause,
            Err(status) => {
                let cluster = &self.active.config.auth_cluster;
                self.without_answer(&format!("cluster {cluster} cannot be called: {status:?}"))
            }
        }
    }
}

impl Context for Stream {
    fn on_http_call_response(&mut self, _token: u32, headers: usize, _: usize, _: usize) {
        // Without an answer Envoy has no map, and asking for one would be a panic.
        let status = (headers > 0)
            .then(|| headers::get(ANSWER, ":status"))
            .flatten();
        let status = status.and_then(|status| status.parse().ok());
        let action = match verdict::judge(status) {
            Verdict::Allow => self.allow(),
            Verdict::Deny(status) => self.deny(status),
            Verdict::Unknown => self.without_answer(&match status {
                Some(status) => format!("the service answered {status}"),
                None => "the service did not answer".into(),
            }),
        };
        if action == Action::Continue {
            if let Err(status) = hostcalls::resume_http_request() {
                self.refuse(&format!("the request cannot be resumed: {status:?}"));
            }
        }
    }
}

impl Stream {
    fn ask(&self) -> Result<u32, Status> {
        let config = &self.active.config;
        let copied = [
            (":method", "x-forwarded-method"),
            (":authority", "x-forwarded-host"),
            (":path", "x-forwarded-uri"),
            ("authorization", "authorization"),
            ("cookie", "cookie"),
            ("x-request-id", "x-request-id"),
        ]
        .map(|(from, to)| (to, headers::get(REQUEST, from)));
        let mut call = vec![
            (":method", "GET"),
            (":path", config.auth_path.as_str()),
            (":authority", config.authority()),
        ];
        call.extend(
            copied
                .iter()
                .filter_map(|(name, value)| Some((*name, value.as_deref()?))),
        );
        let timeout = Duration::from_millis(config.timeout_ms.into());
        hostcalls::dispatch_http_call(&config.auth_cluster, call, None, vec![], timeout)
    }

    fn allow(&self) -> Action {
        if let Some(user) = headers::get(ANSWER, USER_HEADER) {
            if let Err(status) = hostcalls::set_map_value(REQUEST, USER_HEADER, Some(&user)) {
                return self.without_answer(&format!("the user cannot be passed on: {status:?}"));
            }
        }
        self.active.allowed.add_one();
        Action::Continue
    }

    fn deny(&self, status: u32) -> Action {
        self.active.denied.add_one();
        log::info!("denied with {status}");
        let challenge = headers::get(ANSWER, "www-authenticate");
        let headers = challenge
            .iter()
            .map(|value| ("www-authenticate", value.as_str()));
        let body = if status == 401 {
            "unauthorized\n"
        } else {
            "forbidden\n"
        };
        answer(status, headers.collect(), body);
        Action::Pause
    }

    fn without_answer(&self, why: &str) -> Action {
        if !self.active.config.failure_mode_allow {
            return self.refuse(why);
        }
        self.active.errors.add_one();
        log::error!("{why}; passed");
        Action::Continue
    }

    fn refuse(&self, why: &str) -> Action {
        self.active.errors.add_one();
        log::error!("{why}; refused");
        answer(503, vec![], "authorization is unavailable\n");
        Action::Pause
    }
}

fn answer(status: u32, headers: Vec<(&str, &str)>, body: &str) {
    if let Err(error) = hostcalls::send_http_response(status, headers, Some(body.as_bytes())) {
        log::error!("cannot answer: {error:?}");
    }
}
