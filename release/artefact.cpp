#include "release/artefact.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/image_reference.hpp"
#include "base/semver.hpp"
#include "istio/releases.hpp"
#include "oci/artefact.hpp"
#include "oci/image.hpp"
#include "oci/open.hpp"

namespace wasmplug::release {
namespace {

// Long enough for a far registry, short enough not to be what a rollback waits for.
constexpr std::chrono::seconds check_limit{5};

void refuse_offline(const Services& services, const std::string& reference,
                    const std::string& hint) {
    if (services.offline && !is_local_reference(reference)) {
        throw Error(fmt::format("{} cannot be looked up with --offline", reference), hint);
    }
}

ImageReference repository_now(const State& now) {
    const auto reference = try_parse_reference(now.content.url);
    if (!reference || reference->kind != ImageReference::Kind::registry) {
        throw Error(fmt::format("'{}' is no image in a registry", now.content.url),
                    "give the REF of the new version");
    }
    return reference->with_digest("");
}

constexpr const char* at_its_word = "--offline takes the digest at its word";

// 64 lower-case digits of "sha256:…" or of the digits alone; throws usage_error for anything else.
std::string digest_digits(const std::string& text) {
    const std::string digits = text.starts_with("sha256:") ? text.substr(7) : text;
    if (!is_valid_digest("sha256:" + digits)) {
        throw usage_error(fmt::format("'{}' is no sha256 digest", text),
                          "it has 64 lower-case hexadecimal digits; 'wasmplug hash REF' prints it");
    }
    return digits;
}

void refuse_unless_loads(const std::vector<istio::Loading>& loadings, const std::string& name) {
    for (const auto& loading : loadings) {
        if (!loading.loads) {
            throw Error(
                fmt::format("{} would not load {}: {}", loading.host, name, loading.message),
                "'wasmplug inspect' shows what the module asks for");
        }
    }
}

}  // namespace

std::string Resolver::digest_of(const std::string& name) {
    const ImageReference image = parse_reference(name);
    const std::string reference = image.text();
    const auto known = digests_.find(reference);
    if (known != digests_.end()) {
        return known->second;
    }
    refuse_offline(services_, reference, "give its digest with --sha256");
    const auto store = oci::open_store(image, oci::Access::pull, options_, services_);
    const auto resolved = oci::resolve_image(*store, image);
    const auto choice = oci::choose_as_istio(resolved.manifest);
    if (!choice.layer) {
        throw Error(fmt::format("Istio would not load {}: {}", reference, choice.message),
                    "'wasmplug inspect' shows what the image holds");
    }
    std::string module;
    oci::read_module(
        *store, *choice.layer, [&](std::string_view part) { module += part; }, reference);
    refuse_unless_loads(oci::judge_module(module, {istio::to_string(istio::newest_release())}),
                        reference);
    return digests_[reference] = digest_digits(resolved.raw.digest);
}

// Of the module that a server sends, judged as that of an image.
std::string Resolver::module_digest_of(const std::string& url) {
    const auto known = digests_.find(url);
    if (known != digests_.end()) {
        return known->second;
    }
    const auto host = istio::to_string(istio::newest_release());
    const auto facts = oci::look_up({url, {}, {host}}, {}, options_, services_);
    if (facts.answer != istio::ArtefactFacts::Answer::there) {
        throw Error(fmt::format("fetching {}: {}", display_url(url), facts.problem),
                    facts.hint.empty() ? at_its_word : facts.hint);
    }
    refuse_unless_loads(facts.loading, facts.name);
    return digests_[url] = facts.module_sha256;
}

void Resolver::say_unchecked(const std::string& reference, const std::string& why) {
    if (unchecked_.insert(reference).second) {
        services_.out.note(
            fmt::format("{} {}: whether it is there and loads was not checked", reference, why));
    }
}

void Resolver::check_loads(const std::string& reference, const std::string& sha256) {
    if (reference.starts_with("file://")) {
        return say_unchecked(reference, "is read where the proxy runs");
    }
    const bool http = reference.starts_with("http://") || reference.starts_with("https://");
    std::string asked = reference;
    if (!http && !is_local_reference(reference)) {
        // Of a tag and a digest the agent fetches the tag and compares.
        const auto image = try_parse_reference(reference);
        if (!image) {
            return say_unchecked(reference, "is no more than a tag");
        }
        asked = (image->tag.empty() ? *image : image->with_digest("")).text();
    }
    const std::string shown = http ? display_url(asked) : asked;
    if (services_.offline && !is_local_reference(reference)) {
        return say_unchecked(shown, "was not asked for, with --offline");
    }
    std::string digest;
    try {
        digest = http ? module_digest_of(asked) : digest_of(asked);
    } catch (const HttpError& error) {
        throw Error(error.full_message(), error.hint().empty() ? at_its_word : error.hint());
    }
    if (!sha256.empty() && digest != sha256) {
        throw Error(fmt::format("{} is sha256:{}, and not sha256:{}: Istio would refuse it", shown,
                                digest, sha256),
                    "leave the digest out to pin what is there");
    }
}

void Resolver::resolve(const std::string& reference, const std::string& sha256, const State& now,
                       Wanted& wanted) {
    if (reference.starts_with("http://") || reference.starts_with("https://") ||
        reference.starts_with("file://")) {
        wanted.url = reference;
        wanted.sha256 = sha256.empty() ? "" : digest_digits(sha256);
        return;
    }
    const ImageReference image = parse_reference(reference);
    ImageReference named = image;
    if (image.kind != ImageReference::Kind::registry) {
        named = repository_now(now).with_tag(image.tag);
    }
    wanted.version = image.tag;
    wanted.url = (image.tag.empty() ? named : named.with_digest("")).url();
    if (!sha256.empty() || !image.digest.empty()) {
        wanted.sha256 = digest_digits(sha256.empty() ? image.digest : sha256);
        return;
    }
    wanted.sha256 = digest_of(reference);
}

void Resolver::resolve_range(const std::string& range, const State& now, Wanted& wanted) {
    const VersionRange wanted_range(range);  // before anybody is asked
    const ImageReference repository = repository_now(now);
    const std::string name = repository.name();
    refuse_offline(services_, name, "give the REF of the new version, with its digest");
    if (!tags_.contains(name)) {
        tags_[name] = oci::open_store(repository, oci::Access::pull, options_, services_)->tags();
    }
    const auto tag = wanted_range.newest(tags_[name]);
    if (!tag) {
        throw Error(fmt::format("{} has no tag in the range {}", name, range),
                    fmt::format("'wasmplug tags {}' lists what it has", name));
    }
    resolve(repository.with_tag(*tag).text(), {}, now, wanted);
}

void Resolver::check_there(const Content& content) {
    const auto reference = try_parse_reference(content.url);
    if (!reference || reference->kind != ImageReference::Kind::registry) {
        return;
    }
    const ImageReference image =
        content.sha256.empty() ? *reference : reference->with_digest("sha256:" + content.sha256);
    if (there_.contains(image.text())) {
        return;
    }
    there_[image.text()] = true;
    bool gone = false;
    try {
        Services hurried = services_;
        hurried.cancel = services_.cancel.within(check_limit, "the time to check for the image");
        oci::RegistryOptions once = options_;
        once.retry.attempts = 1;
        const auto store = oci::open_store(image, oci::Access::pull, once, hurried);
        gone = !store->manifest(image.selector());
    } catch (const Error& error) {
        services_.cancel.check();
        services_.out.warn(fmt::format("could not check that {} is still there: {}", image.text(),
                                       error.full_message()),
                           "--offline leaves the check out");
    }
    if (gone) {
        throw Error(fmt::format("{} is not there any more: nothing was changed", image.text()),
                    "push it again, or go to another revision with --to-revision");
    }
}

}  // namespace wasmplug::release
