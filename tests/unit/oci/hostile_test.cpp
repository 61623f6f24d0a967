// Every hostile shape of a layer is refused with a clear error, before its bytes are believed.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/error.hpp"
#include "oci/gzip.hpp"
#include "oci/image.hpp"
#include "oci/media_types.hpp"
#include "oci/tar.hpp"

namespace wasmplug::oci {
namespace {

const std::string wasm = std::string("\0asm\1\0\0\0", 8) + "body";

std::string entry(const std::string& name, const std::string& content, char type = '0') {
    std::string block = tar_header(name, content.size());
    block[156] = type;
    unsigned sum = 0;
    block.replace(148, 8, "        ");
    for (const char c : block) {
        sum += static_cast<unsigned char>(c);
    }
    char digits[8];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    block.replace(148, 7, std::string(digits, 6) + '\0');
    return block + content + tar_padding(content.size());
}

// A header whose size field is replaced.
std::string entry_of_size(const std::string& name, const std::string& size_field) {
    std::string block = tar_header(name, 0);
    block.replace(124, 12, size_field);
    block.replace(148, 8, "        ");
    unsigned sum = 0;
    for (const char c : block) {
        sum += static_cast<unsigned char>(c);
    }
    char digits[8];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    block.replace(148, 7, std::string(digits, 6) + '\0');
    return block;
}

std::string pax(const std::string& key, const std::string& value) {
    const std::string rest = " " + key + "=" + value + "\n";
    std::size_t length = rest.size() + 1;
    while (std::to_string(length).size() + rest.size() != length) {
        ++length;
    }
    return entry("pax", std::to_string(length) + rest, 'x');
}

std::string packed(const std::string& bytes) {
    return std::string(gzip(bytes).view());
}

std::string unpack(const std::string& layer, std::string* out = nullptr) {
    std::string bytes;
    ModuleExtractor extractor(true, [&](std::string_view part) { bytes += part; });
    try {
        // In small parts, as a network gives them.
        for (std::size_t at = 0; at < layer.size(); at += 700) {
            extractor.write(std::string_view(layer).substr(at, 700));
        }
        const ModuleFacts facts = extractor.finish();
        if (out != nullptr) {
            *out = facts.path;
        }
        return bytes == wasm ? "good" : "other bytes";
    } catch (const Error& error) {
        return error.what();
    }
}

std::string unpack_tar(const std::string& entries) {
    return unpack(packed(entries + tar_end()));
}

TEST(HostileLayer, AcceptsWhatIstioAccepts) {
    EXPECT_EQ(unpack_tar(entry("plugin.wasm", wasm)), "good");
    EXPECT_EQ(unpack_tar(entry("./plugin.wasm", wasm)), "good");
    EXPECT_EQ(unpack_tar(entry("opt/plugin.wasm", wasm)), "good");
    EXPECT_EQ(unpack_tar(entry("README.md", "hello") + entry("plugin.wasm", wasm)), "good");
    EXPECT_EQ(unpack_tar(entry("link", "", '2') + entry("plugin.wasm", wasm)), "good");
}

TEST(HostileLayer, AcceptsConcatenatedGzipMembers) {
    const std::string tar = entry("plugin.wasm", wasm) + tar_end();
    EXPECT_EQ(unpack(packed(tar.substr(0, 600)) + packed(tar.substr(600))), "good");
}

TEST(HostileLayer, ReadsLongNamesOfBothKinds) {
    const std::string deep = std::string(120, 'd') + "/plugin.wasm";
    std::string path;
    EXPECT_EQ(unpack(packed(pax("path", deep) + entry("x", wasm) + tar_end()), &path), "good");
    EXPECT_EQ(path, deep);
    EXPECT_EQ(unpack_tar(entry("././@LongLink", deep + '\0', 'L') + entry("x", wasm)), "good");
}

TEST(HostileLayer, RefusesPathsOutOfTheArchive) {
    EXPECT_EQ(unpack_tar(entry("../plugin.wasm", wasm)),
              "holds an entry that points out of the archive: '../plugin.wasm'");
    EXPECT_NE(unpack_tar(entry("a/../../plugin.wasm", wasm)), "good");
    EXPECT_NE(unpack_tar(entry("..\\plugin.wasm", wasm)), "good");
    EXPECT_NE(unpack_tar(pax("path", "../plugin.wasm") + entry("x", wasm)), "good");
}

TEST(HostileLayer, RefusesAbsolutePaths) {
    EXPECT_EQ(unpack_tar(entry("/plugin.wasm", wasm)),
              "holds an entry with an absolute name: '/plugin.wasm'");
    EXPECT_NE(unpack_tar(entry("C:\\x", "") + entry("plugin.wasm", wasm)), "good");
}

TEST(HostileLayer, RefusesControlCharactersInNames) {
    EXPECT_NE(unpack_tar(entry("a\nb", "") + entry("plugin.wasm", wasm)).find("control character"),
              std::string::npos);
}

TEST(HostileLayer, RefusesALinkInPlaceOfTheModule) {
    for (const char type : {'1', '2'}) {
        EXPECT_EQ(unpack_tar(entry("plugin.wasm", "", type)),
                  "holds a link in place of the module: 'plugin.wasm'");
    }
}

TEST(HostileLayer, RefusesDevices) {
    for (const char type : {'3', '4', '6'}) {
        EXPECT_NE(unpack_tar(entry("null", "", type) + entry("plugin.wasm", wasm)).find("a device"),
                  std::string::npos);
    }
}

TEST(HostileLayer, RefusesTwoModules) {
    EXPECT_EQ(unpack_tar(entry("plugin.wasm", wasm) + entry("b/plugin.wasm", wasm)),
              "holds plugin.wasm twice: 'plugin.wasm' and 'b/plugin.wasm'");
}

TEST(HostileLayer, RefusesASizeOverTheLimitBeforeReadingIt) {
    EXPECT_NE(unpack(packed(entry_of_size("plugin.wasm", std::string("77777777777\0", 12))))
                  .find("more than 256"),
              std::string::npos);
    const std::string base256("\x80\0\0\0\0\0\0\2\0\0\0\0", 12);
    EXPECT_NE(unpack(packed(entry_of_size("plugin.wasm", base256))).find("more than 256"),
              std::string::npos);
    EXPECT_NE(unpack(packed(entry_of_size("plugin.wasm", std::string(12, '\xff'))))
                  .find("impossible size"),
              std::string::npos);
    EXPECT_NE(unpack_tar(pax("size", "99999999999999") + entry("plugin.wasm", wasm)), "good");
    EXPECT_NE(unpack_tar(pax("size", "-1") + entry("plugin.wasm", wasm)), "good");
}

TEST(HostileLayer, RefusesSparseFiles) {
    EXPECT_EQ(unpack_tar(entry("plugin.wasm", wasm, 'S')), "holds a sparse file");
    EXPECT_EQ(unpack_tar(pax("GNU.sparse.size", "9") + entry("plugin.wasm", wasm)),
              "holds a sparse file");
}

TEST(HostileLayer, StopsABombAtItsLimit) {
    // 64 MiB of zeros, over and over: what is unpacked is counted, not kept.
    std::uint64_t unpacked = 0;
    Gunzip bomb([&](std::string_view part) { unpacked += part.size(); }, std::uint64_t{8} << 20);
    const std::string zeros = packed(std::string(std::size_t{16} << 20, '\0'));
    EXPECT_LT(zeros.size(), 100'000U);
    EXPECT_THROW(bomb.write(zeros), Error);
    EXPECT_LE(unpacked, std::uint64_t{9} << 20);
}

// What is unpacked flows through: a file of 300 MiB that compresses to a few hundred KiB, then the
// module. And names that want to be kept are not kept for long.
TEST(HostileLayer, ABombBesideTheModuleTakesNoMemory) {
    constexpr std::size_t part = std::size_t{10} << 20;
    constexpr std::size_t parts = 30;
    const std::string zeros = packed(std::string(part, '\0'));
    const auto peak = [] {
        rusage usage{};
        ::getrusage(RUSAGE_SELF, &usage);
        return usage.ru_maxrss;  // KiB
    };
    std::string path;
    [[maybe_unused]] const long before = peak();
    std::string layer = packed(tar_header("zeros", part * parts));
    for (std::size_t i = 0; i < parts; ++i) {
        layer += zeros;
    }
    layer += packed(tar_padding(part * parts) + entry("plugin.wasm", wasm) + tar_end());
    EXPECT_EQ(unpack(layer), "good");
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed
    EXPECT_LT(peak() - before, 32 * 1024);
#endif
}

TEST(HostileLayer, RefusesALongNameOfAGigabyte) {
    for (const char type : {'x', 'g', 'L'}) {
        std::string header = entry("huge", "", type);
        header.replace(124, 12, std::string("10000000000\0", 12));
        header.replace(148, 8, "        ");
        unsigned sum = 0;
        for (const char c : header) {
            sum += static_cast<unsigned char>(c);
        }
        char digits[8];
        std::snprintf(digits, sizeof digits, "%06o", sum);
        header.replace(148, 7, std::string(digits, 6) + '\0');
        EXPECT_NE(unpack(packed(header)), "good") << type;
        EXPECT_EQ(unpack(packed(header)).find("middle"), std::string::npos)
            << "refused by its size, not when the data ran out";
    }
}

// Names are shown, never used as paths; what could turn a line of a terminal around is escaped.
TEST(HostileLayer, ShowsNamesHarmlessly) {
    const std::string shown = unpack_tar(entry("../\xe2\x80\xaegnp.wasm", wasm));
    EXPECT_NE(shown.find("points out of the archive"), std::string::npos);
    EXPECT_EQ(shown.find("\xe2\x80\xae"), std::string::npos) << shown;
}

TEST(HostileLayer, RefusesTooManyEntries) {
    std::string tar;
    for (int i = 0; i < 10'001; ++i) {
        tar += entry("f", "");
    }
    EXPECT_EQ(unpack_tar(tar), "holds more than 10000 entries");
}

TEST(HostileLayer, RefusesTruncatedData) {
    const std::string good = packed(entry("plugin.wasm", wasm) + tar_end());
    EXPECT_EQ(unpack(good.substr(0, good.size() - 9)), "ends in the middle of its gzip data");
    EXPECT_EQ(unpack(packed(entry("plugin.wasm", wasm).substr(0, 700))),
              "ends in the middle of its tar data");
    EXPECT_EQ(unpack(""), "is empty");
}

TEST(HostileLayer, RefusesGarbageBehindTheEnd) {
    const std::string good = packed(entry("plugin.wasm", wasm) + tar_end());
    EXPECT_EQ(unpack(good + "garbage"), "has something after its gzip data");
    EXPECT_EQ(unpack_tar(entry("plugin.wasm", wasm) + tar_end() + entry("x", "")),
              "has something after the end of its tar data");
}

TEST(HostileLayer, RefusesADamagedChecksum) {
    std::string tar = entry("plugin.wasm", wasm) + tar_end();
    std::string gz = packed(tar);
    gz[gz.size() - 6] = static_cast<char>(gz[gz.size() - 6] ^ 1);
    EXPECT_NE(unpack(gz).find("is broken gzip data"), std::string::npos);
    tar[150] = tar[150] == '7' ? '0' : '7';
    EXPECT_EQ(unpack(packed(tar)), "is not tar data");
}

TEST(HostileLayer, RefusesWhatIsNoModule) {
    EXPECT_EQ(unpack("no gzip at all, but long enough"), "is not gzip data");
    EXPECT_NE(unpack_tar(entry("plugin.wasm", "#!/bin/sh")).find("no WebAssembly"),
              std::string::npos);
    EXPECT_NE(unpack_tar(entry("plugin.wasm", std::string("\0asm", 4))).find("no WebAssembly"),
              std::string::npos);
    EXPECT_EQ(unpack_tar(entry("other.wasm", wasm)), "holds no plugin.wasm");
}

TEST(IstioChoice, SaysWhatIstioSays) {
    Manifest manifest;
    manifest.media_type = media::oci_manifest;
    const Descriptor raw{.media_type = media::solo_content, .digest = {}, .size = 1};
    const Descriptor packed{.media_type = media::oci_layer_gzip, .digest = {}, .size = 1};
    manifest.layers = {raw};
    EXPECT_EQ(
        choose_as_istio(manifest).message,
        "the given image is in invalid format as an OCI image: 2 errors occurred: could not "
        "parse as compat variant: invalid media type "
        "application/vnd.module.wasm.content.layer.v1+wasm (expect "
        "application/vnd.oci.image.layer.v1.tar+gzip); could not parse as oci variant: number "
        "of layers must be 2 but got 1");
    manifest.layers = {packed, raw};
    EXPECT_FALSE(choose_as_istio(manifest).layer->packed);
    manifest.layers = {raw, packed};
    EXPECT_TRUE(choose_as_istio(manifest).layer->packed);
    manifest.layers = {raw, raw, raw};
    EXPECT_NE(choose_as_istio(manifest).message.find("must be 2 but got 3"), std::string::npos);
    manifest.media_type = media::docker_manifest;
    manifest.layers = {packed};
    EXPECT_NE(choose_as_istio(manifest).message.find("as Docker container invalid media type"),
              std::string::npos);
}

}  // namespace
}  // namespace wasmplug::oci
