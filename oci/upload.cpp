// Writing to a registry: all blobs of an image go through the same phase at once, so that a push
// costs four round trips and the bytes.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/image_reference.hpp"
#include "base/terminal.hpp"
#include "oci/media_types.hpp"
#include "oci/registry_error.hpp"
#include "oci/registry_internal.hpp"

namespace wasmplug::oci {
namespace {

// A config is smaller than the question whether it is there.
constexpr std::uint64_t not_worth_asking = std::uint64_t{64} << 10;
constexpr std::uint64_t default_chunk = std::uint64_t{5} << 20;  // S3's least part, hence ECR's
constexpr std::uint64_t largest_chunk = std::uint64_t{64} << 20;
constexpr std::size_t location_limit = 16'384;

std::string label(const Descriptor& blob) {
    return fmt::format("pushing {} ({})", blob.digest.substr(0, 19), format_size(blob.size));
}

BodySource part_of(const BodySource& body, std::uint64_t from, std::uint64_t size) {
    return {.size = size, .read = [body, from, size](std::uint64_t offset, std::span<char> into) {
                const std::size_t most = std::min<std::uint64_t>(into.size(), size - offset);
                return body.read(from + offset, into.subspan(0, most));
            }};
}

}  // namespace

struct Uploader::Upload {
    const Blob* blob = nullptr;
    BodySource body = {};  // opened when it turns out to be needed
    std::string location;  // of its session; empty: none is open
    bool done = false;
    bool there = false;  // the registry had it, or mounted it
    bool ask = false;    // HEAD before sending
    bool chunked = false;
    bool mount = false;
    int tries = 0;
    std::uint64_t least_chunk = 0;
    std::optional<ApiResult> failure;  // transient, of the last phase

