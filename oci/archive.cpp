#include "oci/archive.hpp"

#include <fmt/format.h>

#include <array>
#include <map>
#include <system_error>

#include "base/error.hpp"
#include "base/file.hpp"
#include "oci/layout_index.hpp"
#include "oci/media_types.hpp"
#include "oci/spool.hpp"
#include "oci/tar.hpp"
#include "oci/verify.hpp"

namespace wasmplug::oci {
namespace fs = std::filesystem;

namespace {

struct Place {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

BodySource part_of_file(const std::shared_ptr<const FileReader>& file, const Place& place) {
    return {.size = place.size, .read = [file, place](std::uint64_t offset, std::span<char> into) {
                const std::size_t most =
                    std::min<std::uint64_t>(into.size(), place.size - std::min(place.size, offset));
                return file->read_at(place.offset + offset, into.subspan(0, most));
            }};
}

// One file of the archive to be written. Reading it proves it, when its name says a digest.
struct Member {
    std::uint64_t size = 0;
    std::function<void(const Sink&)> read;
};

class ArchiveStore final : public Store {
  public:
    explicit ArchiveStore(fs::path path) : path_(std::move(path)) {}

    std::string name() const override { return "oci-archive:" + path_.string(); }

    std::optional<RawManifest> manifest(const std::string& selector) override {
        load();
        Descriptor wanted;
        if (const Descriptor* entry = index_->find(selector)) {
            wanted = *entry;
        } else if (is_valid_digest(selector)) {
            wanted.digest = selector;
        } else {
            return std::nullopt;
        }
        auto bytes = small_blob(wanted.digest);
        if (!bytes) {
            return std::nullopt;
        }
        const std::string where = fmt::format("{} in {}", wanted.digest, path_.string());
        return verified_manifest(std::move(*bytes), wanted, where);
    }

    void read_blobs(const std::vector<BlobRead>& reads) override {
        load();
        for (const auto& [blob, sink] : reads) {
            const auto found = places_.find(blob_path(blob.digest));
            if (found == places_.end()) {
                throw Error(fmt::format("{} holds no {}", path_.string(), blob.digest));
            }
            read_verified(part_of_file(file_, found->second), blob,
                          fmt::format("{} in {}", blob.digest, path_.string()), sink);
        }
    }

    BodySource open_blob(const Descriptor& blob) override {
        load();
        const auto found = places_.find(blob_path(blob.digest));
        if (found == places_.end() || found->second.size != blob.size) {
            throw Error(
                fmt::format("{} holds no {} of {} bytes", path_.string(), blob.digest, blob.size));
        }
        return part_of_file(file_, found->second);
    }

    std::vector<std::string> tags() override {
        load();
        return index_->tags();
    }

    std::vector<Descriptor> referrers(const std::string& digest) override {
        load();
        return referrers_among(index_->entries(), digest, [this](const Descriptor& entry) {
            return small_blob(entry.digest);
        });
    }

    WriteReport write(const Image& image, const std::vector<std::string>& tags) override;

  private:
    Member member(const std::string& name, BodySource body) const;
    Member member(const Blob& blob, Store* source) const;
    void load();
    void read_index(const Place& place);
    std::optional<std::string> small_blob(const std::string& digest) const;

