// A Proxy-Wasm ABI 0.2.1 plugin without an SDK: one module, four patterns, chosen by the plugin
// configuration.
//   headers    response headers by status class
//   transform  request path rewrite and response body upper-casing
//   auth       external authorization through an HTTP call
//   counter    shared-data counter with CAS
// Besides, path /crash traps, /spin loops for ever, /stuck pauses and never resumes.
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long usize;
#define IMP(n) __attribute__((import_module("env"), import_name(#n)))
#define EXP(n) __attribute__((export_name(#n)))
IMP(proxy_log) int proxy_log(int, const char*, usize);
IMP(proxy_get_buffer_bytes) int proxy_get_buffer_bytes(int, usize, usize, char**, usize*);
IMP(proxy_set_buffer_bytes) int proxy_set_buffer_bytes(int, usize, usize, const char*, usize);
IMP(proxy_get_header_map_value)
int proxy_get_header_map_value(int, const char*, usize, char**, usize*);
IMP(proxy_add_header_map_value)
int proxy_add_header_map_value(int, const char*, usize, const char*, usize);
IMP(proxy_replace_header_map_value)
int proxy_replace_header_map_value(int, const char*, usize, const char*, usize);
IMP(proxy_remove_header_map_value) int proxy_remove_header_map_value(int, const char*, usize);
IMP(proxy_send_local_response)
int proxy_send_local_response(int, const char*, usize, const char*, usize, const char*, usize, int);
IMP(proxy_http_call)
int proxy_http_call(const char*, usize, const char*, usize, const char*, usize, const char*, usize,
                    u32, u32*);
IMP(proxy_continue_stream) int proxy_continue_stream(int);
IMP(proxy_set_effective_context) int proxy_set_effective_context(u32);
IMP(proxy_get_shared_data) int proxy_get_shared_data(const char*, usize, char**, usize*, u32*);
IMP(proxy_set_shared_data) int proxy_set_shared_data(const char*, usize, const char*, usize, u32);
IMP(proxy_define_metric) int proxy_define_metric(int, const char*, usize, u32*);
IMP(proxy_increment_metric) int proxy_increment_metric(u32, u64);
extern unsigned char __heap_base;
static usize top, frame_base;

EXP(malloc) void* malloc_(usize n) {
    if (!top)
        top = (usize)&__heap_base;
    usize p = (top + 7) & ~7ul;
    top = p + n;
    usize have = __builtin_wasm_memory_size(0) << 16;
    if (top > have)
        __builtin_wasm_memory_grow(0, ((top - have) >> 16) + 1);
    return (void*)p;
}

static usize len(const char* s) {
    usize n = 0;
    while (s[n])
        n++;
    return n;
}

static int eq(const char* a, usize n, const char* b) {
    if (n != len(b))
        return 0;
    for (usize i = 0; i < n; i++)
        if (a[i] != b[i])
            return 0;
    return 1;
}

static void logm(int l, const char* s) {
    proxy_log(l, s, len(s));
}

static int get(int map, const char* k, char** v, usize* n) {
    *v = 0;
    *n = 0;
    return proxy_get_header_map_value(map, k, len(k), v, n);
}

static void add(int map, const char* k, const char* v) {
    proxy_add_header_map_value(map, k, len(k), v, len(v));
}

enum { HEADERS, TRANSFORM, AUTH, COUNTER } mode;

static u32 metric, waiting_ctx[64], waiting_tok[64], nwait;

enum { S_GO, S_STOP };

EXP(proxy_abi_version_0_2_1) void abi(void) {}

EXP(proxy_on_context_create) void on_create(u32 id, u32 parent) {
    if (!parent)
        frame_base = 0;
}

EXP(proxy_on_vm_start) int on_vm_start(u32 id, u32 n) {
    return 1;
}

EXP(proxy_on_configure) int on_configure(u32 id, u32 n) {
    char* c = 0;
    usize cn = 0;
    proxy_get_buffer_bytes(7, 0, n, &c, &cn);
    if (eq(c, cn, "headers"))
        mode = HEADERS;
    else if (eq(c, cn, "transform"))
        mode = TRANSFORM;
    else if (eq(c, cn, "auth"))
        mode = AUTH;
    else if (eq(c, cn, "counter"))
        mode = COUNTER;
    else {
        logm(4, "unknown configuration");
        return 0;
    }
    proxy_define_metric(0, "patterns_requests", 17, &metric);
    logm(2, "configured");
    frame_base = top;
    return 1;
}