    const BodySource& content() {
        if (!body.read) {
            body = blob->open();
        }
        return body;
    }
};

WriteReport Uploader::write(const Image& image, const std::vector<std::string>& tags) {
    report_ = {};
    std::vector<Upload> uploads;
    for (const auto& blob : image.blobs) {
        Upload upload;
        upload.blob = &blob;
        upload.ask = blob.descriptor.size > not_worth_asking;
        upload.mount = !blob.mount_from.empty();
        upload.chunked = repository_.session->options().chunk > 0;
        uploads.push_back(std::move(upload));
    }
    if (is_there_already(image, tags, uploads)) {
        report_.unchanged = true;
        report_.blobs_there = uploads.size();
        return report_;
    }
    try {
        for (;;) {
            std::vector<Upload*> open;
            for (auto& upload : uploads) {
                if (!upload.done) {
                    open.push_back(&upload);
                }
            }
            if (open.empty()) {
                break;
            }
            look_for(open);
            begin(open);
            send(open);
        }
        put_manifest(image.manifest, tags);
    } catch (const Error&) {
        forget(uploads);
        throw;
    }
    for (const auto& upload : uploads) {
        report_.blobs_there += upload.there ? 1U : 0U;
        report_.blobs_sent += upload.there ? 0U : 1U;
        report_.sent += upload.there ? 0U : upload.blob->descriptor.size;
    }
    report_.warnings.insert(report_.warnings.end(), repository_.session->warnings().begin(),
                            repository_.session->warnings().end());
    return report_;
}

// One round trip tells the same push again from a new one: what the tag names, and, beside it,
// which of the larger blobs are there.
bool Uploader::is_there_already(const Image& image, const std::vector<std::string>& tags,
                                std::vector<Upload>& uploads) {
    std::vector<ApiRequest> requests;
    const std::vector<std::string> names =
        tags.empty() ? std::vector<std::string>{image.manifest.digest} : tags;
    for (const auto& name : names) {
        requests.push_back(repository_.request("HEAD", "/manifests/" + name,
                                               "looking at " + repository_.display()));
        requests.back().http.headers = {{"Accept", media::accept_manifests}};
    }
    std::vector<Upload*> asked;
    for (auto& upload : uploads) {
        if (upload.ask && !upload.mount) {
            asked.push_back(&upload);
            requests.push_back(repository_.request("HEAD",
                                                   "/blobs/" + upload.blob->descriptor.digest,
                                                   label(upload.blob->descriptor)));
        }
    }
    const auto results = repository_.session->exchange(requests);
    const auto& error = results.front().error;
    // Nobody is there: the uploads would only find that out again, each with tries of its own.
    if (error && error->kind() == HttpError::Kind::connect) {
        throw *error;  // NOLINT(misc-throw-by-value-catch-by-reference): an optional's value
    }
    for (std::size_t i = 0; i < asked.size(); ++i) {
        asked[i]->ask = false;
        asked[i]->done = asked[i]->there = results[names.size() + i].is(200);
    }
    return std::all_of(results.begin(), results.begin() + static_cast<std::ptrdiff_t>(names.size()),
                       [&](const ApiResult& result) {
                           return result.is(200) &&
                                  header(result.response.headers, "Docker-Content-Digest") ==
                                      image.manifest.digest;
                       });
}

// After a failure that may have happened behind the last byte, the blob can be there.
void Uploader::look_for(std::vector<Upload*>& open) {
    std::vector<ApiRequest> requests;
    std::vector<Upload*> asked;
    for (Upload* upload : open) {
        if (upload->ask) {
            asked.push_back(upload);
            requests.push_back(repository_.request("HEAD",
                                                   "/blobs/" + upload->blob->descriptor.digest,
                                                   label(upload->blob->descriptor)));
        }
    }
    if (requests.empty()) {
        return;
    }
    const auto results = repository_.session->exchange(requests);
    for (std::size_t i = 0; i < asked.size(); ++i) {
        asked[i]->ask = false;
        asked[i]->done = results[i].is(200);
    }
    std::erase_if(open, [](const Upload* upload) { return upload->done; });
}

void Uploader::begin(std::vector<Upload*>& open) {
    std::vector<ApiRequest> requests;
    for (Upload* upload : open) {
        const Blob& blob = *upload->blob;
        ApiRequest request = repository_.request("POST", "/blobs/uploads/", label(blob.descriptor));
        if (upload->mount) {
            request.http.url = with_query(request.http.url, "mount", blob.descriptor.digest);
            request.http.url = with_query(request.http.url, "from", blob.mount_from);
            request.scope += fmt::format(" repository:{}:pull", blob.mount_from);
        }
        requests.push_back(std::move(request));
    }
    if (requests.empty()) {
        return;
    }
    const auto results = repository_.session->exchange(requests);
    for (std::size_t i = 0; i < open.size(); ++i) {
        Upload& upload = *open[i];
        const ApiResult& result = results[i];
        if (upload.mount) {
            upload.mount = false;
            if (result.is(201)) {
                upload.done = upload.there = true;
                continue;
            }
            // Whatever the registry has against mounting, sending works: next round.
            if (!result.is(202) || !header(result.response.headers, "Location")) {
                continue;
            }
        }
        if (result.error) {
            throw HttpError(*result.error);
        }
        if (result.response.status != 202) {
            throw registry_error(result.response, repository_.display());
        }
        if (const auto least = header(result.response.headers, "OCI-Chunk-Min-Length");
            least && least->size() <= 12 &&
            least->find_first_not_of("0123456789") == std::string::npos && !least->empty()) {
            upload.least_chunk = std::stoull(*least);
        }
        take_location(upload, result.response, requests[i].http.url);
    }
    std::erase_if(open, [](const Upload* upload) { return upload->location.empty(); });
}

void Uploader::take_location(Upload& upload, const HttpResponse& response,
                             const std::string& asked) {
    const auto location = header(response.headers, "Location");
    if (!location || location->empty()) {
        throw Error(fmt::format("{} accepted an upload and said no Location for it",
                                repository_.display()));
    }
    if (location->size() > location_limit) {
        throw Error(fmt::format("{} named a Location of {} bytes", repository_.display(),
                                location->size()));
    }
    const std::string url = resolve_url(response.url.empty() ? asked : response.url, *location);
    if (!repository_.session->may_go_to(url)) {
        throw Error(fmt::format("{} wants the blob sent to {}, which is not safe",
                                repository_.display(), display_url(url)),
                    "an upload never goes from https to plain http, or to a private address that "
                    "the registry does not share");
    }
    upload.location = url;
}

void Uploader::send(std::vector<Upload*>& open) {
    std::vector<ApiRequest> requests;
    std::vector<Upload*> whole;
    for (Upload* upload : open) {
        if (upload->chunked) {
            continue;
        }
        const Blob& blob = *upload->blob;
        ApiRequest request;
        request.http.method = "PUT";
        request.http.url = with_query(upload->location, "digest", blob.descriptor.digest);
        request.http.headers = {{"Content-Type", "application/octet-stream"}};
        request.http.body = upload->content();
        if (blob.descriptor.size > (std::uint64_t{1} << 20)) {
            request.http.on_sent = [this, &blob](std::uint64_t sent, std::uint64_t total) {
                repository_.session->progress(label(blob.descriptor), sent, total);
            };
        }
        request.what = label(blob.descriptor);
        request.scope = repository_.scope;
        request.repeat = false;
        requests.push_back(std::move(request));
        whole.push_back(upload);
    }
    const auto results = repository_.session->exchange(requests);
    for (std::size_t i = 0; i < whole.size(); ++i) {
        judge(*whole[i], results[i]);
    }
    int next = 0;
    const Upload* slowest = nullptr;
    for (Upload* upload : whole) {
        if (upload->failure && upload->tries > next) {
            next = upload->tries;
            slowest = upload;
        }
    }
    if (slowest != nullptr) {
        repository_.session->pause(next, label(slowest->blob->descriptor), *slowest->failure);
    }
    for (Upload* upload : open) {
        if (upload->chunked && !upload->done && !upload->location.empty()) {
            send_in_chunks(*upload, repository_.session->options().chunk);
        }
    }
}

// Done, to be sent once more, to be sent in chunks, or an error for good.
void Uploader::judge(Upload& upload, const ApiResult& result) {
    upload.failure.reset();
    const Descriptor& blob = upload.blob->descriptor;
    // 204 is docker's old answer.
    if (result.is(201) || result.is(204)) {
        const auto stated = header(result.response.headers, "Docker-Content-Digest");
        if (stated && is_valid_digest(*stated) && *stated != blob.digest &&
            stated->substr(0, 7) == blob.digest.substr(0, 7)) {
            throw Error(
                fmt::format("{} stored {} as {}", repository_.display(), blob.digest, *stated));
        }
        warn(result.response);
        upload.done = true;
        upload.location.clear();
        return;
    }
    const int status = result.error ? 0 : result.response.status;
    // Too large for a proxy on the way (413), or a registry that takes no blob in one (Artifactory
    // once answered so).
    if ((status == 413 || status == 405 || status == 411 || status == 501) && !upload.chunked) {
        upload.chunked = true;
        drop_session(upload);
        return;
    }
    // A session that the registry forgot (404), or that is out of step (416), begins anew.
    const bool again = result.transient() || status == 404 || status == 416 || status == 202;
    if (!again || ++upload.tries >= repository_.session->options().retry.attempts) {
        if (result.error) {
            HttpError error = *result.error;
            error.add_context(label(blob));
            throw error;
        }
        throw registry_error(result.response, repository_.display());
    }
    upload.failure = result;
    upload.ask = true;
    if (result.error) {
        upload.location.clear();  // who does not answer need not be asked again
    } else {
        drop_session(upload);
    }
}

// The next try begins a session of its own.
void Uploader::drop_session(Upload& upload) {
    repository_.session->send_and_forget("DELETE", upload.location, repository_.scope);
    upload.location.clear();
}

void Uploader::send_in_chunks(Upload& upload, std::uint64_t size) {
    const Blob& blob = *upload.blob;
    const std::uint64_t chunk =
        std::clamp(std::max(size == 0 ? default_chunk : size, upload.least_chunk), std::uint64_t{1},
                   std::max(largest_chunk, size));
    for (std::uint64_t at = 0; at < blob.descriptor.size;) {
        const std::uint64_t part = std::min(chunk, blob.descriptor.size - at);
        ApiRequest request;
        request.http.method = "PATCH";
        request.http.url = upload.location;
        request.http.headers = {{"Content-Type", "application/octet-stream"},
                                {"Content-Range", fmt::format("{}-{}", at, at + part - 1)}};
        request.http.body = part_of(upload.content(), at, part);
        request.what = label(blob.descriptor);
        request.scope = repository_.scope;
        request.repeat = false;
        const ApiResult result = std::move(repository_.session->exchange({request}).front());
        // ECR answers 201 and a Range that does not move: the status is what counts.
        if (!result.is(202) && !result.is(201) && !result.is(204)) {
            judge(upload, result);
            if (upload.failure) {
                repository_.session->pause(upload.tries, label(blob.descriptor), *upload.failure);
            }
            return;
        }
        if (header(result.response.headers, "Location")) {
            take_location(upload, result.response, request.http.url);
        }
        at += part;
        repository_.session->progress(label(blob.descriptor), at, blob.descriptor.size);
    }
    ApiRequest request;
    request.http.method = "PUT";
    request.http.url = with_query(upload.location, "digest", blob.descriptor.digest);
    request.http.headers = {{"Content-Type", "application/octet-stream"}};
    request.what = label(blob.descriptor);
    request.scope = repository_.scope;
    request.repeat = false;
    const ApiResult result = std::move(repository_.session->exchange({request}).front());
    judge(upload, result);
    if (upload.failure) {
        repository_.session->pause(upload.tries, label(blob.descriptor), *upload.failure);
    }
}

// Sessions that will not be finished are cancelled, under their own short limit: the user has
// already pressed ^C.
void Uploader::forget(std::vector<Upload>& uploads) {
    for (const auto& upload : uploads) {
        if (!upload.location.empty()) {
            repository_.session->send_and_forget("DELETE", upload.location, repository_.scope);
        }
    }
}

void Uploader::put_manifest(const RawManifest& manifest, const std::vector<std::string>& tags) {
    const std::vector<std::string> names =
        tags.empty() ? std::vector<std::string>{manifest.digest} : tags;
    std::vector<ApiRequest> requests;
    for (const auto& name : names) {
        ApiRequest request = repository_.request(
            "PUT", "/manifests/" + name,
            fmt::format("pushing the manifest of {}:{}", repository_.display(), name));
        request.http.headers = {{"Content-Type", manifest.media_type}};
        request.http.body = body_of(manifest.bytes);
        requests.push_back(std::move(request));
    }
    const auto results = repository_.session->exchange(requests);
    for (std::size_t i = 0; i < names.size(); ++i) {
        const ApiResult& result = results[i];
        const std::string where =
            fmt::format("{}{}{}", repository_.display(), tags.empty() ? "@" : ":", names[i]);
        if (result.error) {
            HttpError error = *result.error;
            error.add_context(requests[i].what);
            throw error;
        }
        if (result.response.status < 200 || result.response.status > 299) {
            throw registry_error(result.response, where);
        }
        const auto stated = header(result.response.headers, "Docker-Content-Digest");
        if (stated && is_valid_digest(*stated) && *stated != manifest.digest &&
            stated->substr(0, 7) == manifest.digest.substr(0, 7)) {
            throw Error(fmt::format("{} stored the manifest as {}, not as {}", where, *stated,
                                    manifest.digest),
                        "the registry or a proxy before it changes manifests");
        }
        keeps_referrers_ = header(result.response.headers, "OCI-Subject").has_value();
        warn(result.response);
    }
}

// RFC 7234 warnings of a registry: 299 - "text". Shown once each, never acted upon.
void Uploader::warn(const HttpResponse& response) {
    const auto text = header(response.headers, "Warning");
    if (!text || !text->starts_with("299 ") || text->size() > 4096) {
        return;
    }
    const std::size_t open = text->find('"');
    const std::size_t close = text->rfind('"');
    if (open == std::string::npos || close <= open) {
        return;
    }
    std::string warning = fmt::format("{} says: {}", repository_.session->host(),
                                      printable(text->substr(open + 1, close - open - 1)));
    if (std::ranges::find(report_.warnings, warning) == report_.warnings.end()) {
        report_.warnings.push_back(std::move(warning));
    }
}

}  // namespace wasmplug::oci