    fs::path path_;
    std::shared_ptr<const FileReader> file_;
    std::map<std::string, Place> places_;  // by name in the archive, without "./"
    std::optional<LayoutIndex> index_;
};

void ArchiveStore::load() {
    if (index_) {
        return;
    }
    auto file = std::make_shared<const FileReader>(path_);
    const auto named = [&](const auto& work) {
        try {
            return work();
        } catch (const Error& error) {
            throw Error(path_.string() + " " + error.what(), error.hint(), error.code());
        }
    };
    TarReader reader([&](const TarEntry& entry) -> Sink {
        if (entry.type == TarEntry::Type::folder) {
            return {};
        }
        if (entry.type != TarEntry::Type::file) {
            throw Error(fmt::format("holds '{}', which is no file", entry.name));
        }
        const std::string name = entry.name.starts_with("./") ? entry.name.substr(2) : entry.name;
        if (entry.offset + entry.size > file->size()) {
            throw Error(fmt::format("ends in the middle of '{}'", name));
        }
        if (!places_.emplace(name, Place{.offset = entry.offset, .size = entry.size}).second) {
            throw Error(fmt::format("holds '{}' twice", name));
        }
        return {};
    });
    named([&] {
        std::array<char, 512> block{};
        for (std::uint64_t at = 0; at < file->size();) {
            const std::size_t n = file->read_at(at, block);
            reader.write({block.data(), n});
            at += n;
            at += reader.skip();
        }
        reader.finish();
    });
    file_ = std::move(file);
    const auto found = places_.find("index.json");
    if (found == places_.end() || found->second.size > limit::manifest) {
        throw Error(fmt::format("{} is no archive of an image layout: it has no index.json",
                                path_.string()),
                    "'docker save' writes another format; 'skopeo copy docker-archive:FILE "
                    "oci-archive:OTHER' turns it into this one");
    }
    read_index(found->second);
}

void ArchiveStore::read_index(const Place& place) {
    std::string text;
    read_all(part_of_file(file_, place), [&](std::string_view part) { text += part; });
    index_.emplace(text, "index.json in " + path_.string());
}

std::optional<std::string> ArchiveStore::small_blob(const std::string& digest) const {
    const auto found = places_.find(blob_path(digest));
    if (found == places_.end()) {
        return std::nullopt;
    }
    if (found->second.size > limit::manifest) {
        throw Error(fmt::format("the manifest {} in {} is larger than {} bytes", digest,
                                path_.string(), limit::manifest));
    }
    std::string bytes;
    read_all(part_of_file(file_, found->second), [&](std::string_view part) { bytes += part; });
    return bytes;
}

Member ArchiveStore::member(const std::string& name, BodySource body) const {
    const std::string digest =
        name.starts_with("blobs/sha256/") ? "sha256:" + name.substr(13) : std::string{};
    if (!is_valid_digest(digest)) {
        return {.size = body.size, .read = [body](const Sink& sink) {
                    read_all(body, sink);
                }};
    }
    const Descriptor expected{.media_type = {}, .digest = digest, .size = body.size};
    return {.size = body.size, .read = [body, expected, path = path_.string()](const Sink& sink) {
                read_verified(body, expected, "what is being written to " + path, sink);
            }};
}

Member ArchiveStore::member(const Blob& blob, Store* source) const {
    return {.size = blob.descriptor.size,
            .read = [&blob, source, path = path_.string()](const Sink& sink) {
                if (source != nullptr) {
                    source->read_blob(blob.descriptor, sink);
                } else {
                    read_verified(blob.open(), blob.descriptor, "what is being written to " + path,
                                  sink);
                }
            }};
}

WriteReport ArchiveStore::write(const Image& image, const std::vector<std::string>& tags) {
    std::error_code error;
    if (fs::exists(path_, error)) {
        load();
    }
    LayoutIndex index = index_ ? *index_ : LayoutIndex("", "");
    const std::string before = index.text();
    for (const auto& tag : tags) {
        const Descriptor* there = index.find(tag);
        if (there == nullptr || there->digest != image.manifest.digest) {
            index.put(image.manifest.descriptor(), tag);
        }
    }
    if (tags.empty() && index.find(image.manifest.digest) == nullptr) {
        index.put(image.manifest.descriptor(), "");
    }
    std::map<std::string, Member> members;
    for (const auto& [name, place] : places_) {
        members.emplace(name, member(name, part_of_file(file_, place)));
    }
    WriteReport report;
    for (const auto& blob : image.blobs) {
        const bool fresh =
            members.emplace(blob_path(blob.descriptor.digest), member(blob, image.source)).second;
        report.blobs_sent += fresh ? 1U : 0U;
        report.blobs_there += fresh ? 0U : 1U;
        report.sent += fresh ? blob.descriptor.size : 0U;
    }
    members.emplace(blob_path(image.manifest.digest), member("", body_of(image.manifest.bytes)));
    members.insert_or_assign("index.json", member("", body_of(index.text())));
    members.insert_or_assign("oci-layout", member("", body_of(layout_marker)));
    report.unchanged = report.blobs_sent == 0 && index_ && index.text() == before;
    if (report.unchanged) {
        return report;
    }
    AtomicFile file(path_);
    const Sink write = [&](std::string_view part) {
        file.write(part);
    };
    for (const auto& [name, content] : members) {
        file.write(tar_header(name, content.size));
        content.read(write);
        file.write(tar_padding(content.size));
    }
    file.write(tar_end());
    file.commit();
    // What follows is read from the new file.
    index_.reset();
    places_.clear();
    file_.reset();
    return report;
}

}  // namespace

std::unique_ptr<Store> open_archive(const fs::path& file) {
    return std::make_unique<ArchiveStore>(file);
}

}  // namespace wasmplug::oci
