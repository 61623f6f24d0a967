#include "tests/fuzz/host_fuzz.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <random>
#include <sstream>
#include <utility>

#include "host/embedded.hpp"
#include "host/imports.hpp"
#include "tests/support/script_plugin.hpp"
#include "wasm/abi.hpp"

namespace wasmplug::test {
namespace {

// The plugin of this fuzzer runs records out of its configuration: who (a callback) calls what (an
// import) with which arguments, and what the callback then returns.
constexpr std::size_t record_size = 64;
constexpr std::size_t arguments_at = 4;
constexpr std::size_t result_at = 60;
constexpr std::size_t most_records = 200;
constexpr unsigned memory_pages = 2;
constexpr std::uint32_t memory_end = memory_pages * 65536;

struct Text {
    std::uint32_t at;
    std::string bytes;
};

void append_u32(std::string& out, std::uint32_t value) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
        out += static_cast<char>(value >> shift & 0xFFU);
    }
}

std::string pairs(const Headers& headers) {
    std::string out;
    append_u32(out, static_cast<std::uint32_t>(headers.size()));
    for (const auto& [name, value] : headers) {
        append_u32(out, static_cast<std::uint32_t>(name.size()));
        append_u32(out, static_cast<std::uint32_t>(value.size()));
    }
    for (const auto& [name, value] : headers) {
        out += name + '\0' + value + '\0';
    }
    return out;
}

// Strings that get a call past its first check, in the module's data.
const std::vector<Text>& texts() {
    static const std::vector<Text> all = [] {
        std::string endless;
        append_u32(endless, 0xffffffffU);
        std::string lying;
        append_u32(lying, 1);
        append_u32(lying, 0x7fffffffU);
        append_u32(lying, 0x7fffffffU);
        std::vector<Text> placed;
        std::uint32_t at = 1024;
        for (auto& text : std::vector<std::string>{
                 "auth",
                 ":path",
                 "/x",
                 ":status",
                 "k",
                 "q1",
                 "vm",
                 "metric",
                 pairs({{":method", "GET"}, {":path", "/c"}, {":authority", "a"}}),
                 pairs({}),
                 endless,
                 lying,
                 "compress",
                 "uncompress",
                 "clear_route_cache",
                 "declare_property",
                 "set_envoy_filter_state",
                 "answer",
                 std::string("request\0path", 12),
                 std::string("response\0code", 13),
                 "plugin_name",
                 "x-new",
                 ""}) {
            const auto size = static_cast<std::uint32_t>(text.size());
            placed.push_back({at, std::move(text)});
            at += (size + 8) & ~7U;
        }
        return placed;
    }();
    return all;
}

constexpr std::array<std::uint32_t, 40> numbers{0,           1,
                                                2,           3,
                                                4,           5,
                                                6,           7,
                                                8,           9,
                                                10,          11,
                                                12,          16,
                                                20,          24,
                                                28,          64,
                                                100,         200,
                                                403,         1000,
                                                1024,        1025,
                                                4096,        65535,
                                                65536,       memory_end - 4,
                                                memory_end,  memory_end - 1,
                                                1U << 20U,   (1U << 20U) + 1,
                                                0x7fffffffU, 0x80000000U,
                                                0xfffffff0U, 0xfffffffcU,
                                                0xfffffffeU, 0xffffffffU,
                                                0xffff0000U, 777};

// "i32 i64 -> i32": what is before the arrow, and whether something is behind it.
std::pair<std::vector<std::string>, bool> signature(std::string_view text) {
    std::pair<std::vector<std::string>, bool> result;
    std::istringstream words{std::string(text)};
    bool behind = false;
    for (std::string word; words >> word;) {
        if (word == "->") {
            behind = true;
        } else if (word != "void" && behind) {
            result.second = true;
        } else if (word != "void") {
            result.first.push_back(word);
        }
    }
    return result;
}

