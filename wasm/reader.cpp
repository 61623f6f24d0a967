// The binary format of the WebAssembly core specification 3.0 (chapter 5), which is what the V8
// of Envoy 1.40 takes: with garbage-collected types, tags, memory64 and several memories.

#include "wasm/reader.hpp"

#include <fmt/format.h>

#include <array>
#include <set>

namespace wasmplug::wasm {

namespace {

constexpr std::array<const char*, 14> section_names{
    "custom", "type",  "import",  "function", "table", "memory",     "global",
    "export", "start", "element", "code",     "data",  "data count", "tag"};

// Where a section stands among the others: the order of the specification, not of the ids.
constexpr std::array<int, 14> section_order{0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11, 6};

bool is_reference_code(std::uint8_t code) {
    return code == 0x63 || code == 0x64 || (code >= 0x69 && code <= 0x74);
}

}  // namespace

void Reader::header(Bytes& in) const {
    if (bytes_.empty()) {
        fault(ModuleError::Kind::not_wasm, 0, "the file is empty");
    }
    if (!bytes_.starts_with(std::string_view("\0asm", 4))) {
        fault(ModuleError::Kind::not_wasm, 0,
              bytes_.starts_with("(module")
                  ? "this is WebAssembly text; an engine takes the binary form that wat2wasm makes"
                  : "this is no WebAssembly module: it does not begin with \\0asm");
    }
    in.take(4, "the header");
    const std::string_view version = in.take(4, "the header");
    if (version == std::string_view("\x0d\0\1\0", 4)) {
        fault(ModuleError::Kind::not_wasm, 4,
              "this is a WebAssembly component, and Envoy takes core modules");
    }
    if (version != std::string_view("\1\0\0\0", 4)) {
        fault(ModuleError::Kind::not_wasm, 4,
              fmt::format("the WebAssembly version is {}, and engines know 1",
                          static_cast<unsigned char>(version[0])));
    }
}

Module Reader::read() {
    if (bytes_.size() > limits_.bytes) {
        fault(ModuleError::Kind::limit, limits_.bytes,
              fmt::format("the module has {} bytes, over the limit of {}", bytes_.size(),
                          limits_.bytes));
    }
    Bytes in(bytes_);
    header(in);
    module_.size = bytes_.size();
    int last = 0;
    while (!in.at_end()) {
        const std::size_t start = in.offset();
        const std::uint8_t id = in.u8("a section");
        const std::uint32_t size = in.u32("a section's size");
        if (id >= section_names.size()) {
            fault(ModuleError::Kind::malformed, start, fmt::format("unknown section {}", id));
        }
        if (size > in.left()) {
            fault(ModuleError::Kind::truncated, start,
                  fmt::format("section {} has {} bytes, and the file ends after {}",
                              section_names[id], size, in.left()));
        }
        if (module_.sections.size() >= limits_.sections) {
            fault(ModuleError::Kind::limit, start,
                  fmt::format("there are more than {} sections", limits_.sections));
        }
        if (id != 0) {
            if (section_order[id] <= last) {
                fault(ModuleError::Kind::malformed, start,
                      fmt::format("section {} is out of order", section_names[id]));
            }
            last = section_order[id];
        }
        module_.sections.push_back({id, section_names[id], in.offset(), size});
        Bytes contents = in.part(size, section_names[id]);
        section(id, contents);
    }
    finish(in.offset());
    return std::move(module_);
}

void Reader::section(std::uint8_t id, Bytes& in) {
    switch (id) {
        case 0:
            module_.sections.back().name = in.name("a custom section's name");
            return;  // its contents are for others to judge
        case 1:
            type_section(in);
            break;
        case 2:
            import_section(in);
            break;
        case 3:
            function_section(in);
            break;
        case 4:
            table_section(in);
            break;
        case 5:
            memory_section(in);
            break;
        case 6:
            global_section(in);
            break;
        case 7:
            export_section(in);
            break;
        case 8:
            start_section(in);
            break;
        case 9:
            element_section(in);
            break;
        case 10:
            code_section(in);
            break;
        case 11:
            data_section(in);
            break;
        case 12:
            module_.announced_data = in.u32("the data count");
            break;
        default:
            tag_section(in);
            break;
    }
    if (!in.at_end()) {
        in.malformed(
            fmt::format("{} bytes are left over in section {}", in.left(), section_names[id]));
    }
}

void Reader::finish(std::size_t end) const {
    const std::size_t defined = module_.functions.size() - module_.imported_functions;
    if (defined != module_.bodies.size()) {
        fault(ModuleError::Kind::malformed, end,
              fmt::format("{} functions are declared and {} have code", defined,
                          module_.bodies.size()));
    }
    if (module_.announced_data && *module_.announced_data != module_.data.size()) {
        fault(ModuleError::Kind::malformed, end,
              fmt::format("{} data segments are announced and {} are there",
                          *module_.announced_data, module_.data.size()));
    }
}

void Reader::check_index(std::size_t index, std::size_t count, std::size_t offset,
                         const char* what) const {
    if (index >= count) {
        fault(ModuleError::Kind::malformed, offset,
              fmt::format("{} {} does not exist, there are {}", what, index, count));
    }
}

std::uint32_t Reader::type_index(Bytes& in, const char* what) const {
    const std::size_t start = in.offset();
    const std::uint32_t index = in.u32(what);
    check_index(index, module_.types.size(), start, "type");
    if (!module_.types[index]) {
        fault(ModuleError::Kind::malformed, start,
              fmt::format("type {} is no function type", index));
    }
    return index;
}

std::uint32_t Reader::function_index(Bytes& in, const char* what) const {
    const std::size_t start = in.offset();
    const std::uint32_t index = in.u32(what);
    check_index(index, module_.functions.size(), start, "function");
    return index;
}

ValueType Reader::value_type(Bytes& in, bool packed) {
    const std::size_t start = in.offset();
    const std::uint8_t code = in.u8("a value type");
    if (code == 0x69 || code == 0x74) {
        module_.features.note(Feature::exception_references, start);
    } else if (is_reference_code(code) && code != 0x70 && code != 0x6f) {
        module_.features.note(Feature::garbage_collection, start);
    }
    if (code == 0x63 || code == 0x64) {
        return {code, in.signed_leb(33, "a heap type")};
    }
    const bool number = code >= 0x7b && code <= 0x7f;
    const bool small = packed && (code == 0x77 || code == 0x78);
    if (!number && !small && !is_reference_code(code)) {
        fault(ModuleError::Kind::malformed, start, fmt::format("0x{:02x} is no value type", code));
    }
    return {code, 0};
}

ValueType Reader::reference_type(Bytes& in) {
    const std::size_t start = in.offset();
    const ValueType type = value_type(in);
    if (!is_reference_code(type.code)) {
        fault(ModuleError::Kind::malformed, start,
              fmt::format("{} is no reference type", to_text(type)));
    }
    return type;
}

std::vector<ValueType> Reader::value_types(Bytes& in, std::uint32_t limit, const char* what) {
    const std::uint32_t count = in.count(limit, what);
    std::vector<ValueType> types;
    types.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        types.push_back(value_type(in));
    }
    return types;
}

