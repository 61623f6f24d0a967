#include "wasm/module.hpp"

namespace wasmplug::wasm {

namespace {

constexpr std::uint32_t no_limit = 0xffff'ffff;

// The contents of a custom section behind its name.
std::optional<Bytes> contents(std::string_view bytes, const Module& module, std::string_view name) {
    const Section* section = module.find_custom(name);
    if (section == nullptr) {
        return std::nullopt;
    }
    Bytes in(bytes.substr(section->offset, section->size), section->offset);
    in.sized("a name");
    return in;
}

void read_function_names(Bytes in, Names& names) {
    for (std::uint32_t left = in.count(no_limit, "names"); left > 0; --left) {
        const std::uint32_t index = in.u32("a function");
        names.functions.emplace(index, in.sized("a name"));
    }
}

}  // namespace

// Appendix "Custom Sections" of the core specification: subsections 0 (module), 1 (functions).
Names read_names(std::string_view bytes, const Module& module) {
    Names names;
    std::optional<Bytes> in = contents(bytes, module, "name");
    try {
        while (in && !in->at_end()) {
            const std::uint8_t id = in->u8("a subsection");
            Bytes part = in->part(in->u32("a subsection"), "a subsection");
            if (id == 0) {
                names.module = part.name("the module's name");
            } else if (id == 1) {
                read_function_names(part, names);
            }
        }
    } catch (const ModuleError&) {
        // Advice only; what was read until here stands.
    }
    return names;
}

// WebAssembly tool conventions, ProducersSection.md.
std::vector<Producer> read_producers(std::string_view bytes, const Module& module) {
    std::vector<Producer> producers;
    std::optional<Bytes> in = contents(bytes, module, "producers");
    try {
        if (!in) {
            return producers;
        }
        for (std::uint32_t fields = in->count(no_limit, "fields"); fields > 0; --fields) {
            const std::string field = in->name("a field");
            for (std::uint32_t left = in->count(no_limit, "values"); left > 0; --left) {
                Producer producer{field, in->name("a value"), {}};
                producer.version = in->name("a version");
                producers.push_back(std::move(producer));
            }
        }
    } catch (const ModuleError&) {
        // As above.
    }
    return producers;
}

}  // namespace wasmplug::wasm
