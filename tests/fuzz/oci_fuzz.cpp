#include "tests/fuzz/oci_fuzz.hpp"

#include "oci/challenge.hpp"
#include "oci/image.hpp"
#include "oci/layout_index.hpp"
#include "oci/media_types.hpp"
#include "oci/referrers.hpp"
#include "oci/registry_error.hpp"
#include "oci/retry.hpp"
#include "oci/tar.hpp"

namespace wasmplug::test {
namespace {

const std::string wasm("\0asm\1\0\0\0", 8);

// Two files, the second of them with a long name in a PAX header.
std::string small_tar() {
    const std::string name = "24 path=opt/plugin.wasm\n";
    std::string pax = oci::tar_header("pax", name.size());
    pax[156] = 'x';
    unsigned sum = 0;
    pax.replace(148, 8, "        ");
    for (const char c : pax) {
        sum += static_cast<unsigned char>(c);
    }
    for (int i = 5; i >= 0; --i, sum /= 8) {
        pax[148 + static_cast<std::size_t>(i)] = static_cast<char>('0' + sum % 8);
    }
    pax[154] = '\0';
    return oci::tar_header("README.md", 5) + "hello" + oci::tar_padding(5) + pax + name +
           oci::tar_padding(name.size()) + oci::tar_header("x", wasm.size()) + wasm +
           oci::tar_padding(wasm.size()) + oci::tar_end();
}

void extract(std::string_view input, bool packed) {
    oci::ModuleExtractor extractor(packed, [](std::string_view) {});
    for (std::size_t at = 0; at < input.size(); at += 100) {
        extractor.write(input.substr(at, 100));
    }
    static_cast<void>(extractor.finish());
}

void read_tar(std::string_view input) {
    oci::TarReader reader([](const oci::TarEntry& entry) -> oci::Sink {
        return entry.size % 2 == 0 ? oci::Sink([](std::string_view) {}) : oci::Sink{};
    });
    for (std::size_t at = 0; at < input.size(); at += 300) {
        reader.write(input.substr(at, 300));
    }
    reader.finish();
}

void read_manifest(std::string_view input) {
    const auto manifest = oci::parse_manifest(input, "", "input");
    static_cast<void>(oci::verdicts(manifest));
    static_cast<void>(oci::find_module_layer(manifest));
    static_cast<void>(oci::child_for_linux_amd64(manifest));
    const oci::RawManifest raw{.media_type = manifest.media_type,
                               .bytes = std::string(input),
                               .digest = "sha256:" + std::string(64, '0')};
    static_cast<void>(oci::with_referrer(raw, oci::referrer_entry(raw, manifest)));
}

void read_answer(std::string_view input) {
    HttpResponse response{.status = 429, .headers = {}, .body = std::string(input), .url = {}};
    response.headers.emplace_back("Retry-After", std::string(input));
    static_cast<void>(oci::registry_error(response, "registry.example/a"));
    static_cast<void>(oci::retry_after(response, {}));
}

}  // namespace

std::vector<FuzzTarget> oci_targets() {
    const std::string zeros(64, '0');
    const std::string descriptor =
        R"({"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:)" + zeros +
        R"(","size":12,"annotations":{"a":"b"}})";
    return {
        {"challenge",
         [](std::string_view input) {
             for (const auto& challenge : oci::parse_challenges(input)) {
                 const std::string realm = challenge.get("realm");
                 static_cast<void>(oci::istio_realm_problem(realm));
                 static_cast<void>(
                     oci::realm_problem(realm, *parse_url("https://registry.example/v2/")));
             }
         },
         {R"(Bearer realm="https://a.example/token",service="r",scope="repository:a/b:pull,push")",
          R"(Negotiate, Basic realm="a\"b, c" , Digest a=b,c="d)",
          "Bearer realm=\"http://[::1]/t\""}},
        {"manifest",
         read_manifest,
         {R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)" +
              descriptor + R"(,"layers":[)" + descriptor + R"(],"subject":)" + descriptor + "}",
          R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)" +
              descriptor + "]}"}},
        {"layoutindex",
         [](std::string_view input) {
             const oci::LayoutIndex index(input, "index.json");
             for (const auto& tag : index.tags()) {
                 static_cast<void>(index.find(tag));
             }
             static_cast<void>(oci::LayoutIndex(index.text(), "again").tags());
         },
         {R"({"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:)" +
          zeros +
          R"(","size":2,"annotations":{"org.opencontainers.image.ref.name":"docker.io/a/b:1"}}]})"}},
        {"tar", read_tar, {small_tar()}},
        {"layer",
         [](std::string_view input) { extract(input, true); },
         {std::string(oci::gzip(small_tar()).view())}},
        {"rawlayer", [](std::string_view input) { extract(input, false); }, {wasm + "body"}},
        {"registryanswer",
         read_answer,
         {R"({"errors":[{"code":"DENIED","message":"no","detail":[1]}]})",
          "<html><title>Bad Gateway</title></html>", "Wed, 21 Oct 2026 07:28:00 GMT", "120"}},
    };
}

}  // namespace wasmplug::test
