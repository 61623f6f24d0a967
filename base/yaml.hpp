#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/error.hpp"

// All YAML and JSON that people write is read here: a tree that remembers which bytes every
// value stands in, with scalars typed exactly as Kubernetes types them (sigs.k8s.io/yaml over
// go.yaml.in/yaml/v2: YAML 1.1 booleans, 0-octal and 0b integers, dates stay strings).
// Differences from that parser are listed in tests/conformance/yaml_differences.txt.
namespace wasmplug::yaml {

// Bytes of File::text(), the byte order mark counted; `end` is one past the last.
struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;

    bool empty() const { return begin == end; }

    std::size_t size() const { return end - begin; }

    bool operator==(const Range&) const = default;
};

// Both count from 1; a column is a code point, as in editors and compilers.
struct Position {
    std::size_t line = 1;
    std::size_t column = 1;

    bool operator==(const Position&) const = default;
};

// How the value is written.
enum class Kind : std::uint8_t { scalar, sequence, mapping, alias };
enum class Style : std::uint8_t {
    plain,
    single_quoted,
    double_quoted,
    literal,
    folded,
    block,
    flow,
};

// What Kubernetes makes of it; of an alias, what its anchor holds. `5.0` and `1e3` are integers:
// their JSON, which the API server reads, is written without a point.
enum class Type : std::uint8_t { null, boolean, integer, number, string, sequence, mapping };

// "a string", "a mapping": for messages.
std::string_view type_name(Type type);

class Node;
class Path;
struct Entry;

// Children of one node, in order, and how many there are.
template <class Iterator>
class Children {
  public:
    Children(const Node* first, const Node* end, std::size_t count)
        : first_(first), end_(end), count_(count) {}

    Iterator begin() const { return Iterator(first_); }

    Iterator end() const { return Iterator(end_); }

    std::size_t size() const { return count_; }

    bool empty() const { return count_ == 0; }

  private:
    const Node* first_;
    const Node* end_;
    std::size_t count_;
};

class ItemIterator {
  public:
    explicit ItemIterator(const Node* at) : at_(at) {}

    const Node& operator*() const { return *at_; }

    const Node* operator->() const { return at_; }

    ItemIterator& operator++();
    bool operator==(const ItemIterator&) const = default;

  private:
    const Node* at_;
};

class EntryIterator {
  public:
    explicit EntryIterator(const Node* at) : at_(at) {}

    Entry operator*() const;
    EntryIterator& operator++();
    bool operator==(const EntryIterator&) const = default;

  private:
    const Node* at_;
};

// The items of a sequence. Empty for anything else.
using Items = Children<ItemIterator>;

// The entries of a mapping as they are written: merge keys and duplicates are among them.
using Entries = Children<EntryIterator>;

// One value. Nodes belong to a File, stay where they are while any copy of it lives, and cannot
// be copied. Everything but kind(), range() and the other accounts of how it is written looks
// through an alias, so readers need not know of aliases; the reader has made sure that following
// them ends, and ends soon (Limits).
class Node {
  public:
    Kind kind() const { return kind_; }

    // Of an alias: plain.
    Style style() const { return style_; }

    // The text with its quotes or brackets, or the "*name" of an alias; without anchor and tag.
    // A null that is not written is empty and stands after its ':' or '-'. A block collection
    // ends where its last descendant does. A block scalar begins at its '|' or '>' and includes
    // its final line break.
    Range range() const { return {begin_, end_}; }

    // From the anchor or tag, if there is one, to range().end.
    Range full_range() const;

    // "" when there is none. A tag is written out: "tag:yaml.org,2002:str".
    std::string_view anchor() const;
    std::string_view tag() const;

    // The bytes of "&name" and of the tag; empty when there is none.
    Range anchor_range() const;
    Range tag_range() const;

    // What an alias stands for, else the node itself. Never an alias.
    const Node& target() const { return *(this - target_back_); }

    Type type() const { return target().type_; }

    bool is_null() const { return type() == Type::null; }

    bool is_string() const { return type() == Type::string; }

    bool is_sequence() const { return type() == Type::sequence; }

    bool is_mapping() const { return type() == Type::mapping; }

