#include "base/curl.hpp"

#include <dlfcn.h>

#include <string>

#include "base/error.hpp"

namespace wasmplug {
namespace {

// The name of its interface, which has not changed since 2006.
constexpr const char* library_name = "libcurl.so.4";

std::string failure() {
    const char* text = ::dlerror();  // NOLINT(concurrency-mt-unsafe): glibc's is of the thread
    return text == nullptr ? "" : text;
}

Curl load() {
    void* library = ::dlopen(library_name, RTLD_LAZY | RTLD_LOCAL);
    if (library == nullptr) {
        throw Error("cannot load libcurl: " + failure(), "install libcurl4");
    }
    const auto find = [library](auto& function, const char* name) {
        void* found = ::dlsym(library, name);
        if (found == nullptr) {
            throw Error("cannot use libcurl: " + failure(), "install libcurl 7.88 or newer");
        }
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): what POSIX has dlsym for
        function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(found);
    };
    Curl curl{};
    find(curl.free, "curl_free");
    find(curl.global_init, "curl_global_init");
    find(curl.version_info, "curl_version_info");
    find(curl.easy_cleanup, "curl_easy_cleanup");
    find(curl.easy_getinfo, "curl_easy_getinfo");
    find(curl.easy_init, "curl_easy_init");
    find(curl.easy_reset, "curl_easy_reset");
    find(curl.easy_setopt, "curl_easy_setopt");
    find(curl.easy_strerror, "curl_easy_strerror");
    find(curl.multi_add_handle, "curl_multi_add_handle");
    find(curl.multi_assign, "curl_multi_assign");
    find(curl.multi_cleanup, "curl_multi_cleanup");
    find(curl.multi_info_read, "curl_multi_info_read");
    find(curl.multi_init, "curl_multi_init");
    find(curl.multi_perform, "curl_multi_perform");
    find(curl.multi_poll, "curl_multi_poll");
    find(curl.multi_remove_handle, "curl_multi_remove_handle");
    find(curl.multi_setopt, "curl_multi_setopt");
    find(curl.multi_socket_action, "curl_multi_socket_action");
    find(curl.slist_append, "curl_slist_append");
    find(curl.slist_free_all, "curl_slist_free_all");
    find(curl.url, "curl_url");
    find(curl.url_cleanup, "curl_url_cleanup");
    find(curl.url_get, "curl_url_get");
    find(curl.url_set, "curl_url_set");
    return curl;
}

}  // namespace

const Curl& curl() {
    static const Curl loaded = load();
    return loaded;
}

}  // namespace wasmplug
