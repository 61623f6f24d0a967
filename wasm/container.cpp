#include "wasm/container.hpp"

namespace wasmplug::wasm {

namespace {

// A cursor that fails quietly; its numbers end at 30 bits, as the host's do.
struct Cursor {
    std::string_view text;
    bool failed = false;

    bool at_end() const { return text.empty(); }

    std::uint8_t byte() {
        if (text.empty()) {
            failed = true;
            return 0;
        }
        const auto value = static_cast<std::uint8_t>(text.front());
        text.remove_prefix(1);
        return value;
    }

    std::uint32_t number() {
        std::uint32_t value = 0;
        for (unsigned shift = 0; shift <= 28; shift += 7) {
            const std::uint8_t next = byte();
            if (failed || (shift == 28 && (next & 0x7f) > 3)) {
                break;
            }
            value |= static_cast<std::uint32_t>(next & 0x7f) << shift;
            if ((next & 0x80) == 0) {
                return value;
            }
        }
        failed = true;
        return 0;
    }

    std::string_view take(std::size_t size) {
        if (failed || size > text.size()) {
            failed = true;
            return {};
        }
        const std::string_view result = text.substr(0, size);
        text.remove_prefix(size);
        return result;
    }
};

// The first known marker among the exported functions. `failed` when the list cannot be read.
std::optional<AbiVersion> find_marker(std::string_view exports, bool& failed) {
    Cursor in{exports};
    for (std::uint32_t left = in.number(); left > 0 && !in.failed; --left) {
        const std::string_view name = in.take(in.number());
        const std::uint8_t kind = in.byte();
        if (!in.failed && kind == 0) {
            if (const auto version = abi_of_marker(name)) {
                return version;
            }
        }
        in.number();
    }
    failed = in.failed;
    return std::nullopt;
}

bool function_names_are_readable(std::string_view section) {
    Cursor in{section};
    while (!in.at_end() && !in.failed) {
        const std::uint8_t id = in.byte();
        Cursor part{in.take(in.number())};
        if (in.failed || id != 1) {
            continue;
        }
        for (std::uint32_t left = part.number(); left > 0 && !part.failed; --left) {
            part.number();
            part.take(part.number());
        }
        if (part.failed || !part.at_end()) {
            return false;
        }
    }
    return !in.failed;
}

}  // namespace

ContainerScan scan_container(std::string_view bytes) {
    ContainerScan scan;
    if (bytes.size() >= 8 && !bytes.starts_with(std::string_view("\0asm", 4))) {
        scan.corrupted = true;
        return scan;
    }
    Cursor in{bytes.substr(bytes.size() < 8 ? bytes.size() : 8)};
    bool exports_seen = false;
    bool names_seen = false;
    bool later_fault = false;
    while (!in.at_end()) {
        const std::uint8_t id = in.byte();
        const std::string_view section = in.take(in.number());
        if (in.failed) {
            // A fault behind the export section is met only when the names are looked for.
            (exports_seen ? later_fault : scan.corrupted) = true;
            break;
        }
        if (id == 7 && !exports_seen) {
            exports_seen = true;
            scan.abi = find_marker(section, scan.corrupted);
        } else if (id == 0 && !names_seen) {
            Cursor custom{section};
            const std::string_view name = custom.take(custom.number());
            later_fault = later_fault || custom.failed;
            if (!custom.failed && name == "name") {
                names_seen = true;
                scan.bad_names = !function_names_are_readable(custom.text);
            }
        }
    }
    scan.bad_names = scan.bad_names || later_fault;
    return scan;
}

}  // namespace wasmplug::wasm
