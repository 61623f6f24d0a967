#include "oci/package.hpp"

#include <gtest/gtest.h>
#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <span>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
#include "oci/image.hpp"
#include "oci/layout.hpp"
#include "oci/media_types.hpp"
#include "oci/spool.hpp"

namespace wasmplug::oci {
namespace {

// An empty module that exports proxy_abi_version_0_2_1.
const std::string module_bytes = std::string("\0asm\1\0\0\0", 8) +
                                 std::string("\1\4\1\x60\0\0", 6) + std::string("\3\2\1\0", 4) +
                                 std::string("\7\x1b\1\x17proxy_abi_version_0_2_1\0\0", 29) +
                                 std::string("\x0a\4\1\2\0\x0b", 6);

class PackageTest : public testing::Test {
  protected:
    std::filesystem::path write(const std::string& name, const std::string& bytes) const {
        write_file(folder_.path() / name, bytes);
        return folder_.path() / name;
    }

    Package make(PackageLayout layout = PackageLayout::compat) const {
        return make_package({.module = write("plugin.wasm", module_bytes), .layout = layout});
    }

    static Manifest manifest_of(const Package& package) {
        return parse_manifest(package.image.manifest.bytes, "", "test");
    }

    static std::string bytes_of(const Blob& blob) {
        std::string bytes;
        read_all(blob.open(), [&](std::string_view part) { bytes += part; });
        return bytes;
    }

    std::string error_of(const std::string& bytes) const {
        try {
            make_package({.module = write("bad.wasm", bytes)});
        } catch (const Error& error) {
            return error.what();
        }
        return "accepted";
    }

    TemporaryDirectory folder_;
};

TEST_F(PackageTest, TheSameBytesGiveTheSameDigests) {
    const Package one = make();
    const Package two = make();
    EXPECT_EQ(one.image.manifest.digest, two.image.manifest.digest);
    EXPECT_EQ(one.module_sha256, sha256_hex(module_bytes));
    // The tar is ours alone, so its digest holds with every deflate library.
    EXPECT_EQ(one.diff_id,
              "sha256:4593debf1329bb9cf3c6f61e8ddb8b5fcb6997eadb7522e337b2b7ab38bb2d6d");
}

// The digest of an image is over packed bytes, so it holds for one version of a deflate library.
// Another one is no fault: it gets its line here once it is seen.
struct PinnedDigest {
    std::string_view library;
    std::string_view digest;
};

constexpr PinnedDigest small_images[] = {
    {"libdeflate 1.14", "sha256:82a1360c3d3ba74dacc32fc6c94b80b796584d8d0c04896a3df6adde5e6b43df"},
};
constexpr PinnedDigest large_images[] = {
    {"zlib 1.2.13", "sha256:41f7420960af01a2e36fbd0f75f2bf09a27e5332bedea317648faf5027a6649d"},
};

void expect_pinned(std::span<const PinnedDigest> table, const std::string& library,
                   const Package& package) {
    const auto pinned = std::ranges::find(table, library, &PinnedDigest::library);
    if (pinned == table.end()) {
        GTEST_SKIP() << "no digest is pinned for " << library << "; here it is "
                     << package.image.manifest.digest;
    }
    EXPECT_EQ(package.image.manifest.digest, pinned->digest) << library;
}

TEST_F(PackageTest, TheDigestOfASmallImageIsPinnedForEachLibdeflate) {
    expect_pinned(small_images, "libdeflate " LIBDEFLATE_VERSION_STRING, make());
}

TEST_F(PackageTest, TheDigestOfALargeImageIsPinnedForEachZlib) {
    const auto path = write("plugin.wasm", module_bytes);
    std::string text;
    while (text.size() < std::size_t{9} << 20) {
        text += "a line of text that repeats with a number " + std::to_string(text.size()) + "\n";
    }
    write_file(path, module_bytes + std::string("\0\xff\xff\xff\x04\0", 6) + text);
    expect_pinned(large_images, std::string("zlib ") + zlibVersion(),
                  make_package({.module = path}));
}

TEST_F(PackageTest, CompatIsAValidImageWithItsDiffId) {
    const Package package = make();
    const Manifest manifest = manifest_of(package);
    EXPECT_EQ(manifest.media_type, media::oci_manifest);
    EXPECT_EQ(manifest.config.media_type, media::oci_config);
    ASSERT_EQ(manifest.layers.size(), 1U);
    EXPECT_EQ(manifest.layers[0].media_type, media::oci_layer_gzip);
    EXPECT_EQ(manifest.annotations.at(annotation::variant), "compat");
    EXPECT_EQ(bytes_of(package.image.blobs.back()),
              R"({"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers",)"
              R"("diff_ids":[")" +
                  package.diff_id + R"("]}})");
    EXPECT_TRUE(choose_as_istio(manifest).layer);
}

