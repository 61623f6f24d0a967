#pragma once

#include <memory>
#include <string>

#include "base/curl.hpp"
#include "base/error.hpp"

namespace wasmplug {

// libcurl's list of strings, which it neither copies nor frees.
struct FreeCurlList {
    void operator()(curl_slist* list) const { curl().slist_free_all(list); }
};

using CurlList = std::unique_ptr<curl_slist, FreeCurlList>;

inline void append(CurlList& list, const std::string& text) {
    curl_slist* longer = curl().slist_append(list.get(), text.c_str());
    if (longer == nullptr) {
        throw Error("out of memory");
    }
    static_cast<void>(list.release());
    list.reset(longer);
}

}  // namespace wasmplug