struct Import {
    std::string module;
    std::string name;
    std::string_view signature;
};

const std::vector<Import>& imports() {
    static const std::vector<Import> all = [] {
        std::vector<Import> found;
        for (const auto& each : wasm::host_functions()) {
            if (each.abis.v0_2_1) {
                found.push_back({"env", std::string(each.name), each.signature});
            }
        }
        for (const auto& each : wasm::wasi_functions()) {
            found.push_back({"wasi_snapshot_preview1", std::string(each.name), each.signature});
        }
        return found;
    }();
    return all;
}

// Callbacks of the ABI; the number behind them stands for malloc.
std::vector<wasm::Callback> called() {
    std::vector<wasm::Callback> found;
    for (const auto& each : wasm::callbacks()) {
        if (each.abis.v0_2_1 && each.name.starts_with("proxy_on_")) {
            found.push_back(each);
        }
    }
    return found;
}

std::string parameters(const std::vector<std::string>& types) {
    std::string text;
    for (const auto& type : types) {
        text += " (param " + type + ")";
    }
    return text;
}

std::string escaped(const std::string& bytes) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        text += '\\';
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return text;
}

// (func $one (param $p i32)): the call that the record at $p asks for.
std::string dispatcher() {
    std::ostringstream out;
    out << "(func $one (param $p i32) (local $op i32)\n"
           "(local.set $op (i32.load8_u offset=1 (local.get $p)))\n";
    for (std::size_t i = 0; i < imports().size(); ++i) {
        const auto [types, returns] = signature(imports()[i].signature);
        out << "(if (i32.eq (local.get $op) (i32.const " << i << ")) (then "
            << (returns ? "(drop " : "") << "(call $i" << i;
        std::size_t at = arguments_at;
        for (const auto& type : types) {
            out << " (" << type << ".load offset=" << at << " align=1 (local.get $p))";
            at += type == "i64" ? 8U : 4U;
        }
        out << ")" << (returns ? ")" : "") << " (return)))\n";
    }
    out << "(if (i32.eq (local.get $op) (i32.const " << imports().size()
        << ")) (then (drop (memory.grow (i32.and (i32.const 15) (i32.load offset=4 (local.get "
           "$p)))))))\n(if (i32.eq (local.get $op) (i32.const "
        << imports().size() + 1 << ")) (then unreachable)))\n";
    return out.str();
}

