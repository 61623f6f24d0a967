// A Proxy-Wasm plugin that does what its configuration says: lines of "CALLBACK ACTION ARGS".
// Every action logs what the host answered: "get 0 :path = 0 '/x'". "trace" as a line of its own
// logs each callback. Built by the tests: clang --target=wasm32, no SDK.
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long usize;
#define IMPORT(name) __attribute__((import_module("env"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name)))

IMPORT(proxy_log) int proxy_log(int, const char*, usize);
IMPORT(proxy_get_status) int proxy_get_status(u32*, char**, usize*);
IMPORT(proxy_get_property) int proxy_get_property(const char*, usize, char**, usize*);
IMPORT(proxy_set_property) int proxy_set_property(const char*, usize, const char*, usize);
IMPORT(proxy_send_local_response)
int proxy_send_local_response(int, const char*, usize, const char*, usize, const char*, usize, int);
IMPORT(proxy_get_header_map_value)
int proxy_get_header_map_value(int, const char*, usize, char**, usize*);
IMPORT(proxy_add_header_map_value)
int proxy_add_header_map_value(int, const char*, usize, const char*, usize);
IMPORT(proxy_replace_header_map_value)
int proxy_replace_header_map_value(int, const char*, usize, const char*, usize);
IMPORT(proxy_remove_header_map_value) int proxy_remove_header_map_value(int, const char*, usize);
IMPORT(proxy_get_header_map_pairs) int proxy_get_header_map_pairs(int, char**, usize*);
IMPORT(proxy_set_header_map_pairs) int proxy_set_header_map_pairs(int, const char*, usize);
IMPORT(proxy_get_header_map_size) int proxy_get_header_map_size(int, usize*);
IMPORT(proxy_get_buffer_bytes) int proxy_get_buffer_bytes(int, usize, usize, char**, usize*);
IMPORT(proxy_get_buffer_status) int proxy_get_buffer_status(int, usize*, u32*);
IMPORT(proxy_set_buffer_bytes) int proxy_set_buffer_bytes(int, usize, usize, const char*, usize);
IMPORT(proxy_http_call)
int proxy_http_call(const char*, usize, const char*, usize, const char*, usize, const char*, usize,
                    u32, u32*);
IMPORT(proxy_grpc_call)
int proxy_grpc_call(const char*, usize, const char*, usize, const char*, usize, const char*, usize,
                    const char*, usize, u32, u32*);
IMPORT(proxy_grpc_stream)
int proxy_grpc_stream(const char*, usize, const char*, usize, const char*, usize, const char*,
                      usize, u32*);
IMPORT(proxy_grpc_send) int proxy_grpc_send(u32, const char*, usize, int);
IMPORT(proxy_grpc_close) int proxy_grpc_close(u32);
IMPORT(proxy_grpc_cancel) int proxy_grpc_cancel(u32);
IMPORT(proxy_get_shared_data) int proxy_get_shared_data(const char*, usize, char**, usize*, u32*);
IMPORT(proxy_set_shared_data)
int proxy_set_shared_data(const char*, usize, const char*, usize, u32);
IMPORT(proxy_register_shared_queue) int proxy_register_shared_queue(const char*, usize, u32*);
IMPORT(proxy_resolve_shared_queue)
int proxy_resolve_shared_queue(const char*, usize, const char*, usize, u32*);
IMPORT(proxy_enqueue_shared_queue) int proxy_enqueue_shared_queue(u32, const char*, usize);
IMPORT(proxy_dequeue_shared_queue) int proxy_dequeue_shared_queue(u32, char**, usize*);
IMPORT(proxy_define_metric) int proxy_define_metric(int, const char*, usize, u32*);
IMPORT(proxy_increment_metric) int proxy_increment_metric(u32, long long);
IMPORT(proxy_record_metric) int proxy_record_metric(u32, u64);
IMPORT(proxy_get_metric) int proxy_get_metric(u32, u64*);
IMPORT(proxy_set_tick_period_milliseconds) int proxy_set_tick_period_milliseconds(u32);
IMPORT(proxy_get_current_time_nanoseconds) int proxy_get_current_time_nanoseconds(u64*);
IMPORT(proxy_continue_stream) int proxy_continue_stream(int);
IMPORT(proxy_close_stream) int proxy_close_stream(int);
IMPORT(proxy_done) int proxy_done(void);
IMPORT(proxy_set_effective_context) int proxy_set_effective_context(u32);
IMPORT(proxy_call_foreign_function)
int proxy_call_foreign_function(const char*, usize, const char*, usize, char**, usize*);