void Reader::type_section(Bytes& in) {
    const std::uint32_t groups = in.count(limits_.types, "the number of types");
    for (std::uint32_t i = 0; i < groups; ++i) {
        if (in.peek("a type") == 0x4e) {
            module_.features.note(Feature::garbage_collection, in.offset());
            in.u8("a type group");
            const std::uint32_t members = in.count(limits_.types, "the number of types");
            for (std::uint32_t j = 0; j < members; ++j) {
                type(in);
            }
        } else {
            type(in);
        }
        if (module_.types.size() > limits_.types) {
            fault(ModuleError::Kind::limit, in.offset(),
                  fmt::format("there are more than {} types", limits_.types));
        }
    }
}

void Reader::type(Bytes& in) {
    const std::uint8_t wrapper = in.peek("a type");
    if (wrapper != 0x60) {
        module_.features.note(Feature::garbage_collection, in.offset());
    }
    if (wrapper == 0x50 || wrapper == 0x4f) {
        in.u8("a subtype");
        for (std::uint32_t left = in.count(1, "the number of supertypes"); left > 0; --left) {
            in.u32("a supertype");
        }
    }
    const std::size_t start = in.offset();
    switch (in.u8("a type")) {
        case 0x60: {
            FunctionType function;
            function.parameters = value_types(in, limits_.parameters, "the number of parameters");
            function.results = value_types(in, limits_.results, "the number of results");
            module_.types.emplace_back(std::move(function));
            return;
        }
        case 0x5f:
            for (std::uint32_t left = in.count(limits_.struct_fields, "the number of fields");
                 left > 0; --left) {
                value_type(in, true);
                in.u8("a field's mutability");
            }
            break;
        case 0x5e:
            value_type(in, true);
            in.u8("a field's mutability");
            break;
        default:
            fault(ModuleError::Kind::malformed, start, "unknown form of type");
    }
    module_.types.emplace_back(std::nullopt);
}