TEST_F(PackageTest, EveryLayoutSaysWhatItsReadersWant) {
    const struct {
        PackageLayout layout;
        const char* config;
        std::vector<std::string> layers;
    } cases[] = {
        {PackageLayout::solo, media::solo_config, {media::solo_config, media::solo_content}},
        {PackageLayout::docker, media::docker_config, {media::docker_layer_gzip}},
        {PackageLayout::cncf, media::cncf_config, {media::cncf_layer}},
        {PackageLayout::higress, media::unknown_config, {media::oci_layer_gzip}},
    };

    for (const auto& expected : cases) {
        const Package package = make(expected.layout);
        const Manifest manifest = manifest_of(package);
        std::vector<std::string> layers;
        for (const auto& layer : manifest.layers) {
            layers.push_back(layer.media_type);
        }
        EXPECT_EQ(layers, expected.layers) << to_text(expected.layout);
        EXPECT_EQ(manifest.config.media_type, expected.config);
        EXPECT_EQ(choose_as_istio(manifest).layer.has_value(), loads_in_istio(expected.layout));
        for (const auto& blob : package.image.blobs) {
            EXPECT_EQ(sha256_digest(bytes_of(blob)), blob.descriptor.digest);
        }
    }
}

TEST_F(PackageTest, SoloStatesTheAbiOfTheModule) {
    const Package package = make(PackageLayout::solo);
    EXPECT_EQ(manifest_of(package).annotations.at("module.wasm.runtime/abi_version"), "v0.2.1");
    EXPECT_EQ(bytes_of(package.image.blobs.back()),
              R"({"type":"envoy_proxy","abiVersions":["v0.2.1"],"config":{"rootIds":[""]}})");
}

TEST_F(PackageTest, ATimeOnlyComesFromTheCaller) {
    const auto module = write("plugin.wasm", module_bytes);
    EXPECT_EQ(make().image.manifest.bytes.find("created"), std::string::npos);
    const Package dated = make_package({.module = module, .created = "2026-11-02T10:15:00Z"});
    EXPECT_EQ(manifest_of(dated).annotations.at(annotation::created), "2026-11-02T10:15:00Z");
}

TEST_F(PackageTest, ExtraFilesStandBeforeTheModule) {
    const auto module = write("plugin.wasm", module_bytes);
    const auto readme = write("README.md", "# hello\n");
    const auto extra = [&](PackageLayout layout, const std::string& text) {
        return manifest_of(make_package(
            {.module = module, .layout = layout, .extra = {parse_extra_file(text, layout)}}));
    };
    const Manifest image = extra(PackageLayout::compat, readme.string());
    ASSERT_EQ(image.layers.size(), 2U);
    EXPECT_EQ(image.layers[0].media_type, media::oci_layer_gzip);
    EXPECT_TRUE(choose_as_istio(image).layer->layer == image.layers[1]);
    EXPECT_EQ(extra(PackageLayout::higress, readme.string()).layers[0].media_type,
              media::higress_doc);
    EXPECT_EQ(extra(PackageLayout::compat, readme.string() + ":text/markdown").layers[0].media_type,
              "text/markdown");
    EXPECT_THROW(extra(PackageLayout::cncf, readme.string()), Error);
    EXPECT_THROW(parse_extra_file("a/plugin.wasm", PackageLayout::compat), Error);
}

TEST_F(PackageTest, RefusesWhatEnvoyCannotLoad) {
    EXPECT_NE(error_of("#!/bin/sh\n# no").find("is no WebAssembly module"), std::string::npos);
    EXPECT_NE(error_of(std::string("\0asm", 4)).find("is no WebAssembly module"),
              std::string::npos);
    EXPECT_NE(error_of(std::string("\0asm\x0d\0\1\0....", 12)).find("is a WebAssembly component"),
              std::string::npos);
}

TEST_F(PackageTest, RefusesAModuleOverIstiosLimitWithoutReadingIt) {
    const auto path = write("large.wasm", module_bytes);
    std::filesystem::resize_file(path, limit::module + 1);
    EXPECT_THROW(make_package({.module = path}), Error);
}

TEST_F(PackageTest, ALargeModuleStreamsAndComesBackTheSame) {
    const auto path = write("plugin.wasm", module_bytes);
    const std::uint64_t size = std::uint64_t{20} << 20;
    std::filesystem::resize_file(path, size);
    const Package package = make_package({.module = path});
    const auto layout = open_layout(folder_.path() / "dist");
    layout->write(package.image, {"1"});
    const auto raw = layout->manifest("1");
    ASSERT_TRUE(raw);
    const auto layer = find_module_layer(parse_manifest(raw->bytes, "", "test"));
    Sha256 hash;
    const ModuleFacts facts = read_module(
        *layout, *layer, [&](std::string_view part) { hash.update(part); }, "test");
    EXPECT_EQ(facts.size, size);
    EXPECT_EQ(facts.sha256, package.module_sha256);
    EXPECT_EQ(hash.hex(), package.module_sha256);
}

}  // namespace
}  // namespace wasmplug::oci
