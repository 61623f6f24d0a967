#include "oci/layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
#include "oci/layout_index.hpp"
#include "oci/media_types.hpp"
#include "oci/spool.hpp"
#include "oci/verify.hpp"

namespace wasmplug::oci {
namespace fs = std::filesystem;

namespace {

// An artifact may have thousands of blobs, a process only so many open files.
constexpr std::size_t open_at_once = 64;

class LayoutStore final : public Store {
  public:
    explicit LayoutStore(fs::path folder) : folder_(std::move(folder)) {}

    std::string name() const override { return "oci:" + folder_.string(); }

    std::optional<RawManifest> manifest(const std::string& selector) override {
        const LayoutIndex index = read_index();
        Descriptor wanted;
        if (const Descriptor* entry = index.find(selector)) {
            wanted = *entry;
        } else if (is_valid_digest(selector)) {
            wanted.digest = selector;  // the child of an index has no entry of its own
        } else {
            return std::nullopt;
        }
        auto bytes = read_file_if_there(folder_ / blob_path(wanted.digest), limit::manifest);
        if (!bytes) {
            return std::nullopt;
        }
        const std::string where = (folder_ / blob_path(wanted.digest)).string();
        return verified_manifest(std::move(*bytes), wanted, where);
    }

    void read_blobs(const std::vector<BlobRead>& reads) override {
        for (const auto& read : reads) {
            const std::string path = (folder_ / blob_path(read.blob.digest)).string();
            read_verified(body_of_file(path), read.blob, path, read.sink);
        }
    }

    BodySource open_blob(const Descriptor& blob) override {
        BodySource body = body_of_file((folder_ / blob_path(blob.digest)).string());
        if (body.size != blob.size) {
            throw Error(fmt::format("{} has {} of the {} bytes of {}",
                                    (folder_ / blob_path(blob.digest)).string(), body.size,
                                    blob.size, blob.digest));
        }
        return body;
    }

    Annotations index_annotations(const std::string& selector) override {
        const LayoutIndex index = read_index();
        const Descriptor* entry = index.find(selector);
        return entry == nullptr ? Annotations{} : entry->annotations;
    }

    std::vector<std::string> tags() override { return read_index().tags(); }

    std::vector<Descriptor> referrers(const std::string& digest) override {
        return referrers_among(read_index().entries(), digest, [this](const Descriptor& entry) {
            return read_file_if_there(folder_ / blob_path(entry.digest), limit::manifest);
        });
    }

    WriteReport write(const Image& image, const std::vector<std::string>& tags) override {
        WriteReport report;
        write_blobs(image, report);
        LockedFile file(folder_ / "index.json", LockedFile::Missing::empty);
        LayoutIndex index(file.text(), (folder_ / "index.json").string());
        const std::string before = index.text();
        if (tags.empty()) {
            if (index.find(image.manifest.digest) == nullptr) {
                index.put(image.manifest.descriptor(), "", image.index_annotations);
            }
        }
        for (const auto& tag : tags) {
            const Descriptor* there = index.find(tag);
            if (there == nullptr || there->digest != image.manifest.digest) {
                index.put(image.manifest.descriptor(), tag, image.index_annotations);
            }
        }
        report.unchanged = report.blobs_sent == 0 && index.text() == before;
        if (index.text() != before) {
            file.replace(index.text());
        }
        return report;
    }

  private:
    LayoutIndex read_index() const {
        const fs::path path = folder_ / "index.json";
        const auto text = read_file_if_there(path, limit::manifest);
        if (!text) {
            throw Error(
                fmt::format("{} is no image layout: it has no index.json", folder_.string()),
                "'wasmplug package' makes one");
        }
        return LayoutIndex(*text, path.string());
    }

    // Nothing in it, or what a run left that was killed before its files got their names.
    bool can_begin() const {
        std::error_code error;
        return std::ranges::all_of(fs::directory_iterator(folder_, error),
                                   [](const fs::directory_entry& entry) {
                                       const std::string name = entry.path().filename().string();
                                       return name == "blobs" || name.starts_with(".oci-layout.");
                                   });
    }

    bool has(const Descriptor& blob) const {
        std::error_code error;
        return fs::file_size(folder_ / blob_path(blob.digest), error) == blob.size && !error;
    }

    // What is missing is fetched together, and the disk is waited for once.
    void write_blobs(const Image& image, WriteReport& report) const {
        std::vector<std::unique_ptr<AtomicFile>> files;
        const auto fresh = [&](const fs::path& path) {
            std::error_code error;
            fs::create_directories(path.parent_path(), error);
            if (error) {
                throw Error(fmt::format("cannot make {}: {}", path.parent_path().string(),
                                        error.message()));
            }
            files.push_back(std::make_unique<AtomicFile>(path));
            return [file = files.back().get()](std::string_view part) {
                file->write(part);
            };
        };
        if (!is_layout(folder_)) {
            if (!can_begin()) {
                throw Error(fmt::format("{} is there and is no image layout", folder_.string()),
                            "name a folder that does not exist, or an empty one");
            }
            fresh(folder_ / "oci-layout")(layout_marker);
        }
        std::vector<BlobRead> fetched;
        const auto finish = [&] {
            if (!fetched.empty()) {
                image.source->read_blobs(fetched);
            }
            commit_all(files);
            fetched.clear();
            files.clear();
        };
        for (const auto& blob : image.blobs) {
            if (has(blob.descriptor)) {
                ++report.blobs_there;
                continue;
            }
            if (files.size() >= open_at_once) {
                finish();
            }
            ++report.blobs_sent;
            report.sent += blob.descriptor.size;
            const fs::path path = folder_ / blob_path(blob.descriptor.digest);
            Sink sink = fresh(path);
            if (image.source != nullptr) {
                fetched.push_back({.blob = blob.descriptor, .sink = std::move(sink)});
            } else {
                read_verified(blob.open(), blob.descriptor,
                              "what is being written to " + path.string(), sink);
            }
        }
        if (!has(image.manifest.descriptor())) {
            fresh(folder_ / blob_path(image.manifest.digest))(image.manifest.bytes);
        }
        finish();
    }

    fs::path folder_;
};

}  // namespace

bool is_layout(const fs::path& folder) {
    std::error_code error;
    return fs::is_regular_file(folder / "oci-layout", error);
}

std::unique_ptr<Store> open_layout(const fs::path& folder) {
    return std::make_unique<LayoutStore>(folder);
}

}  // namespace wasmplug::oci
