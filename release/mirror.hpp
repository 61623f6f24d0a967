#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/image_reference.hpp"
#include "oci/copy.hpp"
#include "release/files.hpp"

namespace wasmplug::release {

// An image as manifests name it.
struct UsedImage {
    ImageReference reference;             // of the url; always in a registry
    std::string pin = {};                 // digest that spec.sha256 asks for; empty: not pinned
    std::vector<std::string> users = {};  // "deploy/auth.yaml: wasmplugin…/auth", for people
};

struct UsedImages {
    std::vector<UsedImage> images;     // sorted, each once
    std::vector<std::string> skipped;  // users whose url is no image: http, file, a layout, nothing
};

// What all plugins of `files` run. Throws Error when two of them pin different digests to one tag:
// a tag of the mirror can name one only.
UsedImages images_used(const std::vector<FileTargets>& files);

// Where a mirror keeps its images: "registry.example.com", "registry.example.com/mirror" or
// "oci:DIR", below which each repository keeps its name.
class Mirror {
  public:
    // Throws usage_error for an archive, which holds one repository only, and for a tag.
    static Mirror parse(std::string_view text);

    // ghcr.io/acme/auth:1.2.0 in registry.example.com/mirror: its tag and digest stay.
    ImageReference place_of(const ImageReference& image) const;

    bool in_registry() const { return folder_.empty(); }

    const std::string& host() const { return host_; }

  private:
    std::string host_;
    std::string prefix_;  // "" or "mirror/"
    std::filesystem::path folder_;
};

// Throws Error when two repositories of different hosts would share a place.
void require_own_places(const std::vector<UsedImage>& images);

// What was copied, with every digest that a manifest may pin for it.
struct Mirrored {
    oci::CopyReport report;
    std::vector<std::string> digests;
    std::string warning = {};
};

// Copies the image that the manifests run: when its tag names another image by now, the pinned one
// takes the tag's place in the mirror. Throws Error when the pinned image is gone.
Mirrored mirror_image(oci::Store& from, const UsedImage& image, oci::Store& to,
                      const oci::CopyOptions& options);

// The same for an image that was named: it becomes `place`'s tag, or goes by its digest.
Mirrored copy_named(oci::Store& from, const ImageReference& image, oci::Store& to,
                    const ImageReference& place, const oci::CopyOptions& options);

// A copy that manifests can be pointed at.
struct Move {
    ImageReference from;
    ImageReference to;                 // as the cluster calls it, with the tag of the copy
    std::vector<std::string> digests;  // of what `to` names; empty: not known, nothing is checked
};

// Where `state` shall point after the moves; nothing when none is about its image. The digest it
// pins stays, and so does the spelling of its scheme; its tag is the copy's. Throws Error when the
// copy is not what is pinned.
std::optional<Wanted> moved(const State& state, const std::vector<Move>& moves,
                            const std::string& where);

// What a person has to look at when a plugin with an imagePullSecret moves to another registry; ""
// for one without.
std::string pull_secret_note(const Located& located);

}  // namespace wasmplug::release
