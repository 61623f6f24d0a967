#pragma once

#include <string>

// What the pages that `bench` writes have in common.
namespace wasmplug::host {

// A whole document around `body`, which begins below the title; nothing in it is loaded from
// elsewhere, and it follows the reader's choice of light or dark.
std::string page(const std::string& title, const std::string& body);

}  // namespace wasmplug::host
