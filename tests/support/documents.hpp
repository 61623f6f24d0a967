#pragma once

#include <string>
#include <vector>

namespace wasmplug::test {

// The YAML examples of a Markdown text, in order.
inline std::vector<std::string> yaml_blocks(const std::string& text) {
    std::vector<std::string> blocks;
    const std::string open = "```yaml\n";
    for (auto at = text.find(open); at != std::string::npos; at = text.find(open, at)) {
        at += open.size();
        blocks.push_back(text.substr(at, text.find("```", at) - at));
    }
    return blocks;
}

}  // namespace wasmplug::test