std::string module_text() {
    std::ostringstream out;
    out << "(module\n";
    for (std::size_t i = 0; i < imports().size(); ++i) {
        const auto& import = imports()[i];
        const auto [types, returns] = signature(import.signature);
        out << "(import \"" << import.module << "\" \"" << import.name << "\" (func $i" << i
            << parameters(types) << (returns ? " (result i32)" : "") << "))\n";
    }
    out << "(memory (export \"memory\") " << memory_pages
        << ")\n(global $program (mut i32) (i32.const 0))\n(global $count (mut i32) (i32.const 0))\n"
           "(global $top (mut i32) (i32.const 8192))\n(global $depth (mut i32) (i32.const 0))\n";
    for (const auto& text : texts()) {
        out << "(data (i32.const " << text.at << ") \"" << escaped(text.bytes) << "\")\n";
    }
    out << dispatcher();
    out << "(func $run (param $who i32) (result i32) (local $i i32) (local $p i32) (local $r i32)\n"
           "(if (i32.gt_u (global.get $depth) (i32.const 4)) (then (return (i32.const 0))))\n"
           "(global.set $depth (i32.add (global.get $depth) (i32.const 1)))\n"
           "(block $end (loop $next\n"
           "(br_if $end (i32.ge_u (local.get $i) (global.get $count)))\n"
           "(local.set $p (i32.add (global.get $program) (i32.shl (local.get $i) (i32.const 6))))\n"
           "(if (i32.eq (i32.load8_u (local.get $p)) (local.get $who)) (then (call $one (local.get "
           "$p)) (local.set $r (i32.load offset="
        << result_at
        << " (local.get $p)))))\n"
           "(local.set $i (i32.add (local.get $i) (i32.const 1)))\n(br $next)))\n"
           "(global.set $depth (i32.sub (global.get $depth) (i32.const 1)))\n(local.get $r))\n";
    const auto callbacks = called();
    out << "(func (export \"malloc\") (param $n i32) (result i32) (local $at i32)\n"
           "(local.set $at (global.get $top))\n"
           "(global.set $top (i32.add (local.get $at) (i32.and (i32.const -8) (i32.add (i32.const "
           "8) (local.get $n)))))\n"
           "(if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))) (then (drop "
           "(memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get $n) (i32.const 16)))))))\n"
           "(drop (call $run (i32.const "
        << callbacks.size()
        << ")))\n(local.get $at))\n(func (export \"proxy_abi_version_0_2_1\"))\n";
    std::size_t buffer = 0;
    for (std::size_t i = 0; i < imports().size(); ++i) {
        buffer = imports()[i].name == "proxy_get_buffer_bytes" ? i : buffer;
    }
    for (std::size_t i = 0; i < callbacks.size(); ++i) {
        const auto [types, returns] = signature(callbacks[i].signature);
        out << "(func (export \"" << callbacks[i].name << "\")" << parameters(types)
            << (returns ? " (result i32)" : "") << "\n";
        if (callbacks[i].name == "proxy_on_configure") {
            out << "(drop (call $i" << buffer
                << " (i32.const 7) (i32.const 0) (i32.const 65536) (i32.const 16) (i32.const "
                   "20)))\n"
                   "(global.set $program (i32.load (i32.const 16)))\n"
                   "(global.set $count (i32.shr_u (i32.load (i32.const 20)) (i32.const 6)))\n";
        }
        const bool starts =
            callbacks[i].name == "proxy_on_configure" || callbacks[i].name == "proxy_on_vm_start";
        out << (starts || !returns ? "(drop " : "(") << (starts || !returns ? "(" : "")
            << "call $run (i32.const " << i << "))" << (starts || !returns ? ")" : "")
            << (starts ? " (i32.const 1)" : "") << ")\n";
    }
    out << ")\n";
    return out.str();
}

class Bytes {
  public:
    explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

    bool empty() const { return bytes_.empty(); }

    unsigned next() {
        if (bytes_.empty()) {
            return 0;
        }
        const auto byte = static_cast<unsigned char>(bytes_.front());
        bytes_.remove_prefix(1);
        return byte;
    }

  private:
    std::string_view bytes_;
};

void put_u32(std::string& record, std::size_t at, std::uint32_t value) {
    for (unsigned shift = 0; shift < 32 && at < record.size(); shift += 8) {
        record[at++] = static_cast<char>(value >> shift & 0xFFU);
    }
}

// An argument is a byte: most name a number, the upper quarter a text, which is two arguments.
void put_arguments(std::string& record, std::string_view signature_text, Bytes& bytes) {
    std::size_t at = arguments_at;
    const auto types = signature(signature_text).first;
    for (std::size_t i = 0; i < types.size(); ++i) {
        const unsigned byte = bytes.next();
        if (byte >= 0xC0 && i + 1 < types.size()) {
            const auto& text = texts()[(byte - 0xC0) % texts().size()];
            put_u32(record, at, text.at);
            put_u32(record, at + 4, static_cast<std::uint32_t>(text.bytes.size()));
            at += 8;
            ++i;
            continue;
        }
        put_u32(record, at, numbers[byte % numbers.size()]);
        at += types[i] == "i64" ? 8U : 4U;
    }
}

