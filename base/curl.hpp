#pragma once

#include <curl/curl.h>

namespace wasmplug {

// The functions of libcurl that we call, by their names without "curl_". Loading it and the
// thirty libraries below it is most of what starting a process costs, and most commands speak to
// nobody: the first use loads it.
struct Curl {
    decltype(&curl_free) free;
    decltype(&curl_global_init) global_init;
    decltype(&curl_version_info) version_info;

    decltype(&curl_easy_cleanup) easy_cleanup;
    decltype(&curl_easy_getinfo) easy_getinfo;
    decltype(&curl_easy_init) easy_init;
    decltype(&curl_easy_reset) easy_reset;
    decltype(&curl_easy_setopt) easy_setopt;
    decltype(&curl_easy_strerror) easy_strerror;

    decltype(&curl_multi_add_handle) multi_add_handle;
    decltype(&curl_multi_assign) multi_assign;
    decltype(&curl_multi_cleanup) multi_cleanup;
    decltype(&curl_multi_info_read) multi_info_read;
    decltype(&curl_multi_init) multi_init;
    decltype(&curl_multi_perform) multi_perform;
    decltype(&curl_multi_poll) multi_poll;
    decltype(&curl_multi_remove_handle) multi_remove_handle;
    decltype(&curl_multi_setopt) multi_setopt;
    decltype(&curl_multi_socket_action) multi_socket_action;

    decltype(&curl_slist_append) slist_append;
    decltype(&curl_slist_free_all) slist_free_all;

    decltype(&curl_url) url;
    decltype(&curl_url_cleanup) url_cleanup;
    decltype(&curl_url_get) url_get;
    decltype(&curl_url_set) url_set;
};

// Throws Error when libcurl is not installed.
const Curl& curl();

}  // namespace wasmplug
