#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/terminal.hpp"
#include "base/yaml_content.hpp"
#include "base/yaml_events.hpp"
#include "base/yaml_scalar.hpp"

namespace wasmplug::yaml {
namespace {

constexpr std::string_view bom = "\xEF\xBB\xBF";

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

bool is_break(char c) {
    return c == '\n' || c == '\r';
}

// What a value costs when every alias below it is written out.
struct Weight {
    std::size_t nodes = 1;
    std::size_t bytes = 0;
    std::size_t height = 1;

    void add(const Weight& child) {
        nodes += child.nodes;
        bytes += child.bytes;
        height = std::max(height, child.height + 1);
    }
};

// Reading stops: no further document can be trusted.
struct Stop {
    Problem problem;
};

}  // namespace

class Builder {
  public:
    Builder(File::Content& content, const Limits& limits)
        : content_(content),
          limits_(limits),
          text_(content.text),
          cursor_(text_, content.has_bom ? bom.size() : 0) {}

    void run();

  private:
    struct Anchor {
        std::size_t node;
        bool complete;
        Weight weight;
    };

    // A collection that is still open.
    struct Frame {
        std::size_t node;
        Weight weight;
        std::size_t last_key = 0;
        bool key_is_next = true;  // of a mapping
    };

    void check_encoding();
    void events(Parser& parser);
    void handle(const yaml_event_t& event);
    void start_document(const yaml_event_t& event);
    void scalar(const yaml_event_t& event);
    void alias(const yaml_event_t& event);
    void open(const yaml_event_t& event, Kind kind, bool flow, const yaml_char_t* anchor,
              const yaml_char_t* tag);
    void close(const yaml_event_t& event);
    std::size_t add(const yaml_event_t& event, Kind kind, Style style);
    void properties(Node& node, std::size_t end, std::string_view tag, bool with_anchor,
                    bool with_tag);
    std::size_t skip_space(std::size_t at, std::size_t end) const;
    void place_null(Node& node) const;
    void trim_block_scalar(Node& node) const;
    void type_scalar(Node& node, bool implicit, std::string_view tag);
    void account(std::size_t index, const Weight& weight);
    void check_number(const Node& node);
    void check_key(const Node& node);
    void check_merge(const Node& value);
    Stop failure(const Parser& parser);
    void problem(Problem::Kind kind, Range range, std::string message, std::string hint = {});

