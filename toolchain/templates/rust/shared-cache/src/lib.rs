//! Answers GET requests from a cache that all workers share.

mod config;
mod counter;
mod entry;
mod headers;
mod range;
mod settings;

use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, LogLevel, MapType, Status};

use config::Config;
use counter::Counter;
use entry::Entry;

const REQUEST: MapType = MapType::HttpRequestHeaders;
const RESPONSE: MapType = MapType::HttpResponseHeaders;

const TICK: Duration = Duration::from_secs(1);
/// How many slots one tick looks at: the host copies each into this VM.
const SLOTS_PER_TICK: u32 = 16;
/// Longer ones are not worth a slot.
const LONGEST_KEY: usize = 1024;
/// The host takes any number for a key that nobody has written, and refuses one that is not the
/// last for any other key; 0 would overwrite whatever is there.
const NOT_YET: u32 = u32::MAX;
/// A request with one of these gets an answer of its own.
const PERSONAL: [&str; 5] = [
    "authorization",
    "cookie",
    "range",
    "cache-control",
    "upgrade",
];
/// A response with one of these is not for everybody, or not for every time.
const UNFIT: [&str; 3] = ["set-cookie", "vary", "content-encoding"];

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::<Plugin>::default());
}}

/// One configuration of the plugin in one worker.
#[derive(Default)]
struct Plugin {
    active: Option<Rc<Active>>,
    next_slot: u32,
}

/// What every stream of that configuration shares.
struct Active {
    config: Config,
    requests: Counter,
    errors: Counter,
    hits: Counter,
    misses: Counter,
    stored: Counter,
    expired: Counter,
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
        if let Err(status) = hostcalls::set_tick_period(TICK) {
            log::warn!("no ticks, expired answers stay in memory: {status:?}");
        }
        log::info!(
            "configured: cache_ttl_seconds={}, max_entries={}",
            config.cache_ttl_seconds,
            config.max_entries
        );
        self.next_slot = 0;
        self.active = Some(Rc::new(Active {
            config,
            requests: Counter::define("wasmplug_my_plugin_requests_total"),
            errors: Counter::define("wasmplug_my_plugin_errors_total"),
            hits: Counter::define("wasmplug_my_plugin_hits_total"),
            misses: Counter::define("wasmplug_my_plugin_misses_total"),
            stored: Counter::define("wasmplug_my_plugin_stored_total"),
            expired: Counter::define("wasmplug_my_plugin_expired_total"),
            bodies_too_large: Counter::define("wasmplug_my_plugin_bodies_too_large_total"),
        }));
        true
    }

    // Shared data cannot be deleted: an expired slot is emptied, unless another worker has
    // written it in the meantime.
    fn on_tick(&mut self) {
        let Some(active) = &self.active else { return };
        let now = now_ms();
        for _ in 0..SLOTS_PER_TICK.min(active.config.max_entries) {
            let key = slot_key(self.next_slot);
            self.next_slot = (self.next_slot + 1) % active.config.max_entries;
            let (entry, cas) = read_slot(&key);
            if entry.is_some_and(|entry| entry.expired(now, active.config.cache_ttl_seconds))
                && hostcalls::set_shared_data(&key, None, Some(cas)).is_ok()
            {
                active.expired.add_one();
            }
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        let active = Rc::clone(self.active.as_ref()?);
        Some(Box::new(Stream {
            active,
            key: None,
            keeping: None,
        }))
    }
}

