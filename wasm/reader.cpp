// The binary format of the WebAssembly core specification 3.0 (chapter 5), which is what the V8
// of Envoy 1.40 takes: with garbage-collected types, tags, memory64 and several memories.

#include <fmt/format.h>

#include <array>
#include <set>

#include "wasm/module.hpp"

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

class Reader {
  public:
    Reader(std::string_view bytes, const ModuleLimits& limits) : bytes_(bytes), limits_(limits) {}

    Module read();

  private:
    void header(Bytes& in) const;
    void section(std::uint8_t id, Bytes& in);
    void finish(std::size_t end) const;

    void type_section(Bytes& in);
    void type(Bytes& in);
    void import_section(Bytes& in);
    void import(Bytes& in);
    void function_section(Bytes& in);
    void table_section(Bytes& in);
    void memory_section(Bytes& in);
    void global_section(Bytes& in);
    void tag_section(Bytes& in);
    void export_section(Bytes& in);
    void start_section(Bytes& in);
    void element_section(Bytes& in);
    void element_segment(Bytes& in) const;
    void code_section(Bytes& in);
    void data_section(Bytes& in);

    ValueType value_type(Bytes& in, bool packed = false) const;
    ValueType reference_type(Bytes& in) const;
    std::vector<ValueType> value_types(Bytes& in, std::uint32_t limit, const char* what) const;
    Size size(Bytes& in, bool memory) const;
    Size table(Bytes& in) const;
    std::uint32_t type_index(Bytes& in, const char* what) const;
    std::uint32_t function_index(Bytes& in, const char* what) const;
    void constant_expression(Bytes& in) const;
    bool constant_prefixed_instruction(std::uint8_t prefix, Bytes& in) const;
    void check_index(std::size_t index, std::size_t count, std::size_t offset,
                     const char* what) const;

    std::string_view bytes_;
    const ModuleLimits& limits_;
    Module module_;
    std::optional<std::uint32_t> declared_data_;
};

