#include "oci/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/output.hpp"
#include "oci/layout_index.hpp"
#include "oci/media_types.hpp"
#include "oci/referrers.hpp"
#include "oci/registry_error.hpp"
#include "oci/registry_internal.hpp"
#include "oci/verify.hpp"

namespace wasmplug::oci {
namespace {

using nlohmann::ordered_json;

constexpr int page_limit = 1000;
constexpr std::uint64_t worth_showing = std::uint64_t{1} << 20;  // less is there at once
constexpr std::size_t list_limit = std::size_t{16} << 20;

std::string short_digest(const std::string& digest) {
    return digest.substr(0, 19);
}

class RegistryStore final : public Store {
  public:
    explicit RegistryStore(Repository repository) : repository_(std::move(repository)) {}

    std::string name() const override { return repository_.display(); }

    std::optional<RawManifest> manifest(const std::string& selector) override;
    void read_blobs(const std::vector<BlobRead>& reads) override;
    std::vector<std::string> tags() override;
    std::vector<Descriptor> referrers(const std::string& digest) override;

    WriteReport write(const Image& image, const std::vector<std::string>& tags) override;

  private:
    struct Fetch;

    ApiRequest request_for(Fetch& fetch) const;
    void judge(Fetch& fetch, const ApiResult& result) const;
    void link_to_subject(const RawManifest& raw, bool kept, WriteReport& report);
    bool has_referrers_api(const std::string& digest);
    std::vector<Descriptor> referrers_by_tag(const std::string& digest);

    Repository repository_;
};

std::optional<RawManifest> RegistryStore::manifest(const std::string& selector) {
    const std::string where =
        fmt::format("{}{}{}", name(), is_valid_digest(selector) ? "@" : ":", selector);
    ApiRequest request =
        repository_.request("GET", "/manifests/" + selector, "fetching the manifest of " + where);
    request.http.headers = {{"Accept", media::accept_manifests}};
    request.http.body_limit = limit::manifest;
    HttpResponse response = repository_.session->send(request);
    if (response.status == 404) {
        if (error_code_of(response) == "NAME_UNKNOWN") {
            throw registry_error(response, name());
        }
        return std::nullopt;
    }
    if (response.status != 200) {
        throw registry_error(response, where);
    }
    RawManifest raw;
    raw.bytes = std::move(response.body);
    if (is_valid_digest(selector)) {
        verify_digest(raw.bytes, selector, where);
        raw.digest = selector;
    } else {
        raw.digest = sha256_digest(raw.bytes);
        // When the registry names the digest it has to be right: it is what people will pin.
        const auto stated = header(response.headers, "Docker-Content-Digest");
        if (stated && is_valid_digest(*stated)) {
            verify_digest(raw.bytes, *stated, where);
            raw.digest = *stated;
        }
    }
    const auto type = header(response.headers, "Content-Type").value_or("");
    raw.media_type = media_type_of(raw.bytes, type, where);
    return raw;
}

// One blob on its way, through however many requests that takes.
struct RegistryStore::Fetch {
    const BlobRead& read;
    std::string where;
    std::string what;
    Verifier verifier;
    std::uint64_t begun_at = 0;  // of the request under way: what was here before it
    std::uint64_t skip = 0;      // of its answer: what came whole although a rest was asked for
    std::uint64_t at_last_failure = 0;
    int tries = 0;
    bool done = false;

    Fetch(const BlobRead& wanted, const std::string& store)
        : read(wanted),
          where(fmt::format("{}@{}", store, wanted.blob.digest)),
          what("fetching " + short_digest(wanted.blob.digest)),
          verifier(wanted.blob, where) {}

    void on_answer(int status, const Headers& headers) {
        if (status != 206 || begun_at == 0) {
            return;
        }
        const auto range = header(headers, "Content-Range");
        if (range && !range->starts_with(fmt::format("bytes {}-", begun_at))) {
            throw Error(fmt::format("{} sent another part than was asked for", where));
        }
        skip = 0;
    }