    // A scalar's text with quoting, folding and escapes undone, before any typing: "0x1F", "yes".
    // "" for a collection.
    std::string_view text() const { return target().text_; }

    // The value when Kubernetes reads it as that type, else nothing.
    std::optional<std::string_view> as_string() const;  // of "!!binary": the decoded bytes
    std::optional<bool> as_bool() const;
    std::optional<std::int64_t> as_int() const;    // an integer within int64
    std::optional<std::uint64_t> as_uint() const;  // an integer within uint64
    std::optional<double> as_double() const;       // an integer too

    // Items of a sequence or entries of a mapping, as written.
    std::size_t size() const { return target().count_; }

    Items items() const;
    Entries entries() const;

    // True for most mappings: each key is a string without a tag that comes once, none is `<<`.
    // The entries are the effective ones then, and a key's text() is its key_text(). May be false
    // for a large mapping with such keys.
    bool has_plain_keys() const { return target().plain_keys_; }

    // The entries that Kubernetes sees: merge keys merged, of equal keys the last. In the order
    // of first appearance.
    std::vector<Entry> effective_entries() const;

    // The value of `key` in effective_entries(), without building them; nullptr when this is no
    // mapping or has no such key.
    const Node* find(std::string_view key) const;

    // The entry that is written in this very mapping, not merged into it; the last when there
    // are several. nullopt as find().
    std::optional<Entry> own_entry(std::string_view key) const;

    // Item number `index`, or nullptr.
    const Node* item(std::size_t index) const;

    // Follows find() and item(); nullptr where the path leaves the tree.
    const Node* at(const Path& path) const;

    // The key that this node, as the key of a mapping, has in JSON: "true" for `on`.
    std::string key_text() const;

    // Whether `other`, a node of the same document, is this one or is written inside it.
    bool holds(const Node& other) const { return &other >= this && &other < this + extent_; }

    // `<<` as a key, unquoted or tagged "!!merge".
    bool is_merge_key() const;

    struct Properties;  // the reader's own

    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    ~Node() = default;

  private:
    friend class Builder;
    friend struct NodeAllocator;
    friend class ItemIterator;
    friend class EntryIterator;

    Node() = default;
    Node(Node&&) = default;

    const Node* find_plain_key(std::string_view wanted) const;

    // Nodes of a document stand in one array, each before its descendants, so that distances
    // take the place of pointers.
    std::string_view text_;
    const Properties* properties_ = nullptr;
    std::uint32_t begin_ = 0;
    std::uint32_t end_ = 0;
    std::uint32_t extent_ = 1;       // this node and its descendants
    std::uint32_t count_ = 0;        // items or entries
    std::uint32_t target_back_ = 0;  // an alias: how far before this node its target stands
    Kind kind_ = Kind::scalar;
    Style style_ = Style::plain;
    Type type_ = Type::null;
    bool plain_keys_ = false;  // of a mapping, told by the reader once for all who search it
};

struct Entry {
    const Node& key;
    const Node& value;
};

inline ItemIterator& ItemIterator::operator++() {
    at_ += at_->extent_;
    return *this;
}

inline Entry EntryIterator::operator*() const {
    return {*at_, *(at_ + at_->extent_)};
}

inline EntryIterator& EntryIterator::operator++() {
    at_ += at_->extent_;
    at_ += at_->extent_;
    return *this;
}

// Where a value stands below a root: "spec.match[0].mode". A key that is not made of letters,
// digits, '-', '_' and '/' is written ["like.this"].
class Path {
  public:
    struct Step {
        std::string key;
        std::size_t index = 0;
        bool is_index = false;

        bool operator==(const Step&) const = default;
    };

    Path() = default;
    Path(std::initializer_list<std::string_view> keys);

    // Accepts a leading '.', and a dot before '['; quotes in brackets may be single or double.
    // nullopt for what is no path; "" is the root.
    static std::optional<Path> parse(std::string_view text);

    Path operator/(std::string_view key) const;
    Path operator/(std::size_t index) const;
    Path operator/(const Path& below) const;

    const std::vector<Step>& steps() const { return steps_; }

    bool empty() const { return steps_.empty(); }

    // Without the last step, of which there must be one.
    Path parent() const;

    const Step& last() const { return steps_.back(); }

    bool starts_with(const Path& above) const;
    std::string to_string() const;
    bool operator==(const Path&) const = default;

