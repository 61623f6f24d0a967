// Foreign functions that Envoy registers and that do not need the rest of Envoy: those that a
// test may define stand before them.

#include <zlib.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "host/imports.hpp"
#include "host/stream.hpp"

namespace wasmplug::host {
namespace {

std::optional<std::string> compress_text(std::string_view text) {
    uLongf size = compressBound(text.size());
    std::string out(size, '\0');
    if (compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                  reinterpret_cast<const Bytef*>(text.data()), text.size(),
                  Z_DEFAULT_COMPRESSION) != Z_OK) {
        return std::nullopt;
    }
    out.resize(size);
    return out;
}

// Envoy doubles its guess until the text fits; ours stops at 64 MiB.
std::optional<std::string> uncompress_text(std::string_view text) {
    constexpr std::size_t limit = std::size_t{64} << 20;
    for (std::size_t room = std::max<std::size_t>(text.size() * 2, 64); room <= limit; room *= 2) {
        uLongf size = room;
        std::string out(room, '\0');
        const int status = uncompress(reinterpret_cast<Bytef*>(out.data()), &size,
                                      reinterpret_cast<const Bytef*>(text.data()), text.size());
        if (status == Z_OK) {
            out.resize(size);
            return out;
        }
        if (status != Z_BUF_ERROR) {
            return std::nullopt;
        }
    }
    return std::nullopt;
}

// The rest of what Envoy 1.40 registers (source/extensions/common/wasm/foreign.cc): they need its
// crypto library, its filter state or its CEL runtime.
constexpr std::string_view envoys_own[] = {"verify_signature", "sign",
                                           "expr_create",      "expr_evaluate",
                                           "expr_delete",      "set_envoy_filter_state"};

}  // namespace

std::uint64_t call_foreign_function(Vm& vm, Arguments a) {
    const auto name = vm.read(a[0], a[1]);
    const auto argument = vm.read(a[2], a[3]);
    if (!name || !argument) {
        return code(Status::invalid_memory_access);
    }
    const std::string function(*name);
    const auto& given = vm.world().test.foreign_functions;
    if (const auto found = given.find(function); found != given.end()) {
        return code(vm.give(found->second, a[4], a[5]));
    }
    if (function == "compress" || function == "uncompress") {
        const auto result =
            function == "compress" ? compress_text(*argument) : uncompress_text(*argument);
        return code(result ? vm.give(*result, a[4], a[5]) : Status::serialization_failure);
    }
    if (function == "clear_route_cache" || function == "declare_property") {
        return code(vm.filter() == nullptr ? Status::not_found : vm.give("", a[4], a[5]));
    }
    if (std::find(std::begin(envoys_own), std::end(envoys_own), function) != std::end(envoys_own)) {
        vm.world().cannot_run = "the embedded host does not have Envoy's foreign function " +
                                function + ": give its answer under foreign_functions";
    }
    return code(Status::not_found);
}

}  // namespace wasmplug::host