    void take(std::string_view part) {
        const std::size_t over = std::min<std::uint64_t>(skip, part.size());
        skip -= over;
        part.remove_prefix(over);
        if (!part.empty()) {
            verifier.update(part);
            read.sink(part);
        }
    }
};

// Whole bodies have one digest, so what arrived stays good and only the rest is asked for.
ApiRequest RegistryStore::request_for(Fetch& fetch) const {
    ApiRequest request = repository_.request("GET", "/blobs/" + fetch.read.blob.digest, fetch.what);
    request.repeat = false;
    fetch.begun_at = fetch.skip = fetch.verifier.seen();
    if (fetch.begun_at > 0) {
        request.http.headers.emplace_back("Range", fmt::format("bytes={}-", fetch.begun_at));
    }
    request.http.sink = [this, &fetch](std::string_view part) {
        fetch.take(part);
        if (const std::uint64_t size = fetch.read.blob.size; size > worth_showing) {
            repository_.session->progress(fmt::format("{} ({})", fetch.what, format_size(size)),
                                          fetch.verifier.seen(), size);
        }
    };
    request.http.on_answer = [&fetch](int status, const Headers& headers) {
        fetch.on_answer(status, headers);
    };
    return request;
}

// Done, or to be asked for once more; throws what is final.
void RegistryStore::judge(Fetch& fetch, const ApiResult& result) const {
    const std::uint64_t seen = fetch.verifier.seen();
    const auto fail = [&] {
        if (result.error) {
            throw HttpError(*result.error);
        }
        throw registry_error(result.response, fetch.where);
    };
    if (result.is(200) || result.is(206)) {
        fetch.done = seen == fetch.read.blob.size || seen == fetch.begun_at;
    } else if (!result.transient()) {
        fail();
    }
    if (fetch.done || seen == fetch.read.blob.size) {
        fetch.verifier.finish();
        fetch.done = true;
        return;
    }
    // Progress begins the count anew: a line that breaks every megabyte still gets there.
    fetch.tries = seen > fetch.at_last_failure ? 1 : fetch.tries + 1;
    fetch.at_last_failure = seen;
    if (fetch.tries >= repository_.session->options().retry.attempts) {
        fail();
    }
}

void RegistryStore::read_blobs(const std::vector<BlobRead>& reads) {
    std::vector<Fetch> fetches;
    fetches.reserve(reads.size());  // requests hold references to them
    for (const auto& read : reads) {
        fetches.emplace_back(read, name());
    }
    for (;;) {
        std::vector<Fetch*> open;
        std::vector<ApiRequest> requests;
        for (auto& fetch : fetches) {
            if (!fetch.done) {
                open.push_back(&fetch);
                requests.push_back(request_for(fetch));
            }
        }
        if (open.empty()) {
            return;
        }
        const auto results = repository_.session->exchange(requests);
        for (std::size_t i = 0; i < open.size(); ++i) {
            judge(*open[i], results[i]);
        }
        std::size_t slowest = 0;
        for (std::size_t i = 0; i < open.size(); ++i) {
            if (!open[i]->done &&
                open[i]->tries > (open[slowest]->done ? 0 : open[slowest]->tries)) {
                slowest = i;
            }
        }
        if (!open[slowest]->done) {
            repository_.session->pause(open[slowest]->tries, open[slowest]->what, results[slowest]);
        }
    }
}

std::vector<std::string> RegistryStore::tags() {
    std::vector<std::string> out;
    std::set<std::string> pages;
    std::string url = repository_.session->url(repository_.path("/tags/list"));
    for (int page = 0; page < page_limit && pages.insert(url).second; ++page) {
        ApiRequest request = repository_.request("GET", "/tags/list", "listing tags");
        request.http.url = url;
        request.http.body_limit = list_limit;
        const HttpResponse response = repository_.session->send(request);
        if (response.status != 200) {
            throw registry_error(response, name());
        }
        const ordered_json answer = parse_json(response.body, "the tag list of " + name());
        // Nexus lists nulls, Artifactory digests, docker-registry null for no tags at all.
        if (answer.is_object() && answer.contains("tags") && answer["tags"].is_array()) {
            for (const auto& tag : answer["tags"]) {
                if (tag.is_string() && is_valid_tag(tag.get<std::string>())) {
                    out.push_back(tag.get<std::string>());
                }
            }
        }
        url = next_page(response, response.url);
        if (url.empty()) {
            break;
        }
    }
    std::ranges::sort(out);
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

std::vector<Descriptor> RegistryStore::referrers(const std::string& digest) {
    ApiRequest request =
        repository_.request("GET", "/referrers/" + digest, "listing what refers to the image");
    request.http.headers = {{"Accept", media::oci_index}};
    request.http.body_limit = limit::manifest;
    std::vector<Descriptor> out;
    std::set<std::string> pages;
    while (pages.insert(request.http.url).second) {
        const HttpResponse response = repository_.session->send(request);
        if (response.status != 200) {
            // 404 is the answer of registries without the API; others answer 400, 401 or 405.
            return referrers_by_tag(digest);
        }
        const Manifest index =
            parse_manifest(response.body, media::oci_index, "the referrers of " + digest);
        out.insert(out.end(), index.manifests.begin(), index.manifests.end());
        const std::string next = next_page(response, response.url);
        if (next.empty()) {
            break;
        }
        request.http.url = next;
    }
    return out;
}

// The fallback of distribution-spec: an index under the tag "sha256-<hex>". GitLab resolves such
// a tag to the image itself, so an index counts only when its entries name the image as subject.
std::vector<Descriptor> RegistryStore::referrers_by_tag(const std::string& digest) {
    const std::string tag = referrers_tag(digest);
    const auto raw = manifest(tag);
    if (!raw || raw->digest == digest) {
        return {};
    }
    const Manifest index = parse_manifest(raw->bytes, raw->media_type, tag);
    return index.is_index
               ? referrers_among(index.manifests, digest,
                                 [this](const Descriptor& entry) {
                                     const auto found = manifest(entry.digest);
                                     return found ? std::optional(found->bytes) : std::nullopt;
                                 })
               : std::vector<Descriptor>{};
}

WriteReport RegistryStore::write(const Image& image, const std::vector<std::string>& tags) {
    Uploader uploader(repository_);
    WriteReport report = uploader.write(image, tags);
    link_to_subject(image.manifest, uploader.keeps_referrers(), report);
    return report;
}

bool RegistryStore::has_referrers_api(const std::string& digest) {
    ApiRequest request =
        repository_.request("GET", "/referrers/" + digest, "listing what refers to the image");
    request.http.headers = {{"Accept", media::oci_index}};
    request.http.body_limit = limit::manifest;
    return repository_.session->send(request).status == 200;
}

// Enters the manifest into the list that takes the place of the referrers API. Another client may
// write the list between our reading and our writing, so it is read once more until it holds us.
void RegistryStore::link_to_subject(const RawManifest& raw, bool kept, WriteReport& report) {
    constexpr int most_rounds = 5;
    const Manifest manifest_of = parse_manifest(raw.bytes, raw.media_type, raw.digest);
    if (!manifest_of.subject || kept ||
        (report.unchanged && has_referrers_api(manifest_of.subject->digest))) {
        return;
    }
    const std::string& subject = manifest_of.subject->digest;
    const std::string tag = referrers_tag(subject);
    for (int round = 0; round < most_rounds; ++round) {
        const auto list = manifest(tag);
        const bool other = list && (list->digest == subject ||
                                    !parse_manifest(list->bytes, list->media_type, tag).is_index);
        if (other) {
            report.warnings.push_back(
                fmt::format("{}:{} is no list of referrers, so {} will not be found by its subject",
                            name(), tag, short_digest(raw.digest)));
            return;
        }
        const auto longer = with_referrer(list, referrer_entry(raw, manifest_of));
        if (!longer) {
            return;
        }
        Uploader(repository_).write({.manifest = *longer, .blobs = {}}, {tag});
    }
    throw Error(fmt::format("{}:{} is changed by others again and again", name(), tag),
                "the same command once more enters what is missing");
}

}  // namespace

std::string next_page(const HttpResponse& response, const std::string& from) {
    const auto link = header(response.headers, "Link");
    if (!link || link->find("next") == std::string::npos) {
        return {};
    }
    const std::size_t open = link->find('<');
    const std::size_t close = link->find('>', open);
    if (open == std::string::npos || close == std::string::npos) {
        return {};
    }
    const std::string url = resolve_url(from, link->substr(open + 1, close - open - 1));
    const auto here = parse_url(from);
    const auto there = parse_url(url);
    return here && there && here->origin() == there->origin() ? url : std::string{};
}

std::shared_ptr<Session> open_session(const ImageReference& reference,
                                      const RegistryOptions& options, Services& services) {
    return std::make_shared<Session>(reference.api_host(), options, services);
}

std::unique_ptr<Store> open_registry(std::shared_ptr<Session> session, std::string repository,
                                     Access access) {
    Repository opened{.session = std::move(session), .name = std::move(repository), .scope = {}};
    opened.scope =
        fmt::format("repository:{}:{}", opened.name, access == Access::push ? "pull,push" : "pull");
    return std::make_unique<RegistryStore>(std::move(opened));
}

void ping(Session& session) {
    ApiRequest request;
    request.http.url = session.url("/v2/");
    request.what = "asking " + session.host();
    const HttpResponse response = session.send(request);
    if (response.status != 200) {
        throw registry_error(response, session.host());
    }
}

}  // namespace wasmplug::oci
