#pragma once

#include <memory>
#include <string>
#include <vector>

#include "commands/command.hpp"

namespace CLI {
class App;
}

namespace wasmplug {

struct GlobalOptions {
    std::string output = "text";
    std::string colour = "auto";
    std::string timeout;
    bool quiet = false;
    bool no_input = false;
    bool offline = false;
    int verbosity = 0;
};

// Which commands get their options: those named in `words`, or all (help of help, man pages).
struct Everything {};

// The command line's tree. With `words`, only the command that the first bare word names has its
// options: building all of them costs milliseconds at every start.
std::unique_ptr<CLI::App> make_tree(GlobalOptions& global, Run& selected,
                                    const std::vector<std::string>& words);
std::unique_ptr<CLI::App> make_tree(GlobalOptions& global, Run& selected, Everything);

// The index in `words` of the command's name, or words.size(): the first word that is neither a
// flag nor the value of a global flag.
std::size_t command_word(const std::vector<std::string>& words);

}  // namespace wasmplug