    File::Content& content_;
    const Limits& limits_;
    std::string_view text_;
    Cursor cursor_;
    std::vector<Frame> open_;
    std::unordered_map<std::string_view, Anchor> anchors_;
    std::vector<std::size_t> roots_;  // by document, since the nodes still move
    bool in_document_ = false;
    std::size_t last_end_ = 0;  // of the last token that counts, for nulls that are not written
};

void Builder::problem(Problem::Kind kind, Range range, std::string message, std::string hint) {
    // A hostile file could have a million; nobody reads past the first few.
    if (content_.problems.size() < 1000) {
        content_.problems.push_back({kind, range, std::move(message), std::move(hint)});
    }
}

void Builder::run() {
    try {
        check_encoding();
        Parser parser;
        const std::size_t start = content_.has_bom ? bom.size() : 0;
        yaml_parser_set_input_string(
            // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
            &parser, reinterpret_cast<const unsigned char*>(text_.data()) + start,
            text_.size() - start);
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
        content_.nodes.reserve(std::min<std::size_t>(text_.size() / 12 + 8, 100'000));
        events(parser);
    } catch (const Stop& stop) {
        if (in_document_) {
            content_.documents.pop_back();
        }
        // First, whatever else is wrong with the documents before.
        content_.problems.insert(content_.problems.begin(), stop.problem);
    }
    for (std::size_t i = 0; i < content_.documents.size(); ++i) {
        content_.documents[i].root = &content_.nodes[roots_[i]];
    }
}

void Builder::check_encoding() {
    const auto stop = [](Problem::Kind kind, std::size_t at, std::size_t size, std::string message,
                         std::string hint) {
        throw Stop{{kind, {at, at + size}, std::move(message), std::move(hint)}};
    };
    if (text_.size() > limits_.bytes) {
        stop(Problem::Kind::limit, 0, 0,
             "larger than the limit of " + std::to_string(limits_.bytes) + " bytes", "");
    }
    if (text_.starts_with("\xFF\xFE") || text_.starts_with("\xFE\xFF")) {
        stop(Problem::Kind::encoding, 0, 2, "UTF-16 text", "save the file as UTF-8");
    }
    const std::size_t second = text_.find(bom, content_.has_bom ? bom.size() : 0);
    if (second != std::string_view::npos) {
        stop(Problem::Kind::encoding, second, bom.size(), "a byte order mark amid the text",
             "remove it; files that were joined leave such marks");
    }
    // libyaml compares every %TAG with all before it: a file of nothing else would take hours.
    std::size_t directives = 0;
    for (std::size_t at = text_.find("%TAG"); at != std::string_view::npos;
         at = text_.find("%TAG", at + 4)) {
        if ((at == 0 || is_break(text_[at - 1])) && ++directives > 100) {
            stop(Problem::Kind::limit, at, 4, "more than 100 %TAG directives", "");
        }
    }
}

void Builder::events(Parser& parser) {
    for (;;) {
        Event event;
        if (yaml_parser_parse(&parser, &event) == 0) {
            throw failure(parser);
        }
        if (event.type == YAML_STREAM_END_EVENT) {
            return;
        }
        handle(event);
    }
}

void Builder::handle(const yaml_event_t& event) {
    switch (event.type) {
        case YAML_DOCUMENT_START_EVENT:
            start_document(event);
            break;
        case YAML_DOCUMENT_END_EVENT:
            in_document_ = false;
            break;
        case YAML_ALIAS_EVENT:
            alias(event);
            break;
        case YAML_SCALAR_EVENT:
            scalar(event);
            break;
        case YAML_SEQUENCE_START_EVENT: {
            const auto& start = event.data.sequence_start;
            open(event, Kind::sequence, start.style == YAML_FLOW_SEQUENCE_STYLE, start.anchor,
                 start.tag);
            break;
        }
        case YAML_MAPPING_START_EVENT: {
            const auto& start = event.data.mapping_start;
            open(event, Kind::mapping, start.style == YAML_FLOW_MAPPING_STYLE, start.anchor,
                 start.tag);
            break;
        }
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
            close(event);
            break;
        default:
            break;
    }
}

Stop Builder::failure(const Parser& parser) {
    if (parser.error == YAML_MEMORY_ERROR) {
        throw std::bad_alloc();
    }
    Problem problem{.message = parser.problem == nullptr ? "not YAML" : parser.problem};
    if (parser.error == YAML_READER_ERROR) {
        problem.kind = Problem::Kind::encoding;
        const std::size_t at =
            std::min(parser.problem_offset + (content_.has_bom ? bom.size() : 0), text_.size());
        problem.range = {at, std::min(at + 1, text_.size())};
        if (problem.message == "control characters are not allowed") {
            problem.message = "a control character";
            problem.hint = "write it as an escape in double quotes, like \"\\x07\"";
        } else {
            problem.message = "not UTF-8: " + problem.message;
            problem.hint = "save the file as UTF-8";
        }
        return {std::move(problem)};
    }
    const std::size_t at = cursor_.byte(parser.problem_mark.index);
    problem.range = {at, std::min(at + 1, text_.size())};
    if (parser.context != nullptr) {
        problem.message = std::string(parser.context) + ": " + problem.message;
    }
    const char c = at < text_.size() ? text_[at] : '\n';
    if (problem.message.ends_with("found character that cannot start any token")) {
        problem.hint = c == '\t'  ? "indent with spaces: YAML does not allow tabs there"
                       : c == '%' ? "put the text in quotes, or run the template first"
                                  : "put the text in quotes";
    } else if (problem.message.ends_with("mapping values are not allowed in this context")) {
        problem.hint = "a text with ': ' in it needs quotes; otherwise look at the indentation";
    } else if (problem.message.ends_with("did not find expected key")) {
        problem.hint = "look at the indentation of this line and at quotes left open before it";
    }
    return {std::move(problem)};
}

void Builder::start_document(const yaml_event_t& event) {
    Document document;
    document.index = content_.documents.size();
    document.explicit_start = event.data.document_start.implicit == 0;
    const std::size_t end = cursor_.byte(event.end_mark.index);
    // Directives stand before the "---" that ends the event.
    const std::size_t begin = cursor_.byte(event.start_mark.index);
    document.range = {document.explicit_start ? begin : end, text_.size()};
    if (content_.documents.empty()) {
        document.range.begin = 0;
    } else {
        content_.documents.back().range.end = document.range.begin;
    }
    content_.documents.push_back(document);
    in_document_ = true;
    if (content_.documents.size() > limits_.nodes) {
        throw Stop{{Problem::Kind::limit, {begin, end}, "too many documents", ""}};
    }
    anchors_.clear();
    last_end_ = document.explicit_start ? end : begin;
}

// The node itself, with its place; anchor, tag and type come next.
std::size_t Builder::add(const yaml_event_t& event, Kind kind, Style style) {
    const std::size_t begin = cursor_.byte(event.start_mark.index);
    const std::size_t end = cursor_.byte(event.end_mark.index);
    const std::size_t index = content_.nodes.size();
    if (index >= limits_.nodes) {
        throw Stop{{Problem::Kind::limit,
                    {begin, end},
                    "more than " + std::to_string(limits_.nodes) + " values",
                    ""}};
    }
    if (open_.size() >= limits_.depth) {
        throw Stop{{Problem::Kind::limit,
                    {begin, end},
                    "nested more than " + std::to_string(limits_.depth) + " deep",
                    ""}};
    }
    Node& node = content_.nodes.emplace_back();
    node.kind_ = kind;
    node.style_ = style;
    node.begin_ = static_cast<std::uint32_t>(begin);
    node.end_ = static_cast<std::uint32_t>(end);
    if (open_.empty()) {
        roots_.push_back(index);
    } else {
        Frame& frame = open_.back();
        Node& parent = content_.nodes[frame.node];
        if (parent.kind_ == Kind::sequence) {
            ++parent.count_;
        } else if (frame.key_is_next) {
            frame.last_key = index;
            ++parent.count_;
        }
    }
    return index;
}

std::size_t Builder::skip_space(std::size_t at, std::size_t end) const {
    while (at < end) {
        if (is_blank(text_[at]) || is_break(text_[at])) {
            ++at;
        } else if (text_[at] == '#') {
            at = std::min(text_.find('\n', at), end);
        } else {
            break;
        }
    }
    return at;
}

// Notes anchor and tag, of which the event says which there are, and moves the node's begin
// past them. `end` is where to stop looking.
void Builder::properties(Node& node, std::size_t end, std::string_view tag, bool with_anchor,
                         bool with_tag) {
    Node::Properties* found = nullptr;
    std::size_t at = node.begin_;
    std::size_t after = at;
    while (at < end && ((with_anchor && text_[at] == '&') || (with_tag && text_[at] == '!'))) {
        if (found == nullptr) {
            found = &content_.properties.emplace_back();
            node.properties_ = found;
        }
        const bool is_anchor = text_[at] == '&';
        const bool verbatim = text_.substr(at).starts_with("!<");
        after = at + 1;
        while (
            after < end && !is_blank(text_[after]) && !is_break(text_[after]) &&
            (verbatim || std::string_view(",[]{}").find(text_[after]) == std::string_view::npos)) {
            ++after;
        }
        if (is_anchor) {
            found->anchor = text_.substr(at + 1, after - at - 1);
            found->anchor_range = {at, after};
            with_anchor = false;
        } else {
            found->tag = tag.empty() ? "!" : tag;
            found->tag_range = {at, after};
            with_tag = false;
        }
        at = skip_space(after, text_.size());
    }
    if (found != nullptr) {
        node.begin_ =
            static_cast<std::uint32_t>(at < end || node.kind_ != Kind::scalar ? at : after);
    }
}

// libyaml puts a null that is not written where its next token begins, or after its indicator:
// always after the last indicator here.
void Builder::place_null(Node& node) const {
    std::size_t place = last_end_;
    for (std::size_t at = last_end_; (at = skip_space(at, node.begin_)) < node.begin_;) {
        place = ++at;
    }
    node.begin_ = node.end_ = static_cast<std::uint32_t>(place);
}

// libyaml's end of a block scalar is past the blank lines below it; they are part of the value
// only under '+'.
void Builder::trim_block_scalar(Node& node) const {
    std::size_t end = node.end_;
    const std::string_view text = text_.substr(0, end);
    const std::string_view header =
        text.substr(node.begin_, text.find_first_of("\r\n", node.begin_) - node.begin_);
    const std::string_view value = node.text_.substr(0, node.text_.find_last_not_of('\n') + 1);
    if (header.substr(0, header.find('#')).find('+') != std::string_view::npos ||
        (!value.empty() && is_blank(value.back()))) {
        return;
    }
    // After the line break of the last line that has more than blanks.
    const std::size_t last = text.find_last_not_of(" \t\r\n");
    const std::size_t line_break = text.find('\n', last);
    if (line_break != std::string_view::npos) {
        end = line_break + 1;
    }
    node.end_ = static_cast<std::uint32_t>(end);
}

void Builder::scalar(const yaml_event_t& event) {
    const auto& scalar = event.data.scalar;
    const Style style = style_of(scalar.style);
    const std::size_t index = add(event, Kind::scalar, style);
    Node& node = content_.nodes[index];
    const bool is_written = node.begin_ < node.end_;
    if (is_written) {
        properties(node, node.end_, text_of(scalar.tag), true, true);
    } else {
        place_null(node);
    }
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
    const std::string_view value(reinterpret_cast<const char*>(scalar.value), scalar.length);
    const bool is_quoted = style == Style::single_quoted || style == Style::double_quoted;
    const std::string_view written =
        text_.substr(node.begin_ + (is_quoted ? 1U : 0U), value.size());
    node.text_ =
        written == value ? written : std::string_view(content_.decoded.emplace_back(value));
    if (style == Style::literal || style == Style::folded) {
        trim_block_scalar(node);
    }
    type_scalar(node, scalar.plain_implicit != 0, text_of(scalar.tag));
    if (scalar.anchor != nullptr) {
        anchors_[node.properties_->anchor] = {index, true, {1, value.size(), 1}};
    }
    account(index, {1, value.size(), 1});
}

void Builder::type_scalar(Node& node, bool implicit, std::string_view tag) {
    if (tag.empty()) {
        // Also a quoted text after a lone "!": plain_implicit is what go-yaml goes by.
        node.type_ = implicit ? resolve_plain(node.text_).type : Type::string;
        if (node.type_ == Type::number) {
            check_number(node);
        }
        return;
    }
    const auto short_tag = [tag] {
        return tag.starts_with(tag_prefix) ? "!!" + std::string(tag.substr(tag_prefix.size()))
                                           : std::string(tag);
    };
    const auto resolved = resolve_tagged(tag, node.text_);
    if (!resolved) {
        problem(Problem::Kind::value, node.range(), "not a value of type " + short_tag(),
                "remove the tag or mend the value");
        node.type_ = Type::string;
        return;
    }
    node.type_ = resolved->type;
    if (node.type_ == Type::number) {
        check_number(node);
    } else if (short_tag() == "!!binary") {
        auto& properties = content_.properties.back();
        try {
            // Line breaks are allowed in Go's decoder, as in folded text.
            std::string digits(node.text_);
            std::erase_if(digits, is_break);
            if (digits.size() % 4 != 0) {
                throw Error("padding is missing");
            }
            properties.decoded = valid_utf8(base64_decode(digits));  // it becomes a JSON string
        } catch (const Error&) {
            problem(Problem::Kind::value, node.range(), "invalid base64 after !!binary");
        }
    }
}

void Builder::check_number(const Node& node) {
    const bool is_key = !open_.empty() && open_.back().key_is_next &&
                        content_.nodes[open_.back().node].kind_ == Kind::mapping;
    const auto value = node.as_double();
    if (!is_key && (!value || !std::isfinite(*value))) {
        problem(Problem::Kind::value, node.range(), "JSON has no number for this",
                "quote it if a text is meant");
    }
}

void Builder::alias(const yaml_event_t& event) {
    const std::size_t index = add(event, Kind::alias, Style::plain);
    Node& node = content_.nodes[index];
    const std::string_view name = text_of(event.data.alias.anchor);
    const auto found = anchors_.find(name);
    if (found == anchors_.end()) {
        throw Stop{{Problem::Kind::syntax, node.range(),
                    "unknown anchor '" + std::string(name) + "'", ""}};
    }
    if (!found->second.complete) {
        throw Stop{{Problem::Kind::syntax, node.range(),
                    "anchor '" + std::string(name) + "' contains itself", ""}};
    }
    node.text_ = text_.substr(node.begin_ + 1, node.end_ - node.begin_ - 1);
    node.target_back_ = static_cast<std::uint32_t>(index - found->second.node);
    account(index, found->second.weight);
}

void Builder::open(const yaml_event_t& event, Kind kind, bool flow, const yaml_char_t* anchor,
                   const yaml_char_t* tag) {
    const std::size_t index = add(event, kind, flow ? Style::flow : Style::block);
    Node& node = content_.nodes[index];
    node.type_ = kind == Kind::mapping ? Type::mapping : Type::sequence;
    if (anchor != nullptr || tag != nullptr) {
        properties(node, text_.size(), text_of(tag), anchor != nullptr, tag != nullptr);
        if (anchor != nullptr) {
            anchors_[node.properties_->anchor] = {index, false, {}};
        }
    }
    last_end_ = flow ? node.begin_ + 1 : node.begin_;
    open_.push_back({.node = index});
}

void Builder::close(const yaml_event_t& event) {
    const Frame frame = open_.back();
    open_.pop_back();
    Node& node = content_.nodes[frame.node];
    node.extent_ = static_cast<std::uint32_t>(content_.nodes.size() - frame.node);
    node.plain_keys_ = node.kind_ == Kind::mapping && all_keys_are_plain(node);
    node.end_ = static_cast<std::uint32_t>(
        node.style_ == Style::flow ? cursor_.byte(event.end_mark.index) : last_end_);
    if (node.properties_ != nullptr && !node.properties_->anchor.empty()) {
        const auto found = anchors_.find(node.properties_->anchor);
        if (found->second.node == frame.node) {
            found->second.complete = true;
            found->second.weight = frame.weight;
        }
    }
    account(frame.node, frame.weight);
}

// `node` is complete: its cost goes to the collection it stands in.
void Builder::account(std::size_t index, const Weight& weight) {
    const Node& node = content_.nodes[index];
    last_end_ = node.end_;
    if (weight.nodes > limits_.nodes || weight.bytes > limits_.expanded_bytes ||
        weight.height + open_.size() > limits_.depth + 1) {
        throw Stop{{Problem::Kind::limit, node.range(),
                    "too large once its aliases are written out",
                    "aliases of aliases multiply; write out what is needed"}};
    }
    if (open_.empty()) {
        return;
    }
    Frame& frame = open_.back();
    frame.weight.add(weight);
    if (content_.nodes[frame.node].kind_ == Kind::mapping) {
        if (frame.key_is_next) {
            check_key(node);
        } else if (content_.nodes[frame.last_key].is_merge_key()) {
            check_merge(node);
        }
        frame.key_is_next = !frame.key_is_next;
    }
}

void Builder::check_key(const Node& node) {
    const auto complain = [&](const char* message) {
        problem(Problem::Kind::key, node.range(), message, "keys of a manifest are strings");
    };
    switch (node.type()) {
        case Type::sequence:
        case Type::mapping:
            complain("a collection as a key");
            break;
        case Type::null:
            complain("null as a key");
            break;
        case Type::integer:
            if (!node.as_int()) {
                complain("an integer over 64 bits with sign as a key");
            }
            break;
        default:
            break;
    }
}

void Builder::check_merge(const Node& value) {
    // An alias may stand for a mapping, not for a list of them.
    bool fine = value.is_mapping() || value.kind() == Kind::sequence;
    if (value.kind() == Kind::sequence) {
        for (const Node& item : value.items()) {
            fine = fine && item.is_mapping();
        }
    }
    if (!fine) {
        problem(Problem::Kind::merge, value.range(),
                "'<<' merges a mapping or a list of mappings, and this is neither");
    }
}

File File::parse(std::string text, std::string name, const Limits& limits) {
    auto content = std::make_shared<Content>(std::move(text), std::move(name));
    Builder(*content, limits).run();
    File file;
    file.content_ = std::move(content);
    return file;
}

}  // namespace wasmplug::yaml
