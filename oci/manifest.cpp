#include "oci/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/image_reference.hpp"
#include "base/json.hpp"
#include "base/terminal.hpp"
#include "oci/media_types.hpp"

namespace wasmplug::oci {
namespace {

using nlohmann::ordered_json;

// Reads members of one document and names the place of what is wrong.
class Reader {
  public:
    explicit Reader(std::string_view what) : what_(what) {}

    [[noreturn]] void fail(const std::string& place, const std::string& problem) const {
        throw Error(
            fmt::format("{}: {} {}", what_, place.empty() ? "the document" : place, problem));
    }

    std::string text(const ordered_json& object, const char* key, const std::string& place) const {
        const auto found = object.find(key);
        if (found == object.end() || found->is_null()) {
            return {};
        }
        if (!found->is_string()) {
            fail(place + key, "is no string");
        }
        return found->get<std::string>();
    }

    Annotations annotations(const ordered_json& object, const std::string& place) const {
        Annotations out;
        const auto found = object.find("annotations");
        if (found == object.end() || found->is_null()) {
            return out;
        }
        if (!found->is_object()) {
            fail(place + "annotations", "is no object");
        }
        for (const auto& [key, value] : found->items()) {
            if (!value.is_string()) {
                fail(place + "annotations." + printable(key), "is no string");
            }
            out[key] = value.get<std::string>();
        }
        return out;
    }

    Descriptor descriptor(const ordered_json& value, const std::string& place) const {
        if (!value.is_object()) {
            fail(place, "is no descriptor");
        }
        Descriptor out;
        out.media_type = text(value, "mediaType", place + ".");
        out.digest = text(value, "digest", place + ".");
        if (!is_valid_digest(out.digest)) {
            fail(place + ".digest", "is no sha256 or sha512 digest");
        }
        const auto size = value.find("size");
        if (size == value.end() || !size->is_number_unsigned() ||
            size->get<std::uint64_t>() > std::uint64_t{1} << 50) {
            fail(place + ".size", "is no usable number of bytes");
        }
        out.size = size->get<std::uint64_t>();
        out.annotations = annotations(value, place + ".");
        out.artifact_type = text(value, "artifactType", place + ".");
        if (const auto platform = value.find("platform");
            platform != value.end() && platform->is_object()) {
            out.platform =
                Platform{.os = text(*platform, "os", place + ".platform."),
                         .architecture = text(*platform, "architecture", place + ".platform.")};
        }
        return out;
    }

    std::vector<Descriptor> descriptors(const ordered_json& object, const char* key) const {
        std::vector<Descriptor> out;
        const auto found = object.find(key);
        if (found == object.end() || found->is_null()) {
            return out;
        }
        if (!found->is_array() || found->size() > 10'000) {
            fail(key, "is no usable list");
        }
        for (const auto& value : *found) {
            out.push_back(descriptor(value, fmt::format("{}[{}]", key, out.size())));
        }
        return out;
    }

