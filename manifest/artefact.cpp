#include "manifest/artefact.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/image_reference.hpp"
#include "istio/plugin_url.hpp"
#include "manifest/layers.hpp"

namespace wasmplug::manifest {
namespace {

using istio::ArtefactFacts;

constexpr std::string_view prefix = "sha256:";

std::string digits_of(std::string_view digest) {
    return std::string(digest.starts_with(prefix) ? digest.substr(prefix.size()) : digest);
}

class ArtefactCheck {
  public:
    ArtefactCheck(const Object& object, const ArtefactFacts& facts, Findings& findings)
        : object_(object), facts_(facts), findings_(findings), wanted_(artefact_of(object)) {}

    void check() {
        switch (facts_.answer) {
            case ArtefactFacts::Answer::not_asked:
                return;
            case ArtefactFacts::Answer::missing:
                add("WP112", "url", facts_.problem, facts_.hint);
                return;
            case ArtefactFacts::Answer::unknown:
                add("WP115", "url", "not checked: " + facts_.problem, facts_.hint);
                return;
            case ArtefactFacts::Answer::there:
                break;
        }
        check_digest();
        for (const auto& loading : facts_.loading) {
            if (!loading.loads) {
                add("WP113", "url",
                    fmt::format("{} does not load {}: {}", loading.host, facts_.name,
                                loading.message),
                    fmt::format("wasmplug inspect {} --for {} says more", facts_.name,
                                loading.host));
            }
        }
    }

  private:
    Finding& add(std::string_view rule, std::string_view field, const std::string& message,
                 const std::string& fix) {
        const auto* value = object_.payload()->find(field);
        auto& finding = findings_.add(
            rule, {}, value == nullptr ? beginning_of(*object_.payload()) : value->range(),
            message);
        finding.path = std::string(object_.payload_path()) + std::string(field);
        if (!fix.empty()) {
            finding.fix = fix;
        }
        return finding;
    }

    void check_digest() {
        const auto actual = facts_.is_image ? digits_of(facts_.image_digest) : facts_.module_sha256;
        const auto url = istio::read_plugin_url(wanted_.url);
        const bool twice = url.image && !url.image->digest.empty() &&
                           digits_of(url.image->digest) != wanted_.expected;
        if (wanted_.expected.empty() || wanted_.expected == actual || twice) {
            return;  // two digests that differ are WP040
        }
        const auto field = text_at(object_.payload(), "sha256").empty() ? "url" : "sha256";
        const auto fix = std::string_view(field) == "sha256"
                             ? fmt::format("write sha256: {}", actual)
                             : fmt::format("write @sha256:{} in the url", actual);
        const auto answer =
            std::string_view(field) == "sha256" ? std::optional(Right{actual}) : std::nullopt;
        if (!facts_.is_image) {
            add("WP111", field,
                fmt::format("the module of {} has the digest {}; for http it is that of the "
                            "unpacked module",
                            facts_.name, actual),
                fix);
        } else if (wanted_.expected == digits_of(facts_.digest)) {
            add("WP110", field,
                fmt::format("this is the digest of the index {}; the agent compares with {}, its "
                            "image for linux/amd64",
                            facts_.name, facts_.image_digest),
                fix)
                .right = answer;
        } else {
            auto& finding = add("WP111", field, other_digest(), fix + other_way());
            // Of a tag that was moved nobody but the author knows which image is meant.
            if (wanted_.expected == facts_.module_sha256 || is_one_of(facts_.layers)) {
                finding.right = answer;
            }
        }
    }

    std::string other_digest() const {
        if (wanted_.expected == facts_.module_sha256) {
            return fmt::format(
                "this is the digest of plugin.wasm; the agent compares with that of the image "
                "manifest, {}",
                facts_.image_digest);
        }
        if (is_one_of(facts_.layers)) {
            return fmt::format(
                "this is the digest of a layer; the agent compares with that of the image "
                "manifest, {}",
                facts_.image_digest);
        }
        return fmt::format("{} is {} now, so what is fetched does not match this digest{}",
                           facts_.name, facts_.image_digest,
                           is_one_of(facts_.elsewhere)
                               ? "; the repository still has an image of it: the tag was moved"
                               : ", of which the repository has no image");
    }

    bool is_one_of(const std::vector<std::string>& digests) const {
        return std::find(digests.begin(), digests.end(), std::string(prefix) + wanted_.expected) !=
               digests.end();
    }

    std::string other_way() const {
        const auto at = wanted_.url.rfind(':');
        return is_one_of(facts_.elsewhere) && at > wanted_.url.rfind('/')
                   ? fmt::format(", or keep what was pinned: url: {}@sha256:{}",
                                 wanted_.url.substr(0, at), wanted_.expected)
                   : "";
    }

    const Object& object_;
    const ArtefactFacts& facts_;
    Findings& findings_;
    ArtefactWanted wanted_;
};

}  // namespace

ArtefactWanted artefact_of(const Object& object) {
    const auto* payload = object.payload();
    ArtefactWanted wanted{.url = std::string(text_at(payload, "url")),
                          .expected = std::string(text_at(payload, "sha256"))};
    if (wanted.expected.empty()) {
        const auto url = istio::read_plugin_url(wanted.url);
        wanted.expected = url.image ? digits_of(url.image->digest) : "";
    }
    if (!is_valid_digest(std::string(prefix) + wanted.expected)) {
        wanted.expected.clear();  // said by WP012 and WP041
    }
    return wanted;
}

void check_artefact(const Object& object, const ArtefactFacts& facts, Findings& findings) {
    if (object.payload() != nullptr) {
        ArtefactCheck(object, facts, findings).check();
    }
}

}  // namespace wasmplug::manifest