extern unsigned char __heap_base;
static usize heap;

EXPORT(malloc) void* allocate(usize size) {
    if (!heap) {
        heap = (usize)&__heap_base;
    }
    usize at = (heap + 7) & ~7ul;
    heap = at + size;
    usize have = (usize)__builtin_wasm_memory_size(0) << 16;
    if (heap > have) {
        __builtin_wasm_memory_grow(0, ((heap - have) >> 16) + 1);
    }
    return (void*)at;
}

EXPORT(proxy_abi_version_0_2_1) void abi(void) {}

static char* script;
static usize script_size;
static u32 stream, root, metric, token, queue, last_cas;
static int result, tracing;

typedef struct {
    const char* at;
    usize size;
} Text;

static usize length(const char* s) {
    usize n = 0;
    while (s[n]) {
        n++;
    }
    return n;
}

static int same(Text a, const char* b) {
    if (a.size != length(b)) {
        return 0;
    }
    for (usize i = 0; i < a.size; i++) {
        if (a.at[i] != b[i]) {
            return 0;
        }
    }
    return 1;
}

static char line[4096];
static usize used;

static void put(const char* s, usize n) {
    for (usize i = 0; i < n && used < sizeof line; i++) {
        line[used++] = s[i];
    }
}

static void put_text(const char* s) {
    put(s, length(s));
}