Size Reader::size(Bytes& in, bool memory) {
    const std::size_t start = in.offset();
    const std::uint8_t flags = in.u8("the limits");
    if (flags > 7 || (!memory && (flags & 2) != 0)) {
        fault(ModuleError::Kind::malformed, start,
              fmt::format("0x{:02x} are no flags of the limits of a {}", flags,
                          memory ? "memory" : "table"));
    }
    Size size;
    size.shared = (flags & 2) != 0;
    size.is_64 = (flags & 4) != 0;
    if (size.is_64) {
        module_.features.note(Feature::memory64, start);
    }
    size.minimum = size.is_64 ? in.u64("a minimum") : in.u32("a minimum");
    if ((flags & 1) != 0) {
        size.maximum = size.is_64 ? in.u64("a maximum") : in.u32("a maximum");
        if (*size.maximum < size.minimum) {
            fault(ModuleError::Kind::malformed, start,
                  fmt::format("the maximum of {} is below the minimum of {}", *size.maximum,
                              size.minimum));
        }
    }
    if (memory) {
        if (size.shared && !size.maximum) {
            fault(ModuleError::Kind::malformed, start, "a shared memory has no maximum");
        }
        const std::uint64_t most = size.is_64 ? std::uint64_t{1} << 48 : 65'536;
        if (size.minimum > most || size.maximum.value_or(0) > most) {
            fault(ModuleError::Kind::malformed, start,
                  fmt::format("a memory has at most {} pages", most));
        }
    } else if (size.minimum > limits_.table_elements) {
        fault(ModuleError::Kind::limit, start,
              fmt::format("a table begins with {} elements, over the limit of {}", size.minimum,
                          limits_.table_elements));
    }
    return size;
}

Size Reader::table(Bytes& in) {
    const ValueType element = reference_type(in);
    Size table = size(in, false);
    table.element = element;
    return table;
}

void Reader::import_section(Bytes& in) {
    const std::uint32_t count = in.count(limits_.imports, "the number of imports");
    module_.imports.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        import(in);
    }
    module_.imported_functions = static_cast<std::uint32_t>(module_.functions.size());
    module_.imported_tables = static_cast<std::uint32_t>(module_.tables.size());
    module_.imported_memories = static_cast<std::uint32_t>(module_.memories.size());
    module_.imported_globals = static_cast<std::uint32_t>(module_.globals.size());
    note_memories(in.offset());
    module_.referenced.resize(module_.functions.size());
}

void Reader::import(Bytes& in) {
    Import import;
    import.offset = in.offset();
    import.module = in.name("an import's module");
    import.name = in.name("an import's name");
    const std::size_t start = in.offset();
    const std::uint8_t kind = in.u8("an import's kind");
    switch (kind) {
        case 0:
            import.type = type_index(in, "an imported function");
            module_.functions.push_back(import.type);
            break;
        case 1:
            module_.tables.push_back(table(in));
            break;
        case 2:
            module_.memories.push_back(size(in, true));
            break;
        case 3: {
            const ValueType type = value_type(in);
            module_.globals.push_back({type, mutability(in)});
            break;
        }
        case 4:
            in.u8("a tag's attribute");
            import.type = type_index(in, "an imported tag");
            module_.tags.push_back(import.type);
            break;
        default:
            fault(ModuleError::Kind::malformed, start,
                  fmt::format("{} is no kind of import", kind));
    }
    import.kind = static_cast<ExternalKind>(kind);
    module_.imports.push_back(std::move(import));
}

