#include <gtest/gtest.h>

#include "tests/unit/wasm/builder.hpp"
#include "wasm/abi.hpp"
#include "wasm/module.hpp"

namespace wasmplug::wasm {
namespace {

using namespace testing;

ModuleError fault_of(const std::string& module, const ModuleLimits& limits = {}) {
    try {
        read_module(module, limits);
    } catch (const ModuleError& error) {
        return error;
    }
    ADD_FAILURE() << "the module was read";
    return {ModuleError::Kind::not_wasm, 0, "no fault"};
}

TEST(Reader, ReadsWhatASmallPluginDeclares) {
    const std::string text = smallest_plugin();
    const Module module = read_module(text);
    EXPECT_EQ(module.size, text.size());
    ASSERT_EQ(module.types.size(), 2u);
    EXPECT_EQ(to_text(*module.types[0]), "void -> void");
    EXPECT_EQ(to_text(*module.types[1]), "i32 -> i32");
    ASSERT_EQ(module.functions.size(), 2u);
    EXPECT_EQ(module.imported_functions, 0u);
    ASSERT_EQ(module.memories.size(), 1u);
    EXPECT_EQ(module.memories[0].minimum, 1u);
    EXPECT_FALSE(module.memories[0].maximum);
    ASSERT_EQ(module.exports.size(), 3u);
    EXPECT_EQ(module.exports[2].kind, ExternalKind::memory);
    ASSERT_EQ(module.bodies.size(), 2u);
    EXPECT_EQ(module.bodies[1].size, 5u);
    EXPECT_EQ(text[module.bodies[1].offset], 0);
    EXPECT_EQ(abi_of(module), AbiVersion::v0_2_1);
    EXPECT_EQ(allocator_of(module)->name, "malloc");
    EXPECT_EQ(entry_of(module), "");
}

TEST(Reader, GivesEverySectionItsPlaceInTheFile) {
    const std::string text = smallest_plugin(custom("notes", "abc"));
    const Module module = read_module(text);
    ASSERT_EQ(module.sections.size(), 6u);
    EXPECT_EQ(module.sections[0].name, "type");
    EXPECT_EQ(module.sections[0].offset, 10u);
    EXPECT_EQ(module.sections[0].size, two_types.size() - 2);
    EXPECT_EQ(module.sections[5].name, "notes");
    EXPECT_EQ(module.sections[5].id, 0);
    EXPECT_EQ(module.sections[5].offset + module.sections[5].size, text.size());
}

TEST(Reader, CountsImportsIntoTheIndexSpaces) {
    const std::string imports =
        section(2, bytes({3}) + name("env") + name("proxy_log") + bytes({0, 1}) + name("env") +
                       name("memory") + bytes({2, 1, 1, 2}) + name("env") + name("g") +
                       bytes({3, 0x7f, 0}));
    const Module module = read_module(header + two_types + imports);
    ASSERT_EQ(module.imports.size(), 3u);
    EXPECT_EQ(module.imported_functions, 1u);
    EXPECT_EQ(module.imported_memories, 1u);
    EXPECT_EQ(module.globals.size(), 1u);
    EXPECT_EQ(to_text(*module.type_of(module.imports[0])), "i32 -> i32");
    EXPECT_EQ(module.type_of(module.imports[1]), nullptr);
    EXPECT_EQ(module.memories[0].maximum, 2u);
}

TEST(Reader, SaysWhatIsNoModule) {
    EXPECT_STREQ(fault_of("").what(), "the file is empty (byte 0)");
    EXPECT_EQ(fault_of("hello, not wasm").kind(), ModuleError::Kind::not_wasm);
    EXPECT_NE(std::string(fault_of("(module)").what()).find("wat2wasm"), std::string::npos);
    EXPECT_NE(
        std::string(fault_of(bytes({0, 'a', 's', 'm', 0x0d, 0, 1, 0})).what()).find("component"),
        std::string::npos);
    EXPECT_STREQ(fault_of(bytes({0, 'a', 's', 'm', 2, 0, 0, 0})).what(),
                 "the WebAssembly version is 2, and engines know 1 (byte 4)");
}

TEST(Reader, NamesTheByteWhereAFileIsCutShort) {
    const std::string whole = smallest_plugin();
    // Between two sections the rest is missing, which shows only where code has no function.
    for (std::size_t size = 1; size < whole.size(); ++size) {
        try {
            read_module(std::string_view(whole).substr(0, size));
            EXPECT_TRUE(size == 8 || size == header.size() + two_types.size()) << size;
        } catch (const ModuleError& error) {
            EXPECT_LE(error.offset(), size) << error.what();
        }
    }
}

TEST(Reader, NeverReadsBeyondItsBytesWhateverChanges) {
    const std::string whole = smallest_plugin(custom("name", bytes({1, 4, 1, 0, 1, 'a'})));
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (const int value : {0, 1, 0x7f, 0x80, 0xff}) {
            std::string changed = whole;
            changed[at] = static_cast<char>(value);
            try {
                const Module module = read_module(changed);
                read_names(changed, module);
                read_producers(changed, module);
            } catch (const ModuleError& error) {
                EXPECT_LE(error.offset(), changed.size());
            }
        }
    }
}

TEST(Reader, RefusesSectionsOutOfOrderOrTwice) {
    EXPECT_STREQ(fault_of(header + section(3, bytes({0})) + two_types).what(),
                 "section type is out of order (byte 11)");
    EXPECT_EQ(fault_of(header + two_types + two_types).kind(), ModuleError::Kind::malformed);
    // Tags stand between memories and globals, the data count before the code.
    EXPECT_NO_THROW(read_module(header + two_types + section(5, bytes({0})) +
                                section(13, bytes({1, 0, 0})) + section(6, bytes({0})) +
                                section(12, bytes({0})) + section(10, bytes({0})) +
                                section(11, bytes({0}))));
}

TEST(Reader, RefusesCountsThatTheBytesCannotHold) {
    const ModuleError error = fault_of(header + section(1, leb(900'000)));
    EXPECT_EQ(error.kind(), ModuleError::Kind::truncated);
    EXPECT_EQ(fault_of(header + section(1, leb(1'000'001))).kind(), ModuleError::Kind::limit);
}

TEST(Reader, RefusesFourBillionLocals) {
    const std::string code = leb(1) + leb(0xffff'ffff) + bytes({0x7f, 0x0b});
    const std::string module = header + two_types + section(3, bytes({1, 0})) +
                               section(10, leb(1) + leb(code.size()) + code);
    const ModuleError error = fault_of(module);
    EXPECT_EQ(error.kind(), ModuleError::Kind::limit);
    EXPECT_NE(std::string(error.what()).find("4294967295 locals"), std::string::npos);
}

TEST(Reader, RefusesOverlongNumbers) {
    const std::string overlong = bytes({0x80, 0x80, 0x80, 0x80, 0x80, 0x00});
    EXPECT_EQ(fault_of(header + section(1, overlong)).kind(), ModuleError::Kind::malformed);
    EXPECT_EQ(fault_of(header + section(1, bytes({0xff, 0xff, 0xff, 0xff, 0x1f}))).kind(),
              ModuleError::Kind::malformed);
}

TEST(Reader, RefusesIndicesThatNameNothing) {
    EXPECT_STREQ(fault_of(header + two_types + section(3, bytes({1, 9}))).what(),
                 "type 9 does not exist, there are 2 (byte 22)");
    EXPECT_STREQ(fault_of(header + section(7, leb(1) + function_export("f", 0))).what(),
                 "function 0 does not exist, there are 0 (byte 13)");
    EXPECT_EQ(fault_of(header + section(8, bytes({0}))).kind(), ModuleError::Kind::malformed);
}

TEST(Reader, RefusesAnExportTwice) {
    const std::string exports =
        section(7, leb(2) + name("memory") + bytes({2, 0}) + name("memory") + bytes({2, 0}));
    EXPECT_NE(std::string(fault_of(header + section(5, bytes({1, 0, 1})) + exports).what())
                  .find("'memory' is exported twice"),
              std::string::npos);
}

TEST(Reader, RefusesNamesThatAreNotUtf8) {
    const std::string exports = section(7, leb(1) + name("\xc3\x28") + bytes({2, 0}));
    EXPECT_NE(std::string(fault_of(header + section(5, bytes({1, 0, 1})) + exports).what())
                  .find("not UTF-8"),
              std::string::npos);
}

TEST(Reader, RefusesFunctionsWithoutCode) {
    EXPECT_NE(std::string(fault_of(header + two_types + section(3, bytes({1, 0}))).what())
                  .find("1 functions are declared and 0 have code"),
              std::string::npos);
}

TEST(Reader, ReadsGarbageCollectedTypes) {
    // struct { mut i32 }, array i8, a recursive group of two, a subtype.
    const std::string types =
        section(1, leb(4) + bytes({0x5f, 1, 0x7f, 1}) + bytes({0x5e, 0x78, 0}) +
                       bytes({0x4e, 2, 0x5f, 1, 0x63, 0, 0, 0x60, 1, 0x64, 2, 0}) +
                       bytes({0x50, 1, 0, 0x5f, 0}));
    const Module module = read_module(header + types);
    ASSERT_EQ(module.types.size(), 5u);
    EXPECT_FALSE(module.types[0]);
    EXPECT_EQ(to_text(*module.types[3]), "(ref 2) -> void");
}

TEST(Reader, ReadsInitialisers) {
    const std::string globals =
        section(6, leb(5) + bytes({0x7f, 0, 0x41, 1, 0x41, 2, 0x6a, 0x0b}) +  // 1 + 2
                       bytes({0x7e, 1, 0x42, 0x7f, 0x0b}) +
                       bytes({0x7c, 0, 0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b}) +
                       bytes({0x70, 0, 0xd0, 0x70, 0x0b}) + bytes({0x7f, 0, 0x23, 0, 0x0b}));
    EXPECT_EQ(read_module(header + globals).globals.size(), 5u);
    const std::string call = section(6, leb(1) + bytes({0x7f, 0, 0x10, 0, 0x0b}));
    EXPECT_NE(std::string(fault_of(header + call).what()).find("0x10 is not constant"),
              std::string::npos);
}

TEST(Reader, ReadsElementAndDataSegmentsOfEveryForm) {
    const std::string module =
        header + two_types + section(3, bytes({1, 0})) + section(4, bytes({1, 0x70, 0, 2})) +
        section(5, bytes({1, 0, 1})) +
        section(9, leb(8) + bytes({0, 0x41, 0, 0x0b, 1, 0}) + bytes({1, 0, 1, 0}) +
                       bytes({2, 0, 0x41, 0, 0x0b, 0, 1, 0}) + bytes({3, 0, 1, 0}) +
                       bytes({4, 0x41, 0, 0x0b, 1, 0xd2, 0, 0x0b}) +
                       bytes({5, 0x70, 1, 0xd2, 0, 0x0b}) +
                       bytes({6, 0, 0x41, 0, 0x0b, 0x70, 1, 0xd0, 0x70, 0x0b}) +
                       bytes({7, 0x70, 1, 0xd2, 0, 0x0b})) +
        section(12, leb(3)) + section(10, bytes({1}) + body("")) +
        section(11, leb(3) + bytes({0, 0x41, 0, 0x0b, 2, 'a', 'b'}) + bytes({1, 1, 'c'}) +
                        bytes({2, 0, 0x41, 0, 0x0b, 0}));
    const Module read = read_module(module);
    EXPECT_EQ(read.element_segments.size(), 8u);
    ASSERT_EQ(read.data.size(), 3u);
    EXPECT_EQ(read.data[0].address, 0u);
    EXPECT_EQ(module.substr(read.data[0].offset, read.data[0].size), "ab");
    EXPECT_FALSE(read.data[1].address);
    EXPECT_EQ(module.substr(read.data[1].offset, read.data[1].size), "c");
    EXPECT_EQ(read.data[2].address, 0u);
}

TEST(Reader, ReadsFunctionNamesAndStopsAtAFault) {
    const std::string good = bytes({0, 2, 1, 'm'}) + bytes({1, 7, 2, 0, 1, 'f', 1, 1, 'g'});
    const std::string module = smallest_plugin(custom("name", good));
    const Names names = read_names(module, read_module(module));
    EXPECT_EQ(names.module, "m");
    ASSERT_EQ(names.functions.size(), 2u);
    EXPECT_EQ(names.functions.at(1), "g");

    const std::string cut = smallest_plugin(custom("name", good.substr(0, good.size() - 2)));
    EXPECT_EQ(read_names(cut, read_module(cut)).module, "m");
}

TEST(Reader, ReadsTheProducers) {
    const std::string producers = leb(2) + name("language") + leb(1) + name("Rust") + name("") +
                                  name("processed-by") + leb(1) + name("rustc") + name("1.96.0");
    const std::string module = smallest_plugin(custom("producers", producers));
    const auto read = read_producers(module, read_module(module));
    ASSERT_EQ(read.size(), 2u);
    EXPECT_EQ(read[0].name, "Rust");
    EXPECT_EQ(read[1].field, "processed-by");
    EXPECT_EQ(read[1].version, "1.96.0");
}

TEST(Limits, KeepAGreedyModuleFromTheEngine) {
    EXPECT_FALSE(over_limits(read_module(smallest_plugin())));
    const std::string big_memory = header + section(5, bytes({1, 0}) + leb(65'536));
    EXPECT_EQ(over_limits(read_module(big_memory)),
              "the memory begins with 65536 pages, over the limit of 16384");
    const std::string two_memories = header + section(5, bytes({2, 0, 1, 0, 1}));
    EXPECT_TRUE(over_limits(read_module(two_memories)));
    const std::string big_table = header + section(4, bytes({1, 0x70, 0}) + leb(5'000'000));
    EXPECT_EQ(over_limits(read_module(big_table)),
              "the tables begin with more than 1000000 elements");
}

TEST(Limits, RefuseATableThatV8Refuses) {
    const std::string module = header + section(4, bytes({1, 0x70, 0}) + leb(10'000'001));
    EXPECT_EQ(fault_of(module).kind(), ModuleError::Kind::limit);
}

}  // namespace
}  // namespace wasmplug::wasm