  private:
    std::vector<Step> steps_;
};

// Why a file, or a part of it, is not what Kubernetes could read.
struct Problem {
    enum class Kind {
        syntax,    // and anchors that do not exist
        encoding,  // UTF-16, bad UTF-8, control characters, a byte order mark amid the text
        limit,     // see Limits
        value,     // "!!int x", bad base64, .nan and .inf, which JSON cannot say
        key,       // a null, collection or huge integer as key
        merge,     // `<<` with something else than mappings
    };
    Kind kind = Kind::syntax;
    Range range;
    std::string message;  // a sentence fragment, as in Error
    std::string hint;
};

// A key that appears twice: Kubernetes takes the last, its strict decoder refuses.
struct Duplicate {
    const Node& key;
    const Node& first;    // the key that it repeats
    const Node& mapping;  // that they stand in
};

struct Limits {
    std::size_t bytes = std::size_t{16} << 20;
    std::size_t depth = 100;
    std::size_t nodes = 1'000'000;                       // also with every alias written out
    std::size_t expanded_bytes = std::size_t{64} << 20;  // of scalars, with every alias written out
};

struct Document {
    const Node* root = nullptr;  // never null in a File; an empty document has a null scalar
    std::size_t index = 0;       // from 0, empty documents counted
    // From its "---" (or its first byte) to the next document's or the end of the text:
    // comments before and after belong to it.
    Range range;
    bool explicit_start = false;  // has a "---" of its own
    // No value at all is written: only comments, or nothing.
    bool is_empty() const;
};

// A parsed text. A value: copies share one immutable tree, which threads may read together.
class File {
  public:
    // An empty file.
    File();

    // Never throws for what the text holds: problems() says. Documents before a problem of kind
    // syntax, encoding or limit are there; other problems leave every document readable.
    // `name` is for messages: a path, "<stdin>".
    static File parse(std::string text, std::string name, const Limits& limits = {});

    // Throws Error when it cannot be read at all or is over the limit.
    static File read(const std::filesystem::path& path, const Limits& limits = {});

    const std::string& name() const;
    std::string_view text() const;
    bool has_bom() const;
    const std::vector<Document>& documents() const;
    const std::vector<Problem>& problems() const;

    // Itself, or throws the first problem as an Error at its position.
    const File& checked() const;

    // The root of the only document; throws as checked(), and when there is not exactly one
    // (empty ones before or after it do not count).
    const Node& single() const;

    Position position(std::size_t byte) const;

    // "plugin.yaml:12:7"
    std::string where(std::size_t byte) const;

    // Line `number` from 1, without its line break.
    std::string_view line(std::size_t number) const;

    // The line of range.begin, and below it a caret and tildes up to range.end or the end of
    // the line. Tabs become spaces, control characters are made visible. Ends with a line break.
    std::string excerpt(Range range) const;

    // "plugin.yaml:12:7: MESSAGE", with the excerpt in its hint before `hint`.
    Error error(Range range, const std::string& message, const std::string& hint = {},
                ExitCode code = ExitCode::failure) const;

    // The path below the document's root at which `node`, one of its nodes, is written; that of
    // a key is that of its value.
    Path path_of(const Document& document, const Node& node) const;

    // Offset of the first "{{" outside quotes and comments: a Helm or Go template, which is
    // either no YAML at all or (`url: {{ .V }}`) a mapping that nobody meant.
    std::optional<std::size_t> template_at() const;

  private:
    friend class Builder;
    struct Content;
    std::shared_ptr<const Content> content_;
};

// All duplicate keys below `node`, in order. Keys are equal as Kubernetes' strict decoder has it:
// after typing (`1` and `0x1`); a key that a `<<` brings in counts as well.
std::vector<Duplicate> duplicate_keys(const Node& node);

// As YAMLToJSON gives it, but keys keep their order. What JSON cannot say (Problem::Kind::value,
// key) becomes null or is left out.
nlohmann::ordered_json to_json(const Node& node);

// Whether both are the same JSON value; the order of keys does not matter.
bool same_value(const Node& a, const Node& b);

// How the plain scalar `text` is typed.
Type plain_type(std::string_view text);

}  // namespace wasmplug::yaml