/// One HTTP request and its response.
struct Stream {
    active: Rc<Active>,
    /// None when this request has nothing to do with the cache.
    key: Option<String>,
    /// The answer that is being collected.
    keeping: Option<Entry>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end: bool) -> Action {
        self.active.requests.add_one();
        let Some(key) = end.then(cache_key).flatten() else {
            return Action::Continue;
        };
        let config = &self.active.config;
        let now = now_ms();
        let (entry, _) = read_slot(&slot_key(entry::slot_of(&key, config.max_entries)));
        if let Some(entry) = entry {
            if entry.key == key && !entry.expired(now, config.cache_ttl_seconds) {
                match answer(&entry, now) {
                    // The answer comes through on_http_response_headers too: without a key.
                    Ok(()) => {
                        self.active.hits.add_one();
                        return Action::Pause;
                    }
                    Err(status) => self.active.failed("answer from the cache", status),
                }
            }
        }
        self.active.misses.add_one();
        self.key = Some(key);
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, end: bool) -> Action {
        let Some(key) = self.key.take() else {
            return Action::Continue;
        };
        if let Err(status) = hostcalls::set_map_value(RESPONSE, "x-cache", Some("miss")) {
            self.active.failed("set x-cache", status);
        }
        if self.active.may_keep() {
            let content_type = headers::get(RESPONSE, "content-type").unwrap_or_default();
            self.keeping = Some(Entry {
                key,
                content_type,
                ..Entry::default()
            });
        }
        if end {
            self.store();
        }
        Action::Continue
    }

    // The body goes on chunk by chunk, and is kept at its end.
    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        let Some(entry) = &mut self.keeping else {
            return Action::Continue;
        };
        if entry.body.len() + size > self.active.config.body_limit() {
            self.keeping = None;
            self.active.too_large();
            return Action::Continue;
        }
        if size > 0 {
            match hostcalls::get_buffer(BufferType::HttpResponseBody, 0, size) {
                Ok(Some(chunk)) if chunk.len() == size => entry.body.extend_from_slice(&chunk),
                _ => {
                    self.keeping = None;
                    self.active
                        .failed("read the response body", Status::NotFound);
                }
            }
        }
        if end {
            self.store();
        }
        Action::Continue
    }
}

impl Stream {
    fn store(&mut self) {
        let Some(mut entry) = self.keeping.take() else {
            return;
        };
        entry.stored_ms = now_ms();
        let slot = slot_key(entry::slot_of(&entry.key, self.active.config.max_entries));
        let (_, cas) = read_slot(&slot);
        match hostcalls::set_shared_data(&slot, Some(&entry.encode()), Some(cas)) {
            Ok(()) => self.active.stored.add_one(),
            Err(Status::CasMismatch) => log::debug!("another worker has just written {slot}"),
            Err(status) => self.active.failed("keep an answer", status),
        }
    }
}

impl Active {
    fn may_keep(&self) -> bool {
        if headers::get(RESPONSE, ":status").as_deref() != Some("200")
            || UNFIT
                .iter()
                .any(|name| headers::get(RESPONSE, name).is_some())
            || headers::get(RESPONSE, "cache-control")
                .is_some_and(|value| entry::forbids_storing(&value))
        {
            return false;
        }
        let limit = self.config.body_limit();
        let length = headers::get(RESPONSE, "content-length").and_then(|text| text.parse().ok());
        let fits = length.is_none_or(|bytes: usize| bytes <= limit);
        if !fits {
            self.too_large();
        }
        fits
    }

    fn too_large(&self) {
        self.bodies_too_large.add_one();
        let limit = self.config.max_body_bytes;
        log::debug!("not kept: the body is above max_body_bytes ({limit})");
    }

    fn failed(&self, doing: &str, status: Status) {
        self.errors.add_one();
        log::error!("cannot {doing}: {status:?}");
    }
}

/// None when the cache is not to be asked: the answer could be another one for this client.
fn cache_key() -> Option<String> {
    let host = headers::get(REQUEST, ":authority")?;
    let path = headers::get(REQUEST, ":path")?;
    let asked = headers::get(REQUEST, ":method")? == "GET"
        && host.len() + path.len() <= LONGEST_KEY
        && !PERSONAL
            .iter()
            .any(|name| headers::get(REQUEST, name).is_some());
    asked.then(|| host + &path)
}

fn answer(entry: &Entry, now: u64) -> Result<(), Status> {
    let age = entry.age(now).to_string();
    let mut headers = vec![("x-cache", "hit"), ("age", age.as_str())];
    if !entry.content_type.is_empty() {
        headers.push(("content-type", &entry.content_type));
    }
    hostcalls::send_http_response(200, headers, Some(&entry.body))
}

fn slot_key(slot: u32) -> String {
    format!("my-plugin/slot/{slot}")
}

/// The entry, and the number that a write must name to be sure that it is still this one.
fn read_slot(key: &str) -> (Option<Entry>, u32) {
    match hostcalls::get_shared_data(key) {
        Ok((value, cas)) => (
            value.and_then(|text| Entry::decode(&text)),
            cas.unwrap_or(NOT_YET),
        ),
        Err(_) => (None, NOT_YET),
    }
}

fn now_ms() -> u64 {
    let now = hostcalls::get_current_time().ok();
    let since = now.and_then(|now| now.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_millis() as u64)
}
