#include "oci/open.hpp"

#include <fmt/format.h>

#include <array>
#include <system_error>

#include "base/error.hpp"
#include "base/file.hpp"
#include "oci/archive.hpp"
#include "oci/layout.hpp"

namespace wasmplug::oci {
namespace fs = std::filesystem;

namespace {

bool is_archive(const fs::path& path) {
    const FileReader file(path);
    std::array<char, 512> head{};
    return file.read_at(0, head) == head.size() &&
           std::string_view(head.data() + 257, 5) == "ustar";
}

ImageReference local(ImageReference::Kind kind, const fs::path& path) {
    ImageReference reference;
    reference.kind = kind;
    reference.path = path;
    return reference;
}

}  // namespace

std::unique_ptr<Store> open_store(const ImageReference& reference, Access access,
                                  const RegistryOptions& options, Services& services) {
    switch (reference.kind) {
        case ImageReference::Kind::layout:
            return open_layout(reference.path);
        case ImageReference::Kind::archive:
            return open_archive(reference.path);
        case ImageReference::Kind::registry:
            break;
    }
    if (services.offline) {
        throw Error(fmt::format("{} is in a registry, and --offline was given", reference.text()));
    }
    return open_registry(open_session(reference, options, services), reference.repository, access);
}

Source classify_source(const std::string& text, Registries registries) {
    if (is_local_reference(text)) {
        return {.kind = SourceKind::image, .path = {}, .image = parse_reference(text)};
    }
    const fs::path path(text);
    std::error_code error;
    if (fs::is_directory(path, error)) {
        if (is_layout(path)) {
            return {.kind = SourceKind::image,
                    .path = {},
                    .image = local(ImageReference::Kind::layout, path)};
        }
        return {.kind = SourceKind::project, .path = path, .image = {}};
    }
    if (fs::exists(path, error)) {
        if (is_archive(path)) {
            return {.kind = SourceKind::image,
                    .path = {},
                    .image = local(ImageReference::Kind::archive, path)};
        }
        return {.kind = SourceKind::module, .path = path, .image = {}};
    }
    if (registries == Registries::allowed) {
        if (const auto reference = try_parse_reference(text)) {
            return {.kind = SourceKind::image, .path = {}, .image = *reference};
        }
    }
    throw Error(fmt::format("there is no {}", text),
                registries == Registries::allowed
                    ? "name a file, a project, or an image: HOST/REPOSITORY:TAG, oci:DIR, "
                      "oci-archive:FILE"
                    : "name a .wasm file, a project, oci:DIR or oci-archive:FILE");
}

}  // namespace wasmplug::oci
