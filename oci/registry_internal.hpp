#pragma once

// What the parts of the registry client share: registry.cpp reads, upload.cpp writes.

#include <memory>
#include <string>
#include <vector>

#include "oci/session.hpp"
#include "oci/store.hpp"

namespace wasmplug::oci {

struct Repository {
    std::shared_ptr<Session> session;
    std::string name;   // "acme/auth"
    std::string scope;  // "repository:acme/auth:pull,push"

    std::string display() const { return session->host() + "/" + name; }

    std::string path(const std::string& rest) const { return "/v2/" + name + rest; }

    ApiRequest request(std::string method, const std::string& rest, std::string what) const {
        ApiRequest request;
        request.http.method = std::move(method);
        request.http.url = session->url(path(rest));
        request.what = std::move(what);
        request.scope = scope;
        return request;
    }
};

// Uploads what the registry does not have, then puts the manifest under each tag.
class Uploader {
  public:
    explicit Uploader(Repository repository) : repository_(std::move(repository)) {}

    WriteReport write(const Image& image, const std::vector<std::string>& tags);

    // The registry lists the manifest written last under its subject (it answered OCI-Subject).
    bool keeps_referrers() const { return keeps_referrers_; }

  private:
    struct Upload;

    bool is_there_already(const Image& image, const std::vector<std::string>& tags,
                          std::vector<Upload>& uploads);
    void look_for(std::vector<Upload*>& open);
    void begin(std::vector<Upload*>& open);
    void send(std::vector<Upload*>& open);
    void send_in_chunks(Upload& upload, std::uint64_t size);
    void forget(std::vector<Upload>& uploads);
    void put_manifest(const RawManifest& manifest, const std::vector<std::string>& tags);
    void take_location(Upload& upload, const HttpResponse& response, const std::string& asked);
    void judge(Upload& upload, const ApiResult& result);
    void drop_session(Upload& upload);
    void warn(const HttpResponse& response);

    Repository repository_;
    WriteReport report_;
    bool keeps_referrers_ = false;
};

// The `Link: <…>; rel="next"` of a list, resolved against `from`; "" at the end. Only the same
// origin is followed.
std::string next_page(const HttpResponse& response, const std::string& from);

}  // namespace wasmplug::oci
