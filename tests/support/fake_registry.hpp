#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/hash.hpp"
#include "tests/support/fault_server.hpp"

namespace wasmplug::test {

// A registry of one process, whose every answer a test may replace: `fault` is asked first, and
// what it returns is what the client gets. Enough of distribution-spec to push, pull and mount.
class FakeRegistry {
  public:
    using Fault = std::function<std::optional<Answer>(const SeenRequest&)>;

    explicit FakeRegistry(Fault fault = {}, FaultServer::EarlyHandler early = {})
        : fault_(std::move(fault)),
          server_([this](const SeenRequest& request) { return answer(request); },
                  std::move(early)) {}

    std::string host() const { return server_.host(); }

    int port() const { return server_.port(); }

    std::string url(const std::string& path) const { return server_.url(path); }

    std::vector<SeenRequest> seen() const { return server_.seen(); }

    std::vector<std::string> log() const { return server_.log(); }

    // How often a request of this method to a path with this part came.
    int count(const std::string& method, const std::string& part) const {
        int n = 0;
        for (const auto& request : seen()) {
            n += request.method == method && request.path().find(part) != std::string::npos;
        }
        return n;
    }

    // What it answers when nothing goes wrong, for faults that change a part of it.
    Answer usual(const SeenRequest& request) {
        const std::string path = request.path();
        if (const auto at = path.find("/blobs/uploads/"); at != std::string::npos) {
            return upload(request, path.substr(at + 15));
        }
        if (const auto at = path.find("/blobs/"); at != std::string::npos) {
            return blob(request, path.substr(at + 7));
        }
        if (const auto at = path.find("/manifests/"); at != std::string::npos) {
            return manifest(request, path.substr(at + 11));
        }
        if (const auto at = path.find("/referrers/"); at != std::string::npos && keeps_referrers) {
            return referrers(path.substr(at + 11));
        }
        if (path.ends_with("/tags/list")) {
            return {.body = R"({"tags":[)" + tag_list() + "]}"};
        }
        return {.status = path == "/v2/" ? 200 : 404};
    }

    std::map<std::string, std::string> blobs;      // by digest
    std::map<std::string, std::string> manifests;  // by tag and by digest
    std::map<std::string, std::string> types;      // of manifests, by digest
    std::set<std::string> uploads;                 // open sessions
    std::string require_basic;                     // "user:password" that every request needs
    bool ignore_range = false;
    bool allow_mount = false;
    bool keeps_referrers = false;  // has the referrers API of distribution-spec 1.1

  private:
    Answer answer(const SeenRequest& request) {
        if (fault_) {
            if (auto given = fault_(request)) {
                return *given;
            }
        }
        if (!require_basic.empty() &&
            header(request.headers, "Authorization") != "Basic " + base64_encode(require_basic)) {
            return {.status = 401, .headers = {{"WWW-Authenticate", "Basic realm=\"fake\""}}};
        }
        return usual(request);
    }

    std::string tag_list() const {
        std::string list;
        for (const auto& [name, bytes] : manifests) {
            if (name.find(':') == std::string::npos) {
                list += (list.empty() ? "\"" : ",\"") + name + "\"";
            }
        }
        return list;
    }

    // Every manifest that mentions the digest as its subject.
    Answer referrers(const std::string& digest) const {
        std::string entries;
        for (const auto& [name, bytes] : manifests) {
            const auto subject = bytes.find(R"("subject":)");
            if (name.starts_with("sha256:") && subject != std::string::npos &&
                bytes.find(digest, subject) != std::string::npos) {
                entries += (entries.empty() ? "" : ",") + std::string(R"({"mediaType":")") +
                           types.at(name) + R"(","digest":")" + name + R"(","size":)" +
                           std::to_string(bytes.size()) + "}";
            }
        }
        return {.headers = {{"Content-Type", "application/vnd.oci.image.index.v1+json"}},
                .body = R"({"schemaVersion":2,"mediaType":)"
                        R"("application/vnd.oci.image.index.v1+json","manifests":[)" +
                        entries + "]}"};
    }

    Answer upload(const SeenRequest& request, const std::string& session) {
        const std::string place = request.path().substr(0, request.path().find("/blobs/uploads/"));
        if (request.method == "POST") {
            const std::string mount = request.query("mount");
            if (allow_mount && blobs.contains(mount)) {
                return {.status = 201};
            }
            const std::string name = "s" + std::to_string(++sessions_);
            uploads.insert(name);
            return {.status = 202,
                    .headers = {{"Location", place + "/blobs/uploads/" + name + "?_state=a%2Fb"}}};
        }
        if (!uploads.contains(session)) {
            return {.status = 404, .body = R"({"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]})"};
        }
        if (request.method == "DELETE") {
            uploads.erase(session);
            return {.status = 204};
        }
        parts_[session] += request.body;
        if (request.method == "PATCH") {
            return {.status = 202, .headers = {{"Location", request.target}}};
        }
        const std::string digest = request.query("digest");
        uploads.erase(session);
        if (sha256_digest(parts_[session]) != digest) {
            return {.status = 400, .body = R"({"errors":[{"code":"DIGEST_INVALID"}]})"};
        }
        blobs[digest] = parts_[session];
        return {.status = 201, .headers = {{"Docker-Content-Digest", digest}}};
    }

    Answer blob(const SeenRequest& request, const std::string& digest) const {
        const auto found = blobs.find(digest);
        if (found == blobs.end()) {
            return {.status = 404};
        }
        const auto range = header(request.headers, "Range");
        if (range && !ignore_range) {
            const std::size_t from = std::stoul(range->substr(6));
            return {.status = 206,
                    .headers = {{"Content-Range", "bytes " + std::to_string(from) + "-x/y"}},
                    .body = found->second.substr(from)};
        }
        return {.body = found->second};
    }

    Answer manifest(const SeenRequest& request, const std::string& name) {
        if (request.method == "PUT") {
            const std::string digest = sha256_digest(request.body);
            manifests[name] = manifests[digest] = request.body;
            types[digest] = header(request.headers, "Content-Type").value_or("");
            Answer stored{.status = 201, .headers = {{"Docker-Content-Digest", digest}}};
            if (keeps_referrers && request.body.find(R"("subject":)") != std::string::npos) {
                stored.headers.emplace_back("OCI-Subject", "kept");
            }
            return stored;
        }
        const auto found = manifests.find(name);
        if (found == manifests.end()) {
            return {.status = 404, .body = R"({"errors":[{"code":"MANIFEST_UNKNOWN"}]})"};
        }
        const std::string digest = sha256_digest(found->second);
        return {.headers = {{"Content-Type", types[digest]}, {"Docker-Content-Digest", digest}},
                .body = found->second};
    }

    Fault fault_;
    int sessions_ = 0;
    std::map<std::string, std::string> parts_;
    FaultServer server_;
};

}  // namespace wasmplug::test