[[noreturn]] void fault(ModuleError::Kind kind, std::size_t offset, const std::string& what) {
    throw ModuleError(kind, offset, what);
}

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
            declared_data_ = in.u32("the data count");
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
    if (declared_data_ && *declared_data_ != module_.data_segments) {
        fault(ModuleError::Kind::malformed, end,
              fmt::format("{} data segments are announced and {} are there", *declared_data_,
                          module_.data_segments));
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

ValueType Reader::value_type(Bytes& in, bool packed) const {
    const std::size_t start = in.offset();
    const std::uint8_t code = in.u8("a value type");
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

ValueType Reader::reference_type(Bytes& in) const {
    const std::size_t start = in.offset();
    const ValueType type = value_type(in);
    if (!is_reference_code(type.code)) {
        fault(ModuleError::Kind::malformed, start,
              fmt::format("{} is no reference type", to_text(type)));
    }
    return type;
}

std::vector<ValueType> Reader::value_types(Bytes& in, std::uint32_t limit, const char* what) const {
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

Size Reader::size(Bytes& in, bool memory) const {
    const std::size_t start = in.offset();
    const std::uint8_t flags = in.u8("the limits");
    if (flags > 7) {
        fault(ModuleError::Kind::malformed, start,
              fmt::format("0x{:02x} are no flags of limits", flags));
    }
    Size size;
    size.shared = (flags & 2) != 0;
    size.is_64 = (flags & 4) != 0;
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

Size Reader::table(Bytes& in) const {
    reference_type(in);
    return size(in, false);
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
            module_.globals.push_back({type, in.u8("a global's mutability") != 0});
            break;
        }
        case 4:
            in.u8("a tag's attribute");
            import.type = type_index(in, "an imported tag");
            ++module_.tags;
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
}

void Reader::table_section(Bytes& in) {
    const std::uint32_t count = in.count(limits_.tables, "the number of tables");
    for (std::uint32_t i = 0; i < count; ++i) {
        if (in.peek("a table") == 0x40) {  // with an initial value
            in.u8("a table");
            in.u8("a table");
            module_.tables.push_back(table(in));
            constant_expression(in);
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
}

void Reader::global_section(Bytes& in) {
    const std::uint32_t count = in.count(limits_.globals, "the number of globals");
    for (std::uint32_t i = 0; i < count; ++i) {
        const ValueType type = value_type(in);
        const std::size_t start = in.offset();
        const std::uint8_t mutability = in.u8("a global's mutability");
        if (mutability > 1) {
            fault(ModuleError::Kind::malformed, start,
                  fmt::format("{} is no mutability", mutability));
        }
        constant_expression(in);
        module_.globals.push_back({type, mutability == 1});
    }
}

void Reader::tag_section(Bytes& in) {
    const std::uint32_t count = in.count(limits_.tags, "the number of tags");
    for (std::uint32_t i = 0; i < count; ++i) {
        in.u8("a tag's attribute");
        type_index(in, "a tag");
        ++module_.tags;
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
                                                module_.tags};
        if (kind >= counts.size()) {
            fault(ModuleError::Kind::malformed, start,
                  fmt::format("{} is no kind of export", kind));
        }
        exported.kind = static_cast<ExternalKind>(kind);
        check_index(exported.index, counts[kind], start, to_text(exported.kind).data());
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

// Skips an initialiser (§5.4.9). Which instructions are constant depends on the features of the
// engine; all that Envoy's V8 takes are known here.
void Reader::constant_expression(Bytes& in) const {
    while (true) {
        const std::size_t start = in.offset();
        const std::uint8_t opcode = in.u8("an initialiser");
        switch (opcode) {
            case 0x0b:
                return;
            case 0x23:  // global.get
                check_index(in.u32("a global"), module_.globals.size(), start, "global");
                break;
            case 0x41:
                in.signed_leb(32, "a constant");
                break;
            case 0x42:
                in.signed_leb(64, "a constant");
                break;
            case 0x43:
                in.take(4, "a constant");
                break;
            case 0x44:
                in.take(8, "a constant");
                break;
            case 0x6a:  // i32 and i64 add, sub, mul: extended constant expressions
            case 0x6b:
            case 0x6c:
            case 0x7c:
            case 0x7d:
            case 0x7e:
                break;
            case 0xd0:
                in.signed_leb(33, "a heap type");
                break;
            case 0xd2:
                function_index(in, "a function reference");
                break;
            case 0xfb:
            case 0xfd:
                if (constant_prefixed_instruction(opcode, in)) {
                    break;
                }
                [[fallthrough]];
            default:
                fault(ModuleError::Kind::malformed, start,
                      fmt::format("instruction 0x{:02x} is not constant", opcode));
        }
    }
}

bool Reader::constant_prefixed_instruction(std::uint8_t prefix, Bytes& in) const {
    const std::uint32_t opcode = in.u32("an instruction");
    if (prefix == 0xfd) {  // v128.const
        if (opcode == 12) {
            in.take(16, "a constant");
        }
        return opcode == 12;
    }
    switch (opcode) {
        case 0x00:  // struct.new
        case 0x01:  // struct.new_default
        case 0x06:  // array.new
        case 0x07:  // array.new_default
            in.u32("a type");
            return true;
        case 0x08:  // array.new_fixed
            in.u32("a type");
            in.u32("a length");
            return true;
        case 0x1a:  // any.convert_extern
        case 0x1b:  // extern.convert_any
        case 0x1c:  // ref.i31
            return true;
        default:
            return false;
    }
}

void Reader::element_section(Bytes& in) {
    module_.element_segments = in.count(limits_.element_segments, "the number of element segments");
    for (std::uint32_t i = 0; i < module_.element_segments; ++i) {
        element_segment(in);
    }
}

void Reader::element_segment(Bytes& in) const {
    const std::size_t start = in.offset();
    const std::uint32_t flags = in.u32("an element segment");
    if (flags > 7) {
        fault(ModuleError::Kind::malformed, start,
              fmt::format("{} are no flags of an element segment", flags));
    }
    const bool passive = (flags & 1) != 0;
    const bool explicit_kind = (flags & 3) != 0;
    const bool expressions = (flags & 4) != 0;
    if (!passive) {
        if ((flags & 2) != 0) {
            in.u32("a table");
        }
        constant_expression(in);
    }
    if (explicit_kind) {
        if (expressions) {
            reference_type(in);
        } else {
            in.u8("an element kind");
        }
    }
    for (std::uint32_t left = in.count(limits_.table_elements, "the number of elements"); left > 0;
         --left) {
        if (expressions) {
            constant_expression(in);
        } else {
            function_index(in, "an element");
        }
    }
}

void Reader::code_section(Bytes& in) {
    const std::uint32_t count = in.count(limits_.functions, "the number of bodies");
    module_.bodies.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::size_t start = in.offset();
        const std::uint32_t size = in.u32("a function's size");
        if (size > limits_.function_bytes) {
            fault(ModuleError::Kind::limit, start,
                  fmt::format("a function has {} bytes, over the limit of {}", size,
                              limits_.function_bytes));
        }
        Bytes body = in.part(size, "a function");
        const std::size_t offset = body.offset();
        std::uint64_t locals = 0;
        for (std::uint32_t groups = body.count(limits_.locals, "the groups of locals"); groups > 0;
             --groups) {
            locals += body.u32("a number of locals");
            value_type(body);
            if (locals > limits_.locals) {
                fault(ModuleError::Kind::limit, offset,
                      fmt::format("a function has {} locals, over the limit of {}", locals,
                                  limits_.locals));
            }
        }
        if (body.at_end() || bytes_[offset + size - 1] != 0x0b) {
            fault(ModuleError::Kind::malformed, offset + size, "a function does not end");
        }
        module_.bodies.push_back({offset, size, static_cast<std::uint32_t>(locals)});
    }
}

void Reader::data_section(Bytes& in) {
    module_.data_segments = in.count(limits_.data_segments, "the number of data segments");
    for (std::uint32_t i = 0; i < module_.data_segments; ++i) {
        const std::size_t start = in.offset();
        const std::uint32_t flags = in.u32("a data segment");
        if (flags > 2) {
            fault(ModuleError::Kind::malformed, start,
                  fmt::format("{} are no flags of a data segment", flags));
        }
        if (flags != 1) {
            const std::uint32_t memory = flags == 2 ? in.u32("a memory") : 0;
            check_index(memory, module_.memories.size(), start, "memory");
            constant_expression(in);
        }
        in.sized("a data segment");
    }
}

}  // namespace

Module read_module(std::string_view bytes, const ModuleLimits& limits) {
    return Reader(bytes, limits).read();
}

}  // namespace wasmplug::wasm