static void put_number(long long value) {
    char digits[24];
    int n = 24;
    int negative = value < 0;
    u64 left = negative ? (u64)-value : (u64)value;
    do {
        digits[--n] = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (negative) {
        digits[--n] = '-';
    }
    put(digits + n, 24 - (usize)n);
}

static void flush(void) {
    proxy_log(2, line, used);
    used = 0;
}

// The next word of `*rest`; a word in quotes may hold spaces.
static Text word(Text* rest) {
    while (rest->size && *rest->at == ' ') {
        rest->at++;
        rest->size--;
    }
    char end = ' ';
    if (rest->size && *rest->at == '"') {
        end = '"';
        rest->at++;
        rest->size--;
    }
    Text found = {rest->at, 0};
    while (found.size < rest->size && rest->at[found.size] != end) {
        found.size++;
    }
    usize skip = found.size + (found.size < rest->size ? 1 : 0);
    rest->at += skip;
    rest->size -= skip;
    return found;
}

static long long number(Text* rest) {
    Text digits = word(rest);
    long long value = 0;
    int negative = digits.size && digits.at[0] == '-';
    for (usize i = (usize)negative; i < digits.size; i++) {
        value = value * 10 + (digits.at[i] - '0');
    }
    return negative ? -value : value;
}

// "a=b,c=d" as serialized pairs.
static Text pairs(Text list) {
    static char bytes[4096];
    u32 count = list.size ? 1 : 0;
    for (usize i = 0; i < list.size; i++) {
        count += list.at[i] == ',';
    }
    *(u32*)bytes = count;
    char* out = bytes + 4 + 8 * count;
    usize at = 0;
    for (u32 i = 0; i < count; i++) {
        usize key = at;
        while (list.at[at] != '=') {
            at++;
        }
        usize value = at + 1;
        usize end = value;
        while (end < list.size && list.at[end] != ',') {
            end++;
        }
        ((u32*)bytes)[1 + 2 * i] = at - key;
        ((u32*)bytes)[2 + 2 * i] = end - value;
        for (usize j = key; j < at; j++) {
            *out++ = list.at[j];
        }
        *out++ = 0;
        for (usize j = value; j < end; j++) {
            *out++ = list.at[j];
        }
        *out++ = 0;
        at = end + 1;
    }
    Text made = {bytes, count ? (usize)(out - bytes) : 0};
    return made;
}

static void show(int code, char* value, usize size) {
    put_text(" = ");
    put_number(code);
    if (code == 0) {
        put_text(" '");
        put(value, size);
        put_text("'");
    }
    flush();
}

static void show_code(int code) {
    put_text(" = ");
    put_number(code);
    flush();
}

static void show_number(int code, long long value) {
    put_text(" = ");
    put_number(code);
    if (code == 0) {
        put_text(" ");
        put_number(value);
    }
    flush();
}

// The path with NUL for each dot.
static Text path(Text dotted) {
    static char bytes[256];
    for (usize i = 0; i < dotted.size; i++) {
        bytes[i] = dotted.at[i] == '.' ? 0 : dotted.at[i];
    }
    Text made = {bytes, dotted.size};
    return made;
}

static void headers_action(Text action, Text* rest) {
    char* value = 0;
    usize size = 0;
    int map = (int)number(rest);
    if (same(action, "pairs")) {
        int code = proxy_get_header_map_pairs(map, &value, &size);
        show_number(code, size ? *(u32*)value : 0);
        return;
    }
    if (same(action, "list")) {
        int code = proxy_get_header_map_pairs(map, &value, &size);
        u32 count = size ? *(u32*)value : 0;
        show_number(code, count);
        u32* sizes = (u32*)value + 1;
        char* text = value + 4 + 8 * count;
        for (u32 i = 0; i < count; i++) {
            put_text("  ");
            put(text, sizes[2 * i]);
            put_text(": ");
            put(text + sizes[2 * i] + 1, sizes[2 * i + 1]);
            flush();
            text += sizes[2 * i] + sizes[2 * i + 1] + 2;
        }
        return;
    }
    if (same(action, "size")) {
        int code = proxy_get_header_map_size(map, &size);
        show_number(code, (long long)size);
        return;
    }
    if (same(action, "setpairs")) {
        Text list = word(rest);
        Text bytes = pairs(list);
        if (same(list, "bad=1")) {
            *(u32*)bytes.at = 100000;
        }
        show_code(proxy_set_header_map_pairs(map, bytes.at, bytes.size));
        return;
    }
    Text key = word(rest);
    if (same(action, "get")) {
        int code = proxy_get_header_map_value(map, key.at, key.size, &value, &size);
        show(code, value, size);
    } else if (same(action, "remove")) {
        show_code(proxy_remove_header_map_value(map, key.at, key.size));
    } else {
        Text with = word(rest);
        static char unescaped[512];
        for (usize i = 0; i < with.size && i < sizeof unescaped; i++) {
            unescaped[i] = with.at[i] == '~' ? '\n' : with.at[i];
        }
        show_code(
            same(action, "add")
                ? proxy_add_header_map_value(map, key.at, key.size, unescaped, with.size)
                : proxy_replace_header_map_value(map, key.at, key.size, unescaped, with.size));
    }
}

static void call_action(Text action, Text* rest) {
    Text cluster = word(rest);
    if (same(action, "call")) {
        Text headers = pairs(word(rest));
        Text body = word(rest);
        u32 timeout = (u32)number(rest);
        int code = proxy_http_call(cluster.at, cluster.size, headers.at, headers.size, body.at,
                                   body.size, "", 0, timeout, &token);
        show_number(code, token);
    } else if (same(action, "grpc")) {
        Text message = word(rest);
        int code = proxy_grpc_call(cluster.at, cluster.size, "svc.Auth", 8, "Check", 5, "", 0,
                                   message.at, message.size, 500, &token);
        show_number(code, token);
    } else {
        int code =
            proxy_grpc_stream(cluster.at, cluster.size, "svc.Auth", 8, "Watch", 5, "", 0, &token);
        show_number(code, token);
    }
}

static void state_action(Text action, Text* rest) {
    char* value = 0;
    usize size = 0;
    if (same(action, "sget")) {
        Text key = word(rest);
        u32 cas = 0;
        int code = proxy_get_shared_data(key.at, key.size, &value, &size, &cas);
        if (code == 0) {
            last_cas = cas;
        }
        show(code, value, size);
    } else if (same(action, "sset")) {
        Text key = word(rest);
        Text with = word(rest);
        Text cas = word(rest);
        Text copy = cas;
        show_code(proxy_set_shared_data(key.at, key.size, with.at, with.size,
                                        same(cas, "last") ? last_cas : (u32)number(&copy)));
    } else if (same(action, "qreg")) {
        Text name = word(rest);
        show_code(proxy_register_shared_queue(name.at, name.size, &queue));
    } else if (same(action, "qres")) {
        Text vm = word(rest);
        Text name = word(rest);
        show_code(proxy_resolve_shared_queue(vm.at, vm.size, name.at, name.size, &queue));
    } else if (same(action, "qput")) {
        Text data = word(rest);
        show_code(proxy_enqueue_shared_queue(queue, data.at, data.size));
    } else if (same(action, "qget")) {
        int code = proxy_dequeue_shared_queue(queue, &value, &size);
        show(code, value, size);
    } else if (same(action, "metric")) {
        int type = (int)number(rest);
        Text name = word(rest);
        int code = proxy_define_metric(type, name.at, name.size, &metric);
        show_number(code, metric);
    } else if (same(action, "inc")) {
        show_code(proxy_increment_metric(metric, number(rest)));
    } else if (same(action, "rec")) {
        show_code(proxy_record_metric(metric, (u64)number(rest)));
    } else {
        u64 count = 0;
        int code = proxy_get_metric(metric, &count);
        show_number(code, (long long)count);
    }
}

static void buffer_action(Text action, Text* rest) {
    char* value = 0;
    usize size = 0;
    u32 flags = 0;
    int buffer = (int)number(rest);
    if (same(action, "bufstatus")) {
        int code = proxy_get_buffer_status(buffer, &size, &flags);
        show_number(code, (long long)size);
        return;
    }
    usize start = (usize)number(rest);
    usize count = (usize)number(rest);
    if (same(action, "buf")) {
        int code = proxy_get_buffer_bytes(buffer, start, count, &value, &size);
        show(code, value, size);
    } else {
        Text data = word(rest);
        show_code(proxy_set_buffer_bytes(buffer, start, count, data.at, data.size));
    }
}

static void act(Text action, Text rest) {
    static const char* const header_actions[] = {"get",   "add",  "replace",  "remove",
                                                 "pairs", "size", "setpairs", "list"};
    static const char* const state_actions[] = {"sget", "sset",   "qreg", "qres", "qput",
                                                "qget", "metric", "inc",  "rec",  "mget"};
    static const char* const buffer_actions[] = {"buf", "bufstatus", "setbuf"};
    static const char* const call_actions[] = {"call", "grpc", "gstream"};
    char* value = 0;
    usize size = 0;
    put(action.at, action.size);
    if (rest.size) {
        put_text(" ");
    }
    put(rest.at, rest.size);
    for (usize i = 0; i < sizeof header_actions / sizeof *header_actions; i++) {
        if (same(action, header_actions[i])) {
            headers_action(action, &rest);
            return;
        }
    }
    for (usize i = 0; i < sizeof state_actions / sizeof *state_actions; i++) {
        if (same(action, state_actions[i])) {
            state_action(action, &rest);
            return;
        }
    }
    for (usize i = 0; i < sizeof buffer_actions / sizeof *buffer_actions; i++) {
        if (same(action, buffer_actions[i])) {
            buffer_action(action, &rest);
            return;
        }
    }
    for (usize i = 0; i < sizeof call_actions / sizeof *call_actions; i++) {
        if (same(action, call_actions[i])) {
            call_action(action, &rest);
            return;
        }
    }
    if (same(action, "ret")) {
        used = 0;
        result = (int)number(&rest);
    } else if (same(action, "prop")) {
        Text name = path(word(&rest));
        int code = proxy_get_property(name.at, name.size, &value, &size);
        show(code, value, size);
    } else if (same(action, "setprop")) {
        Text name = path(word(&rest));
        Text with = word(&rest);
        show_code(proxy_set_property(name.at, name.size, with.at, with.size));
    } else if (same(action, "reply")) {
        int status = (int)number(&rest);
        Text details = word(&rest);
        Text body = word(&rest);
        Text headers = pairs(word(&rest));
        show_code(proxy_send_local_response(status, details.at, details.size, body.at, body.size,
                                            headers.at, headers.size, -1));
    } else if (same(action, "continue")) {
        show_code(proxy_continue_stream((int)number(&rest)));
    } else if (same(action, "close")) {
        show_code(proxy_close_stream((int)number(&rest)));
    } else if (same(action, "effective")) {
        show_code(proxy_set_effective_context(stream));
    } else if (same(action, "status")) {
        u32 code = 0;
        int status = proxy_get_status(&code, &value, &size);
        put_text(" ");
        put_number(code);
        show(status, value, size);
    } else if (same(action, "tick")) {
        show_code(proxy_set_tick_period_milliseconds((u32)number(&rest)));
    } else if (same(action, "now")) {
        u64 now = 0;
        int code = proxy_get_current_time_nanoseconds(&now);
        show_number(code, (long long)now);
    } else if (same(action, "log")) {
        used = 0;
        int level = (int)number(&rest);
        Text text = word(&rest);
        int code = proxy_log(level, text.at, text.size);
        if (code) {
            put_text("log");
            show_code(code);
        }
    } else if (same(action, "foreign")) {
        Text name = word(&rest);
        Text argument = word(&rest);
        int code = proxy_call_foreign_function(name.at, name.size, argument.at, argument.size,
                                               &value, &size);
        show(code, value, size);
    } else if (same(action, "gsend")) {
        Text message = word(&rest);
        show_code(proxy_grpc_send(token, message.at, message.size, 0));
    } else if (same(action, "gclose")) {
        show_code(proxy_grpc_close(token));
    } else if (same(action, "gcancel")) {
        show_code(proxy_grpc_cancel(token));
    } else if (same(action, "done")) {
        show_code(proxy_done());
    } else if (same(action, "badptr")) {
        show_code(proxy_log(2, (char*)0xfffffff0u, 100));
    } else if (same(action, "trap")) {
        __builtin_trap();
    } else if (same(action, "oob")) {
        *(volatile char*)0xfffffff0u = 1;
    } else if (same(action, "div0")) {
        volatile int zero = 0;
        result = 10 / zero;
    } else if (same(action, "spin")) {
        for (volatile int i = 0;; i++) {
        }
    } else if (same(action, "grow")) {
        used = 0;
        result = (int)__builtin_wasm_memory_grow(0, (usize)number(&rest));
    } else {
        put_text(" = unknown action");
        flush();
    }
}

// Runs the lines of `callback`; `fallback` is what it returns when none says `ret`.
static int run(const char* callback, int fallback) {
    result = fallback;
    usize at = 0;
    while (at < script_size) {
        usize end = at;
        while (end < script_size && script[end] != '\n') {
            end++;
        }
        Text rest = {script + at, end - at};
        Text name = word(&rest);
        if (same(name, callback)) {
            Text action = word(&rest);
            act(action, rest);
        }
        at = end + 1;
    }
    return result;
}

static void trace(const char* name, u32 a, u32 b, u32 c) {
    if (tracing) {
        put_text(name);
        put_text("(");
        put_number(a);
        put_text(",");
        put_number(b);
        put_text(",");
        put_number(c);
        put_text(")");
        flush();
    }
}

EXPORT(proxy_on_context_create) void on_create(u32 id, u32 parent) {
    if (parent) {
        stream = id;
    } else {
        root = id;
    }
}

EXPORT(proxy_on_vm_start) int on_vm_start(u32 id, u32 size) {
    char* config = 0;
    usize n = 0;
    proxy_get_buffer_bytes(6, 0, size, &config, &n);
    Text text = {config, n};
    if (same(text, "trap")) {
        __builtin_trap();
    }
    return same(text, "no") ? 0 : 1;
}

EXPORT(proxy_on_configure) int on_configure(u32 id, u32 size) {
    proxy_get_buffer_bytes(7, 0, size, &script, &script_size);
    tracing = 0;
    for (usize at = 0; at + 5 <= script_size; at++) {
        Text five = {script + at, 5};
        if ((at == 0 || script[at - 1] == '\n') && same(five, "trace")) {
            tracing = 1;
        }
    }
    return run("configure", 1);
}

EXPORT(proxy_on_request_headers) int on_request_headers(u32 id, u32 n, u32 end) {
    trace("request_headers", id, n, end);
    return run("request_headers", 0);
}

EXPORT(proxy_on_request_body) int on_request_body(u32 id, u32 n, u32 end) {
    trace("request_body", id, n, end);
    return run(end ? "request_body_end" : "request_body", 0);
}

EXPORT(proxy_on_request_trailers) int on_request_trailers(u32 id, u32 n) {
    trace("request_trailers", id, n, 1);
    return run("request_trailers", 0);
}

EXPORT(proxy_on_response_headers) int on_response_headers(u32 id, u32 n, u32 end) {
    trace("response_headers", id, n, end);
    return run("response_headers", 0);
}

EXPORT(proxy_on_response_body) int on_response_body(u32 id, u32 n, u32 end) {
    trace("response_body", id, n, end);
    return run(end ? "response_body_end" : "response_body", 0);
}

EXPORT(proxy_on_response_trailers) int on_response_trailers(u32 id, u32 n) {
    trace("response_trailers", id, n, 1);
    return run("response_trailers", 0);
}

EXPORT(proxy_on_http_call_response)

void on_http_call_response(u32 id, u32 its, u32 headers, u32 body, u32 trailers) {
    trace("http_call_response", headers, body, trailers);
    run("call_response", 0);
}

EXPORT(proxy_on_grpc_receive_initial_metadata) void on_grpc_initial(u32 id, u32 its, u32 n) {
    trace("grpc_initial", its, n, 0);
}

EXPORT(proxy_on_grpc_receive) void on_grpc_receive(u32 id, u32 its, u32 n) {
    trace("grpc_receive", its, n, 0);
    run("grpc_receive", 0);
}

EXPORT(proxy_on_grpc_receive_trailing_metadata) void on_grpc_trailing(u32 id, u32 its, u32 n) {
    trace("grpc_trailing", its, n, 0);
}

EXPORT(proxy_on_grpc_close) void on_grpc_close(u32 id, u32 its, u32 code) {
    trace("grpc_close", its, code, 0);
    run("grpc_close", 0);
}

EXPORT(proxy_on_tick) void on_tick(u32 id) {
    trace("tick", id, 0, 0);
    run("tick", 0);
}

EXPORT(proxy_on_queue_ready) void on_queue_ready(u32 id, u32 its) {
    trace("queue_ready", id, its, 0);
    run("queue_ready", 0);
}

EXPORT(proxy_on_log) void on_log(u32 id) {
    trace("log", id, 0, 0);
    run("log", 0);
}

EXPORT(proxy_on_done) int on_done(u32 id) {
    trace("done", id, 0, 0);
    return id == root ? run("root_done", 1) : run("done", 1);
}

EXPORT(proxy_on_delete) void on_delete(u32 id) {
    trace("delete", id, 0, 0);
}
