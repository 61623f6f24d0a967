#pragma once

namespace wasmplug {

// The files of completions/, embedded by cmake/completions.cmake.
extern const char* const bash_completion;
extern const char* const zsh_completion;
extern const char* const fish_completion;

}  // namespace wasmplug
