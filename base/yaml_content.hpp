#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/yaml.hpp"

// What stands behind a File. For base/yaml*.cpp only.
namespace wasmplug::yaml {

struct Node::Properties {
    std::string_view anchor;
    std::string tag;
    Range anchor_range;
    Range tag_range;
    std::string decoded;  // of a "!!binary"
};

// Lets a vector move nodes that nobody else can.
struct NodeAllocator : std::allocator<Node> {
    template <class Other>
    struct rebind {  // NOLINT(readability-identifier-naming): the library's name
        using other = NodeAllocator;
    };

    template <class... Arguments>
    void construct(Node* at, Arguments&&... arguments) {
        ::new (static_cast<void*>(at)) Node(std::forward<Arguments>(arguments)...);
    }
};

struct File::Content {
    std::string name;
    std::string text;
    bool has_bom = false;
    std::vector<Node, NodeAllocator> nodes;
    std::vector<Document> documents;
    std::vector<Problem> problems;
    std::deque<Node::Properties> properties;
    std::deque<std::string> decoded;  // scalar texts that do not stand in `text` as they are

    // Offsets at which lines begin; built by the first that asks.
    const std::vector<std::size_t>& line_starts() const;

  private:
    mutable std::once_flag lines_once_;
    mutable std::vector<std::size_t> lines_;
};

}  // namespace wasmplug::yaml
