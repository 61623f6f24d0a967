#pragma once

#include <string>
#include <utility>

#include "base/error.hpp"
#include "base/http.hpp"

namespace wasmplug::oci {

// An answer that is no success, for those who tell "no" from "not now".
class RegistryError : public Error {
  public:
    RegistryError(const std::string& message, std::string hint, int status)
        : Error(message, std::move(hint)), status_(status) {}

    int status() const { return status_; }

  private:
    int status_;
};

// "ghcr.io answered 403 (denied: permission_denied: write_package)", with a hint by status and
// registry. `where` names the image or repository.
RegistryError registry_error(const HttpResponse& response, const std::string& where);

// The reason in an error body: {"errors":[…]}, other JSON, the first line of a text, the title of
// a page; "" when it says nothing.
std::string reason_of(const HttpResponse& response);

// The code of the first of {"errors":[…]}, or "".
std::string error_code_of(const HttpResponse& response);

}  // namespace wasmplug::oci