EXP(proxy_on_request_headers) int on_req(u32 id, u32 n, u32 eos) {
    char* p;
    usize pn;
    get(0, ":path", &p, &pn);
    proxy_increment_metric(metric, 1);
    if (eq(p, pn, "/crash"))
        __builtin_trap();
    if (eq(p, pn, "/spin"))
        for (;;) {
            volatile int x = 0;
            (void)x;
        }
    if (eq(p, pn, "/stuck"))
        return S_STOP;
    if (mode == TRANSFORM) {
        if (pn > 3 && p[0] == '/' && p[1] == 'v' && p[2] == '1' && p[3] == '/') {
            p[2] = '2';
            proxy_replace_header_map_value(0, ":path", 5, p, pn);
        }
        add(0, "x-transformed", "1");
    }
    if (mode == COUNTER)
        for (;;) {
            char* v = 0;
            usize vn = 0;
            u32 cas = 0, c = 0;
            if (proxy_get_shared_data("hits", 4, &v, &vn, &cas) == 0)
                for (usize i = 0; i < vn; i++)
                    c = c * 10 + (v[i] - '0');
            c++;
            char b[12];
            int k = 12;
            u32 t = c;
            while (t) {
                b[--k] = '0' + t % 10;
                t /= 10;
            }
            int rc = proxy_set_shared_data("hits", 4, b + k, 12 - k, cas);
            if (rc == 8)
                continue;
            proxy_add_header_map_value(0, "x-hits", 6, b + k, 12 - k);
            break;
        }
    if (mode == AUTH) {
        char* t;
        usize tn;
        if (get(0, "authorization", &t, &tn)) {
            proxy_send_local_response(401, "no_token", 8, "missing token\n", 14, "", 0, -1);
            return S_STOP;
        }
        static char m[512];
        char* q = m + 4 + 4 * 8;
        const char* ks[] = {":method", ":path", ":authority", "authorization"};
        const char* vs[] = {"GET", "/check", "auth.internal", t};
        usize vl[] = {3, 6, 13, tn};
        if (tn > 200)
            return S_GO;
        *(u32*)m = 4;
        for (int i = 0; i < 4; i++) {
            usize kl = len(ks[i]);
            ((u32*)m)[1 + 2 * i] = kl;
            ((u32*)m)[2 + 2 * i] = vl[i];
            for (usize j = 0; j < kl; j++)
                *q++ = ks[i][j];
            *q++ = 0;
            for (usize j = 0; j < vl[i]; j++)
                *q++ = vs[i][j];
            *q++ = 0;
        }
        u32 tok = 0;
        if (proxy_http_call("auth", 4, m, q - m, "", 0, "", 0, 500, &tok) || nwait == 64) {
            logm(4, "auth call could not be sent");
            proxy_send_local_response(500, "", 0, "", 0, "", 0, -1);
            return S_STOP;
        }
        waiting_ctx[nwait] = id;
        waiting_tok[nwait++] = tok;
        return S_STOP;
    }
    return S_GO;
}

EXP(proxy_on_http_call_response) void on_call(u32 root, u32 tok, u32 h, u32 b, u32 tr) {
    u32 id = 0;
    for (u32 i = 0; i < nwait; i++)
        if (waiting_tok[i] == tok) {
            id = waiting_ctx[i];
            waiting_ctx[i] = waiting_ctx[--nwait];
            waiting_tok[i] = waiting_tok[nwait];
            break;
        }
    if (!id)
        return;
    char* s = 0;
    usize sn = 0;
    if (h)
        get(6, ":status", &s, &sn);
    proxy_set_effective_context(id);
    if (eq(s, sn, "200")) {
        char* u = 0;
        usize un = 0;
        proxy_get_buffer_bytes(4, 0, b, &u, &un);
        if (un)
            proxy_add_header_map_value(0, "x-auth-user", 11, u, un);
        proxy_continue_stream(0);
    } else if (sn) {
        logm(3, "auth denied");
        proxy_send_local_response(403, "denied", 6, "forbidden\n", 10, "", 0, -1);
    } else {
        logm(4, "auth unreachable");
        proxy_send_local_response(503, "auth_down", 9, "auth unavailable\n", 17, "", 0, -1);
    }
}

EXP(proxy_on_response_headers) int on_resp(u32 id, u32 n, u32 eos) {
    char* s;
    usize sn;
    get(2, ":status", &s, &sn);
    if (mode == HEADERS) {
        if (sn && s[0] == '5')
            add(2, "X-Error-Class", "server");
        else if (sn && s[0] == '4')
            add(2, "X-Error-Class", "client");
        else
            add(2, "X-Powered-By", "wasmplug");
        proxy_remove_header_map_value(2, "server", 6);
    }
    if (mode == TRANSFORM)
        proxy_remove_header_map_value(2, "content-length", 14);
    return S_GO;
}

EXP(proxy_on_response_body) int on_resp_body(u32 id, u32 n, u32 eos) {
    if (mode != TRANSFORM)
        return S_GO;
    if (!eos)
        return 1;
    char* b;
    usize bn;
    if (proxy_get_buffer_bytes(1, 0, n, &b, &bn))
        return S_GO;
    for (usize i = 0; i < bn; i++)
        if (b[i] >= 'a' && b[i] <= 'z')
            b[i] -= 32;
    proxy_set_buffer_bytes(1, 0, n, b, bn);
    return S_GO;
}

EXP(proxy_on_done) int on_done(u32 id) {
    return 1;
}

EXP(proxy_on_delete) void on_delete(u32 id) {
    if (!nwait && frame_base)
        top = frame_base;
}
