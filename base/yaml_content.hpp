#pragma once

#include <cstdint>
#include <list>
#include <memory>
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

// What Node::has_plain_keys() tells. Compares each key with each, so that a large mapping has none.
bool all_keys_are_plain(const Node& mapping);

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
    Content(std::string the_text, std::string the_name);

    std::string name;
    std::string text;
    std::vector<std::uint32_t> lines;  // offsets at which they begin
    bool has_bom;
    std::vector<Node, NodeAllocator> nodes;
    std::vector<Document> documents;
    std::vector<Problem> problems;
    // Lists, since nodes point into them and most files have nothing to put there.
    std::list<Node::Properties> properties;
    std::list<std::string> decoded;  // scalar texts that do not stand in `text` as they are
};

}  // namespace wasmplug::yaml