void Reader::function_section(Bytes& in) {
    const std::uint32_t count = in.count(limits_.functions, "the number of functions");
    module_.functions.reserve(module_.functions.size() + count);
    for (std::uint32_t i = 0; i < count; ++i) {
        module_.functions.push_back(type_index(in, "a function's type"));
    }
    module_.referenced.resize(module_.functions.size());
}

void Reader::table_section(Bytes& in) {
    const std::uint32_t count = in.count(limits_.tables, "the number of tables");
    for (std::uint32_t i = 0; i < count; ++i) {
        if (in.peek("a table") == 0x40) {  // with an initial value
            in.u8("a table");
            in.u8("a table");
            module_.features.note(Feature::garbage_collection, in.offset());
            module_.tables.push_back(table(in));
            constant_expression(in, kind_of(module_.tables.back().element));
        } else {
            module_.tables.push_back(table(in));
        }
    }
}

void Reader::memory_section(Bytes& in) {
    const std::uint32_t count = in.count(limits_.memories, "the number of memories");
    for (std::uint32_t i = 0; i < count; ++i) {
        module_.memories.push_back(size(in, true));
    }
    note_memories(in.offset());
}

void Reader::note_memories(std::size_t offset) {
    if (module_.memories.size() > 1) {
        module_.features.note(Feature::several_memories, offset);
    }
}

bool Reader::mutability(Bytes& in) {
    const std::size_t start = in.offset();
    const std::uint8_t value = in.u8("a global's mutability");
    if (value > 1) {
        fault(ModuleError::Kind::malformed, start, fmt::format("{} is no mutability", value));
    }
    return value == 1;
}

void Reader::global_section(Bytes& in) {
    const std::uint32_t count = in.count(limits_.globals, "the number of globals");
    for (std::uint32_t i = 0; i < count; ++i) {
        const ValueType type = value_type(in);
        const bool is_mutable = mutability(in);
        constant_expression(in, kind_of(type));
        module_.globals.push_back({type, is_mutable});
    }
}

void Reader::tag_section(Bytes& in) {
    const std::uint32_t count = in.count(limits_.tags, "the number of tags");
    for (std::uint32_t i = 0; i < count; ++i) {
        in.u8("a tag's attribute");
        module_.tags.push_back(type_index(in, "a tag"));
    }
}

void Reader::export_section(Bytes& in) {
    const std::uint32_t count = in.count(limits_.exports, "the number of exports");
    module_.exports.reserve(count);
    std::set<std::string_view> seen;
    for (std::uint32_t i = 0; i < count; ++i) {
        Export exported;
        exported.offset = in.offset();
        exported.name = in.name("an export's name");
        const std::size_t start = in.offset();
        const std::uint8_t kind = in.u8("an export's kind");
        exported.index = in.u32("an export's index");
        const std::array<std::size_t, 5> counts{module_.functions.size(), module_.tables.size(),
                                                module_.memories.size(), module_.globals.size(),
                                                module_.tags.size()};
        if (kind >= counts.size()) {
            fault(ModuleError::Kind::malformed, start,
                  fmt::format("{} is no kind of export", kind));
        }
        exported.kind = static_cast<ExternalKind>(kind);
        check_index(exported.index, counts[kind], start, to_text(exported.kind).data());
        if (exported.kind == ExternalKind::function) {
            module_.referenced[exported.index] = true;
        }
        module_.exports.push_back(std::move(exported));
        if (!seen.insert(module_.exports.back().name).second) {
            fault(ModuleError::Kind::malformed, start,
                  fmt::format("'{}' is exported twice", module_.exports.back().name));
        }
    }
}

void Reader::start_section(Bytes& in) {
    const std::size_t start = in.offset();
    module_.start = function_index(in, "the start function");
    const FunctionType* type = module_.function_type(*module_.start);
    if (type == nullptr || !type->parameters.empty() || !type->results.empty()) {
        fault(ModuleError::Kind::malformed, start, "the start function takes or returns something");
    }
}

Module read_module(std::string_view bytes, const ModuleLimits& limits) {
    return Reader(bytes, limits).read();
}

}  // namespace wasmplug::wasm
