#include "release/artefact.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/image_reference.hpp"

namespace wasmplug::release {

std::string digest_digits(const std::string& text) {
    const std::string digits = text.starts_with("sha256:") ? text.substr(7) : text;
    if (!is_valid_digest("sha256:" + digits)) {
        throw usage_error(fmt::format("'{}' is no sha256 digest", text),
                          "it has 64 lower-case hexadecimal digits; 'wasmplug hash REF' prints it");
    }
    return digits;
}

void Resolver::resolve(const std::string& reference, const std::string& sha256, const State&,
                       Wanted& wanted) {
    if (reference.starts_with("http://") || reference.starts_with("https://") ||
        reference.starts_with("file://")) {
        wanted.url = reference;
        wanted.sha256 = sha256.empty() ? "" : digest_digits(sha256);
        return;
    }
    const ImageReference image = parse_reference(reference);
    wanted.version = image.tag;
    wanted.url = (image.tag.empty() ? image : image.with_digest("")).url();
    if (!sha256.empty() || !image.digest.empty()) {
        wanted.sha256 = digest_digits(sha256.empty() ? image.digest : sha256);
        return;
    }
    throw Error(fmt::format("the digest of {} is not known", reference),
                "write it behind the reference as @sha256:…, or give it with --sha256");
}

}  // namespace wasmplug::release
