// A plugin without an SDK whose first path segment chooses what it does with a request:
// /pass /local /pause /trap /call /close /body. Built by the tests with
// clang --target=wasm32 -nostdlib -Wl,--no-entry -Wl,--export-dynamic.
typedef unsigned int u32;
typedef unsigned char u8;
#define IMPORT(name) __attribute__((import_module("env"), import_name(#name))) extern
#define EXPORT(name) __attribute__((export_name(#name)))

IMPORT(proxy_log) u32 proxy_log(u32 level, const char* text, u32 size);
IMPORT(proxy_get_header_map_value)
u32 proxy_get_header_map_value(u32 map, const char* key, u32 size, char** value, u32* value_size);
IMPORT(proxy_add_header_map_value)
u32 proxy_add_header_map_value(u32 map, const char* key, u32 size, const char* value, u32 length);
IMPORT(proxy_send_local_response)
u32 proxy_send_local_response(u32 status, const char* details, u32 details_size, const char* body,
                              u32 body_size, const char* pairs, u32 pairs_size, u32 grpc);
IMPORT(proxy_http_call)
u32 proxy_http_call(const char* cluster, u32 cluster_size, const char* headers, u32 headers_size,
                    const char* body, u32 body_size, const char* trailers, u32 trailers_size,
                    u32 timeout, u32* token);
IMPORT(proxy_set_effective_context) u32 proxy_set_effective_context(u32 context);
IMPORT(proxy_continue_stream) u32 proxy_continue_stream(u32 type);
IMPORT(proxy_close_stream) u32 proxy_close_stream(u32 type);
IMPORT(proxy_define_metric)
u32 proxy_define_metric(u32 type, const char* name, u32 size, u32* id);
IMPORT(proxy_increment_metric) u32 proxy_increment_metric(u32 id, long long by);
IMPORT(proxy_get_buffer_bytes)
u32 proxy_get_buffer_bytes(u32 type, u32 start, u32 max, char** data, u32* size);

static u8 heap[65536];
static u32 used;
static u32 counter;
static u32 waiting;

EXPORT(proxy_abi_version_0_2_1) void abi(void) {}

EXPORT(malloc) void* allocate(u32 size) {
    void* at = &heap[used];
    used = (used + size + 7) & 0xfff8;
    return at;
}

static u32 length(const char* text) {
    u32 n = 0;
    while (text[n]) {
        ++n;
    }
    return n;
}

static void say(const char* text) { proxy_log(2, text, length(text)); }

static int starts(const char* text, u32 size, const char* with) {
    u32 n = length(with);
    if (size < n) {
        return 0;
    }
    for (u32 i = 0; i < n; ++i) {
        if (text[i] != with[i]) {
            return 0;
        }
    }
    return 1;
}

EXPORT(proxy_on_vm_start) u32 on_vm_start(u32 root, u32 size) { return 1; }

EXPORT(proxy_on_configure) u32 on_configure(u32 root, u32 size) {
    char* config = 0;
    u32 n = 0;
    proxy_get_buffer_bytes(7, 0, size, &config, &n);
    say("configured");
    proxy_define_metric(0, "requests", 8, &counter);
    return !starts(config, n, "refuse");
}

EXPORT(proxy_on_context_create) void on_create(u32 context, u32 parent) {}

static const char call_headers[] = {3, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 6, 0,
                                    0, 0, 10, 0, 0, 0, 4, 0, 0, 0, ':', 'm', 'e', 't', 'h', 'o',
                                    'd', 0, 'G', 'E', 'T', 0, ':', 'p', 'a', 't', 'h', 0, '/', 'c',
                                    'h', 'e', 'c', 'k', 0, ':', 'a', 'u', 't', 'h', 'o', 'r', 'i',
                                    't', 'y', 0, 'a', 'u', 't', 'h', 0};

EXPORT(proxy_on_request_headers) u32 on_request_headers(u32 context, u32 count, u32 end) {
    char* path = 0;
    u32 size = 0;
    proxy_get_header_map_value(0, ":path", 5, &path, &size);
    proxy_increment_metric(counter, 1);
    if (starts(path, size, "/local")) {
        proxy_send_local_response(403, "denied", 6, "no\n", 3, 0, 0, (u32)-1);
        return 1;
    }
    if (starts(path, size, "/pause")) {
        return 1;
    }
    if (starts(path, size, "/trap")) {
        __builtin_trap();
    }
    if (starts(path, size, "/close")) {
        proxy_close_stream(0);
        return 1;
    }
    if (starts(path, size, "/call")) {
        u32 token = 0;
        waiting = context;
        if (proxy_http_call("auth", 4, call_headers, sizeof call_headers, 0, 0, 0, 0, 300,
                            &token) == 0) {
            return 1;
        }
        say("no call");
    }
    proxy_add_header_map_value(0, "x-plugin", 8, "was here", 8);
    return 0;
}

EXPORT(proxy_on_http_call_response)
void on_call(u32 root, u32 token, u32 headers, u32 body, u32 trailers) {
    char* status = 0;
    u32 size = 0;
    if (headers == 0) {
        say("the call failed");
    } else if (proxy_get_header_map_value(6, ":status", 7, &status, &size) == 0) {
        proxy_log(2, status, size);
    }
    proxy_set_effective_context(waiting);
    proxy_continue_stream(0);
}

EXPORT(proxy_on_request_body) u32 on_request_body(u32 context, u32 size, u32 end) {
    if (size > 0) {
        say("a chunk");
    }
    return 0;
}

EXPORT(proxy_on_response_headers) u32 on_response_headers(u32 context, u32 count, u32 end) {
    proxy_add_header_map_value(2, "x-answer", 8, "seen", 4);
    return 0;
}

EXPORT(proxy_on_done) u32 on_done(u32 context) { return 1; }

EXPORT(proxy_on_log) void on_log(u32 context) { say("logged"); }
