// Source: the WebAssembly core specification 3.0, index of instructions (appendix), and the
// overview of the threads proposal for 0xfe.

#include "wasm/operations.hpp"

#include <span>
#include <string_view>

namespace wasmplug::wasm {

namespace {

// "ai>v": takes an address and an i32, gives a vector.
// i i32 · l i64 · f f32 · d f64 · v v128 · a address
struct Row {
    std::uint16_t first;
    std::uint16_t last;
    std::string_view signature;
    std::int8_t alignment = -1;  // -1: no memory
    std::uint8_t lanes = 0;
};

constexpr Row plain_rows[] = {
    // Loads and stores.
    {0x28, 0x28, "a>i", 2},
    {0x29, 0x29, "a>l", 3},
    {0x2a, 0x2a, "a>f", 2},
    {0x2b, 0x2b, "a>d", 3},
    {0x2c, 0x2d, "a>i", 0},
    {0x2e, 0x2f, "a>i", 1},
    {0x30, 0x31, "a>l", 0},
    {0x32, 0x33, "a>l", 1},
    {0x34, 0x35, "a>l", 2},
    {0x36, 0x36, "ai>", 2},
    {0x37, 0x37, "al>", 3},
    {0x38, 0x38, "af>", 2},
    {0x39, 0x39, "ad>", 3},
    {0x3a, 0x3a, "ai>", 0},
    {0x3b, 0x3b, "ai>", 1},
    {0x3c, 0x3c, "al>", 0},
    {0x3d, 0x3d, "al>", 1},
    {0x3e, 0x3e, "al>", 2},
    // Comparisons.
    {0x45, 0x45, "i>i"},
    {0x46, 0x4f, "ii>i"},
    {0x50, 0x50, "l>i"},
    {0x51, 0x5a, "ll>i"},
    {0x5b, 0x60, "ff>i"},
    {0x61, 0x66, "dd>i"},
    // Arithmetic.
    {0x67, 0x69, "i>i"},
    {0x6a, 0x78, "ii>i"},
    {0x79, 0x7b, "l>l"},
    {0x7c, 0x8a, "ll>l"},
    {0x8b, 0x91, "f>f"},
    {0x92, 0x98, "ff>f"},
    {0x99, 0x9f, "d>d"},
    {0xa0, 0xa6, "dd>d"},
    // Conversions.
    {0xa7, 0xa7, "l>i"},
    {0xa8, 0xa9, "f>i"},
    {0xaa, 0xab, "d>i"},
    {0xac, 0xad, "i>l"},
    {0xae, 0xaf, "f>l"},
    {0xb0, 0xb1, "d>l"},
    {0xb2, 0xb3, "i>f"},
    {0xb4, 0xb5, "l>f"},
    {0xb6, 0xb6, "d>f"},
    {0xb7, 0xb8, "i>d"},
    {0xb9, 0xba, "l>d"},
    {0xbb, 0xbb, "f>d"},
    {0xbc, 0xbc, "f>i"},
    {0xbd, 0xbd, "d>l"},
    {0xbe, 0xbe, "i>f"},
    {0xbf, 0xbf, "l>d"},
    {0xc0, 0xc1, "i>i"},
    {0xc2, 0xc4, "l>l"},
};

constexpr Row saturating_rows[] = {
    {0, 1, "f>i"},
    {2, 3, "d>i"},
    {4, 5, "f>l"},
    {6, 7, "d>l"},
};

constexpr Row vector_rows[] = {
    // Loads and stores; 12 (a constant) and 13 (a shuffle) have immediates of their own.
    {0, 0, "a>v", 4},
    {1, 6, "a>v", 3},
    {7, 7, "a>v", 0},
    {8, 8, "a>v", 1},
    {9, 9, "a>v", 2},
    {10, 10, "a>v", 3},
    {11, 11, "av>", 4},
    {12, 12, ">v"},
    {13, 14, "vv>v"},
    {84, 84, "av>v", 0, 16},
    {85, 85, "av>v", 1, 8},
    {86, 86, "av>v", 2, 4},
    {87, 87, "av>v", 3, 2},
    {88, 88, "av>", 0, 16},
    {89, 89, "av>", 1, 8},
    {90, 90, "av>", 2, 4},
    {91, 91, "av>", 3, 2},
    {92, 92, "a>v", 2},
    {93, 93, "a>v", 3},
    // Splats and lanes.
    {15, 17, "i>v"},
    {18, 18, "l>v"},
    {19, 19, "f>v"},
    {20, 20, "d>v"},
    {21, 22, "v>i", -1, 16},
    {23, 23, "vi>v", -1, 16},
    {24, 25, "v>i", -1, 8},
    {26, 26, "vi>v", -1, 8},
    {27, 27, "v>i", -1, 4},
    {28, 28, "vi>v", -1, 4},
    {29, 29, "v>l", -1, 2},
    {30, 30, "vl>v", -1, 2},
    {31, 31, "v>f", -1, 4},
    {32, 32, "vf>v", -1, 4},
    {33, 33, "v>d", -1, 2},
    {34, 34, "vd>v", -1, 2},
    // Comparisons and bits.
    {35, 76, "vv>v"},
    {77, 77, "v>v"},
    {78, 81, "vv>v"},
    {82, 82, "vvv>v"},
    {83, 83, "v>i"},
    {94, 98, "v>v"},
    // i8x16, with rounding of f32x4 and f64x2 between.
    {99, 100, "v>i"},
    {101, 102, "vv>v"},
    {103, 106, "v>v"},
    {107, 109, "vi>v"},
    {110, 115, "vv>v"},
    {116, 117, "v>v"},
    {118, 121, "vv>v"},
    {122, 122, "v>v"},
    {123, 123, "vv>v"},
    {124, 129, "v>v"},
    // i16x8.
    {130, 130, "vv>v"},
    {131, 132, "v>i"},
    {133, 134, "vv>v"},
    {135, 138, "v>v"},
    {139, 141, "vi>v"},
    {142, 147, "vv>v"},
    {148, 148, "v>v"},
    {149, 153, "vv>v"},
    {155, 159, "vv>v"},
    // i32x4.
    {160, 161, "v>v"},
    {163, 164, "v>i"},
    {167, 170, "v>v"},
    {171, 173, "vi>v"},
    {174, 174, "vv>v"},
    {177, 177, "vv>v"},
    {181, 186, "vv>v"},
    {188, 191, "vv>v"},
    // i64x2.
    {192, 193, "v>v"},
    {195, 196, "v>i"},
    {199, 202, "v>v"},
    {203, 205, "vi>v"},
    {206, 206, "vv>v"},
    {209, 209, "vv>v"},
    {213, 223, "vv>v"},
    // f32x4, f64x2, conversions.
    {224, 225, "v>v"},
    {227, 227, "v>v"},
    {228, 235, "vv>v"},
    {236, 237, "v>v"},
    {239, 239, "v>v"},
    {240, 247, "vv>v"},
    {248, 255, "v>v"},
    // Relaxed.
    {256, 256, "vv>v"},
    {257, 260, "v>v"},
    {261, 268, "vvv>v"},
    {269, 274, "vv>v"},
    {275, 275, "vvv>v"},
};

// 3 (a fence) has an immediate of its own. Reading, writing and exchanging come in the order
// i32, i64, i32 of 8 and 16 bits, i64 of 8, 16 and 32 bits.
constexpr Row atomic_rows[] = {
    {0, 0, "ai>i", 2},
    {1, 1, "ail>i", 2},
    {2, 2, "all>i", 3},
    {3, 3, ">"},
};

constexpr Kind kind_of_letter(char letter) {
    switch (letter) {
        case 'i':
            return Kind::i32;
        case 'l':
            return Kind::i64;
        case 'f':
            return Kind::f32;
        case 'd':
            return Kind::f64;
        case 'v':
            return Kind::v128;
        default:
            return Kind::address;
    }
}

constexpr Operation operation(const Row& row) {
    Operation made;
    made.known = true;
    const std::size_t arrow = row.signature.find('>');
    for (std::size_t i = 0; i < arrow; ++i) {
        made.takes[made.taken++] = kind_of_letter(row.signature[i]);
    }
    if (arrow + 1 < row.signature.size()) {
        made.gives = kind_of_letter(row.signature[arrow + 1]);
    }
    made.memory = row.alignment >= 0;
    made.alignment = static_cast<std::uint8_t>(made.memory ? row.alignment : 0);
    made.lanes = row.lanes;
    return made;
}

template <std::size_t Size>
constexpr std::array<Operation, Size> table_of(std::span<const Row> rows) {
    std::array<Operation, Size> table{};
    for (const auto& row : rows) {
        for (std::size_t opcode = row.first; opcode <= row.last; ++opcode) {
            table[opcode] = operation(row);
        }
    }
    return table;
}

constexpr std::array<Operation, 0x4f> atomic_table() {
    auto table = table_of<0x4f>(atomic_rows);
    constexpr std::string_view loads[] = {"a>i", "a>l"};
    constexpr std::string_view stores[] = {"ai>", "al>"};
    constexpr std::string_view updates[] = {"ai>i", "al>l"};
    constexpr std::string_view exchanges[] = {"aii>i", "all>l"};
    constexpr std::array<std::uint8_t, 7> wide{0, 1, 0, 0, 1, 1, 1};
    constexpr std::array<std::int8_t, 7> alignment{2, 3, 0, 1, 0, 1, 2};
    for (std::uint16_t opcode = 0x10; opcode <= 0x4e; ++opcode) {
        const auto width = static_cast<std::size_t>(opcode - 0x10) % 7;
        const auto* signatures = opcode < 0x17   ? loads
                                 : opcode < 0x1e ? stores
                                 : opcode < 0x48 ? updates
                                                 : exchanges;
        table[opcode] = operation({opcode, opcode, signatures[wide[width]], alignment[width]});
    }
    return table;
}

template <std::size_t Size>
const Operation& at(const std::array<Operation, Size>& table, std::uint32_t opcode) {
    static constexpr Operation unknown;
    return opcode < Size ? table[opcode] : unknown;
}

constexpr auto plain = table_of<0xc5>(plain_rows);
constexpr auto saturating = table_of<8>(saturating_rows);
constexpr auto vectors = table_of<276>(vector_rows);
constexpr auto atomics = atomic_table();

}  // namespace

const char* to_text(Kind kind) {
    constexpr const char* texts[] = {"anything", "i32",     "i64",       "f32",    "f64",
                                     "v128",     "funcref", "externref", "exnref", "an address"};
    return texts[static_cast<std::size_t>(kind)];
}

std::optional<Kind> kind_of(const ValueType& type) {
    // (ref null HEAP) in full means what the short byte does: HEAP is that byte, sign-extended.
    const int code = type.code == 0x63 ? static_cast<int>(type.heap + 0x80) : type.code;
    switch (type.code == 0x63 && (type.heap >= 0 || type.heap < -0x40) ? 0 : code) {
        case 0x7f:
            return Kind::i32;
        case 0x7e:
            return Kind::i64;
        case 0x7d:
            return Kind::f32;
        case 0x7c:
            return Kind::f64;
        case 0x7b:
            return Kind::v128;
        case 0x70:
            return Kind::funcref;
        case 0x6f:
            return Kind::externref;
        case 0x69:
            return Kind::exnref;
        default:
            return std::nullopt;
    }
}

const Operation& plain_operation(std::uint32_t opcode) {
    return at(plain, opcode);
}

const Operation& saturating_operation(std::uint32_t opcode) {
    return at(saturating, opcode);
}

const Operation& vector_operation(std::uint32_t opcode) {
    return at(vectors, opcode);
}

const Operation& atomic_operation(std::uint32_t opcode) {
    return at(atomics, opcode);
}

}  // namespace wasmplug::wasm
