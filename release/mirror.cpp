#include "release/mirror.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/error.hpp"

namespace wasmplug::release {
namespace {

constexpr std::string_view scheme = "oci://";

std::string digest_of(const std::string& sha256) {
    const std::string digest = "sha256:" + sha256;
    return is_valid_digest(digest) ? digest : std::string();
}

// Nothing for what is no image in a registry.
std::optional<ImageReference> image_of(const std::string& url) {
    if (repository_of(url).empty()) {
        return std::nullopt;
    }
    auto image = try_parse_reference(url);
    return image && image->kind == ImageReference::Kind::registry ? image : std::nullopt;
}

std::string user_of(const FileTargets& file, const Located& located) {
    return fmt::format("{}: {}", file.path.string(), located.title());
}

// Of the manifest itself first, then of the images in an index.
std::vector<std::string> digests_in(const oci::RawManifest& raw) {
    std::vector<std::string> digests{raw.digest};
    for (const auto& child : oci::parse_manifest(raw.bytes, raw.media_type, raw.digest).manifests) {
        digests.push_back(child.digest);
    }
    return digests;
}

}  // namespace

UsedImages images_used(const std::vector<FileTargets>& files) {
    UsedImages used;
    std::map<std::string, UsedImage> images;
    for (const auto& file : files) {
        for (const auto& located : file.targets) {
            const State state = state_of(located);
            const auto reference = image_of(state.content.url);
            if (!reference) {
                used.skipped.push_back(
                    fmt::format("{} ('{}')", user_of(file, located), state.content.url));
                continue;
            }
            const std::string pin = digest_of(state.content.sha256);
            auto& image =
                images.try_emplace(reference->text(), UsedImage{*reference}).first->second;
            // A digest in the url says which image it is, whatever sha256 asks for.
            if (reference->digest.empty() && !pin.empty()) {
                if (!image.pin.empty() && image.pin != pin) {
                    throw Error(
                        fmt::format("{} is pinned to {} by {}, and to {} by {}", reference->text(),
                                    image.pin, image.users.front(), pin, user_of(file, located)),
                        "one of them cannot start: a tag names one image");
                }
                image.pin = pin;
            }
            image.users.push_back(user_of(file, located));
        }
    }
    for (auto& [name, image] : images) {
        used.images.push_back(std::move(image));
    }
    return used;
}

Mirror Mirror::parse(std::string_view text) {
    Mirror mirror;
    if (is_local_reference(text)) {
        const ImageReference reference = parse_reference(text);
        if (reference.kind == ImageReference::Kind::archive) {
            throw usage_error(fmt::format("{} can hold one repository only", reference.text()),
                              "name a folder: oci:DIR keeps one layout for each repository");
        }
        if (!reference.tag.empty() || !reference.digest.empty()) {
            throw usage_error(fmt::format("{} names an image, and a folder is wanted", text),
                              "oci:DIR keeps one layout for each repository");
        }
        mirror.folder_ = reference.path;
        return mirror;
    }
    std::string name(text.starts_with(scheme) ? text.substr(scheme.size()) : text);
    while (name.ends_with('/')) {
        name.pop_back();
    }
    if (name.find('/') == std::string::npos) {
        mirror.host_ = parse_repository(name + "/x").host;
        if (mirror.host_ != name) {
            throw usage_error(fmt::format("'{}' is no registry", name),
                              "write HOST or HOST/PREFIX, as registry.example.com/mirror");
        }
        return mirror;
    }
    const ImageReference repository = parse_repository(name);
    mirror.host_ = repository.host;
    mirror.prefix_ = repository.repository + "/";
    return mirror;
}

ImageReference Mirror::place_of(const ImageReference& image) const {
    ImageReference place = image;
    if (!in_registry()) {
        place.kind = ImageReference::Kind::layout;
        place.path = folder_ / image.repository;
        place.host.clear();
        place.repository.clear();
        return place;
    }
    place.host = host_;
    place.repository = prefix_ + image.repository;
    return place;
}

void require_own_places(const std::vector<UsedImage>& images) {
    std::map<std::string, std::string> hosts;  // by repository
    for (const auto& image : images) {
        const auto& reference = image.reference;
        const auto [there, fresh] = hosts.emplace(reference.repository, reference.host);
        if (!fresh && there->second != reference.host) {
            throw Error(fmt::format("{0}/{2} and {1}/{2} would be one repository in the mirror",
                                    there->second, reference.host, reference.repository),
                        "copy one of them by name, to a repository of its own");
        }
    }
}

Mirrored mirror_image(oci::Store& from, const UsedImage& image, oci::Store& to,
                      const oci::CopyOptions& options) {
    const ImageReference& reference = image.reference;
    std::vector<std::string> tags;
    if (!reference.tag.empty() || reference.digest.empty()) {
        tags.push_back(reference.tag_or_latest());
    }
    std::string selector = reference.selector();
    Mirrored done;
    if (!image.pin.empty()) {
        const auto named = from.manifest(selector);
        const bool same = named && std::ranges::count(digests_in(*named), image.pin) > 0;
        if (!same) {
            if (!from.manifest(image.pin)) {
                throw Error(fmt::format("{} pins {}, which {} does not hold any more",
                                        image.users.front(), image.pin, reference.name()),
                            "the plugin cannot start anew as it is; 'wasmplug update' gives it a "
                            "version that is there");
            }
            done.warning =
                fmt::format("{} names {} by now; the copy has the pinned image, {}",
                            reference.text(), named ? "another image" : "nothing", image.pin);
            selector = image.pin;
        }
    }
    done.report = oci::copy_image(from, selector, to, tags, options);
    done.digests = digests_in(done.report.manifest);
    return done;
}

Mirrored copy_named(oci::Store& from, const ImageReference& image, oci::Store& to,
                    const ImageReference& place, const oci::CopyOptions& options) {
    Mirrored done;
    const std::vector<std::string> tags =
        place.tag.empty() ? std::vector<std::string>{} : std::vector<std::string>{place.tag};
    done.report = oci::copy_image(from, image.selector(), to, tags, options);
    done.digests = digests_in(done.report.manifest);
    return done;
}

std::optional<Wanted> moved(const State& state, const std::vector<Move>& moves,
                            const std::string& where) {
    const auto image = image_of(state.content.url);
    if (!image) {
        return std::nullopt;
    }
    const auto move = std::ranges::find_if(moves, [&](const Move& one) {
        return one.from.name() == image->name() && one.from.selector() == image->selector();
    });
    if (move == moves.end()) {
        return std::nullopt;
    }
    const std::string pin = digest_of(state.content.sha256);
    if (!pin.empty() && !move->digests.empty() && std::ranges::count(move->digests, pin) == 0) {
        throw Error(fmt::format("{} pins {}, and what was copied as {} is {}", where, pin,
                                move->to.text(), move->digests.front()),
                    "--from-manifests copies the pinned image; 'wasmplug update' pins another");
    }
    ImageReference named = *image;
    named.host = move->to.host;
    named.repository = move->to.repository;
    if (!image->tag.empty() || move->to.tag != "latest") {  // which need not be written out
        named.tag = move->to.tag;
    }
    const bool spelled = state.content.url.starts_with(scheme);
    return Wanted{.url = spelled ? named.url() : named.text(),
                  .sha256 = state.content.sha256,
                  .version = named.tag};
}

std::string pull_secret_note(const Located& located) {
    const Site* url = located.site(Role::url);
    const yaml::Node* secret = url == nullptr || url->place.value == nullptr
                                   ? nullptr
                                   : url->place.value->find("imagePullSecret");
    if (secret == nullptr || secret->text().empty()) {
        return {};
    }
    return fmt::format("{}: imagePullSecret {} is left as it is; it needs an entry for the mirror",
                       located.title(), secret->text());
}

}  // namespace wasmplug::release
