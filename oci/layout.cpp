#include "oci/layout.hpp"

#include <fmt/format.h>

#include <system_error>
#include <utility>

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
        verify_digest(*bytes, wanted.digest, where);
        RawManifest raw;
        raw.media_type = media_type_of(*bytes, wanted.media_type, where);
        raw.bytes = std::move(*bytes);
        raw.digest = wanted.digest;
        return raw;
    }

    void read_blob(const Descriptor& blob, const Sink& sink) override {
        const fs::path path = folder_ / blob_path(blob.digest);
        Verifier verifier(blob, path.string());
        read_all(body_of_file(path), [&](std::string_view part) {
            verifier.update(part);
            sink(part);
        });
        verifier.finish();
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
        prepare();
        WriteReport report;
        for (const auto& blob : image.blobs) {
            if (write_blob(blob.descriptor, blob.open)) {
                ++report.blobs_sent;
                report.sent += blob.descriptor.size;
            } else {
                ++report.blobs_there;
            }
        }
        write_blob(image.manifest.descriptor(), [&] { return body_of(image.manifest.bytes); });
        LockedFile file(folder_ / "index.json");
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

    void prepare() const {
        std::error_code error;
        if (!is_layout(folder_)) {
            if (fs::exists(folder_, error) && !fs::is_empty(folder_, error)) {
                throw Error(fmt::format("{} is there and is no image layout", folder_.string()),
                            "name a folder that does not exist, or an empty one");
            }
            fs::create_directories(folder_ / "blobs" / "sha256", error);
            if (error) {
                throw Error(fmt::format("cannot make {}: {}", folder_.string(), error.message()));
            }
            write_file(folder_ / "oci-layout", layout_marker);
        }
        if (!fs::exists(folder_ / "index.json", error)) {
            write_file(folder_ / "index.json", LayoutIndex("", "").text());
        }
    }

    bool has(const Descriptor& blob) const {
        std::error_code error;
        return fs::file_size(folder_ / blob_path(blob.digest), error) == blob.size && !error;
    }

    // Whether it had to be written.
    bool write_blob(const Descriptor& blob, const std::function<BodySource()>& open) const {
        if (has(blob)) {
            return false;
        }
        const fs::path path = folder_ / blob_path(blob.digest);
        std::error_code error;
        fs::create_directories(path.parent_path(), error);
        AtomicFile file(path);
        Verifier verifier(blob, "what is being written to " + path.string());
        read_all(open(), [&](std::string_view part) {
            verifier.update(part);
            file.write(part);
        });
        verifier.finish();
        file.commit();
        return true;
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