std::string program_of(std::string_view input) {
    Bytes bytes(input);
    std::string program;
    const std::size_t callbacks = called().size() + 1;
    while (!bytes.empty() && program.size() < most_records * record_size) {
        std::string record(record_size, '\0');
        const auto who = bytes.next() % callbacks;
        const auto what = bytes.next() % (imports().size() + 2);
        record[0] = static_cast<char>(who);
        record[1] = static_cast<char>(what);
        if (what < imports().size()) {
            put_arguments(record, imports()[what].signature, bytes);
        } else {
            put_u32(record, arguments_at, bytes.next());
        }
        put_u32(record, result_at, bytes.next() % 5);
        program += record;
    }
    return program;
}

plugintest::Case case_for(const std::filesystem::path& module, std::string_view input) {
    using namespace plugintest;
    Case test;
    test.plugins.push_back(
        {.module = module, .name = "fuzz", .config = program_of(input), .vm_id = "vm"});
    test.limits.instructions = 300'000;
    test.limits.memory = std::uint64_t{64} << 20U;
    test.shared_data = {{"k", "value"}};
    test.foreign_functions = {{"answer", "42"}};
    CallReply reply{.message = {.headers = {{":status", "200"}}, .body = {"body"}}};
    test.calls = {{.cluster = "auth", .reply = reply},
                  {.cluster = "auth", .grpc = true, .reply = reply}};
    Step request;
    request.request = Message{
        .headers = {{":method", "POST"}, {":path", "/x"}, {":authority", "a"}, {":scheme", "http"}},
        .body = {"one", "two"},
        .trailers = {{"t", "1"}}};
    request.upstream = Message{
        .headers = {{":status", "200"}}, .body = {"three", "four"}, .trailers = {{"u", "2"}}};
    Step waits;
    waits.ticks = 1;
    waits.advance = std::chrono::seconds(5);
    Step push;
    push.push = Step::Push{.queue = "q1", .data = "item", .vm_id = "vm"};
    test.steps = {request, waits, push, request};
    return test;
}

const std::optional<std::filesystem::path>& module_path() {
    static const auto path = assembled(module_text());
    return path;
}

std::string random_bytes(unsigned seed, std::size_t size) {
    std::mt19937 random(seed);
    std::string bytes(size, '\0');
    for (char& c : bytes) {
        c = static_cast<char>(random() & 0xFFU);
    }
    return bytes;
}

}  // namespace

std::set<std::string> host_functions_reached(std::string_view input) {
    host::Embedded embedded;
    std::set<std::string> names;
    for (const auto& [name, count] : embedded.run(case_for(*module_path(), input)).host_calls) {
        names.insert(name);
    }
    return names;
}

std::vector<std::string> fuzzed_host_functions() {
    std::vector<std::string> names;
    for (const auto& each : imports()) {
        names.push_back(each.name);
    }
    return names;
}

std::vector<FuzzTarget> host_targets() {
    const auto& module = module_path();
    if (!module) {
        std::cerr << "the host calls are not fuzzed: wat2wasm is not there\n";
        return {};
    }
    // One of every call with texts and places for results, and then chance.
    const auto callbacks = called();
    std::size_t in_request = 0;
    while (callbacks[in_request].name != "proxy_on_request_headers") {
        ++in_request;
    }
    std::string each;
    for (std::size_t i = 0; i < imports().size(); ++i) {
        each += static_cast<char>(in_request);
        each += static_cast<char>(i);
        for (std::size_t left = signature(imports()[i].signature).first.size(); left > 0;) {
            const bool text = left >= 2;
            each += static_cast<char>(text ? 0xC0U + (i + left) % 64 : 13U);
            left -= text ? 2 : 1;
        }
        each += '\0';
    }
    return {{"host_calls",
             [path = *module](std::string_view input) {
                 static host::Embedded embedded;
                 static_cast<void>(embedded.run(case_for(path, input)));
             },
             {each, random_bytes(1, 300), random_bytes(2, 300), random_bytes(3, 600)}}};
}

}  // namespace wasmplug::test