  private:
    std::string what_;
};

ordered_json parse_object(std::string_view bytes, std::string_view what) {
    if (bytes.size() > limit::manifest) {
        throw Error(fmt::format("{} is larger than {} bytes", what, limit::manifest));
    }
    ordered_json document = parse_json(bytes, what);
    if (!document.is_object()) {
        throw Error(fmt::format("{} is no JSON object", what));
    }
    return document;
}

std::string without_parameters(std::string_view content_type) {
    std::string_view type = content_type.substr(0, content_type.find(';'));
    while (type.ends_with(' ') || type.ends_with('\t')) {
        type.remove_suffix(1);
    }
    return std::string(type);
}

bool is_manifest_type(std::string_view type) {
    return type == media::oci_manifest || type == media::oci_index ||
           type == media::docker_manifest || type == media::docker_list;
}

std::string type_of(const ordered_json& document, std::string_view content_type,
                    const Reader& reader) {
    const std::string written = reader.text(document, "mediaType", "");
    const std::string sent = without_parameters(content_type);
    if (!written.empty()) {
        // A server that sends "application/json" or nothing says nothing; one that names another
        // manifest type is ambiguous, and clients would disagree on what was fetched.
        if (is_manifest_type(sent) && sent != written) {
            reader.fail("mediaType",
                        fmt::format("is {}, but it was sent as {}", printable(written), sent));
        }
        return written;
    }
    if (is_manifest_type(sent)) {
        return sent;
    }
    return document.contains("manifests") ? media::oci_index : media::oci_manifest;
}

ordered_json to_json(const Annotations& annotations) {
    ordered_json out = ordered_json::object();
    for (const auto& [key, value] : annotations) {
        out[key] = value;
    }
    return out;
}

ordered_json to_json(const Descriptor& descriptor) {
    ordered_json out = {{"mediaType", descriptor.media_type},
                        {"digest", descriptor.digest},
                        {"size", descriptor.size}};
    if (!descriptor.annotations.empty()) {
        out["annotations"] = to_json(descriptor.annotations);
    }
    if (!descriptor.artifact_type.empty()) {
        out["artifactType"] = descriptor.artifact_type;
    }
    if (descriptor.platform) {
        out["platform"] = {{"architecture", descriptor.platform->architecture},
                           {"os", descriptor.platform->os}};
    }
    return out;
}

ordered_json to_json(const std::vector<Descriptor>& descriptors) {
    ordered_json out = ordered_json::array();
    for (const auto& descriptor : descriptors) {
        out.push_back(to_json(descriptor));
    }
    return out;
}

}  // namespace

Manifest parse_manifest(std::string_view bytes, std::string_view content_type,
                        std::string_view what) {
    const Reader reader(what);
    const ordered_json document = parse_object(bytes, what);
    Manifest out;
    out.media_type = type_of(document, content_type, reader);
    if (!is_manifest_type(out.media_type)) {
        reader.fail("mediaType", fmt::format("{} is no image manifest or index",
                                             printable(elide_middle(out.media_type, 100))));
    }
    out.is_index = out.media_type == media::oci_index || out.media_type == media::docker_list;
    // The two kinds must not be mixed: a client that believes the other key sees another image.
    if (out.is_index ? document.contains("layers") || document.contains("config")
                     : document.contains("manifests")) {
        reader.fail("", "is an image and an index at once");
    }
    out.artifact_type = reader.text(document, "artifactType", "");
    out.annotations = reader.annotations(document, "");
    if (const auto subject = document.find("subject");
        subject != document.end() && !subject->is_null()) {
        out.subject = reader.descriptor(*subject, "subject");
    }
    if (out.is_index) {
        out.manifests = reader.descriptors(document, "manifests");
        return out;
    }
    const auto config = document.find("config");
    if (config == document.end()) {
        reader.fail("config", "is missing");
    }
    out.config = reader.descriptor(*config, "config");
    out.layers = reader.descriptors(document, "layers");
    return out;
}

std::string media_type_of(std::string_view bytes, std::string_view content_type,
                          std::string_view what) {
    return type_of(parse_object(bytes, what), content_type, Reader(what));
}

namespace {

RawManifest raw_of(const ordered_json& document, std::string media_type) {
    RawManifest raw;
    raw.media_type = std::move(media_type);
    raw.bytes = compact_json(document);
    raw.digest = sha256_digest(raw.bytes);
    return raw;
}

}  // namespace

RawManifest with_entry(const RawManifest& index, const Descriptor& entry,
                       const std::function<bool(const Descriptor&)>& drop) {
    const Reader reader(index.digest);
    ordered_json document = parse_object(index.bytes, index.digest);
    if (!document.contains("manifests") || !document["manifests"].is_array()) {
        throw Error(fmt::format("{} is no index", index.digest));
    }
    ordered_json kept = ordered_json::array();
    for (auto& value : document["manifests"]) {
        if (!drop || !drop(reader.descriptor(value, "manifests"))) {
            kept.push_back(std::move(value));
        }
    }
    kept.push_back(to_json(entry));
    document["manifests"] = std::move(kept);
    return raw_of(document, index.media_type);
}

RawManifest write_manifest(const Manifest& manifest) {
    ordered_json out = {{"schemaVersion", 2}, {"mediaType", manifest.media_type}};
    if (!manifest.artifact_type.empty()) {
        out["artifactType"] = manifest.artifact_type;
    }
    if (manifest.is_index) {
        out["manifests"] = to_json(manifest.manifests);
    } else {
        out["config"] = to_json(manifest.config);
        out["layers"] = to_json(manifest.layers);
    }
    if (manifest.subject) {
        out["subject"] = to_json(*manifest.subject);
    }
    if (!manifest.annotations.empty()) {
        out["annotations"] = to_json(manifest.annotations);
    }
    return raw_of(out, manifest.media_type);
}

const Descriptor* child_for_linux_amd64(const Manifest& index) {
    const auto found = std::ranges::find_if(index.manifests, [](const Descriptor& child) {
        return !child.platform ||
               (child.platform->os == "linux" && child.platform->architecture == "amd64");
    });
    return found == index.manifests.end() ? nullptr : &*found;
}

}  // namespace wasmplug::oci
