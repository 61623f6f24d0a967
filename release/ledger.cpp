#include "release/ledger.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"

namespace wasmplug::release {
namespace {

using Json = nlohmann::ordered_json;

// YAML's readers fold or refuse these inside a quoted scalar; JSON may write any character as an
// escape, so the annotation survives every quoting style and every reader.
std::string escape_line_breakers(const std::string& json) {
    std::string out;
    out.reserve(json.size());
    for (std::size_t i = 0; i < json.size(); ++i) {
        const std::string_view rest = std::string_view(json).substr(i);
        const auto byte = static_cast<unsigned char>(json[i]);
        if (byte == 0x7f) {
            out += "\\u007f";
        } else if (byte == 0xc2 && rest.size() > 1 && static_cast<unsigned char>(rest[1]) < 0xa0) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned char>(rest[1]));
            i += 1;
        } else if (rest.starts_with("\xe2\x80\xa8") || rest.starts_with("\xe2\x80\xa9")) {
            out += rest[2] == '\xa8' ? "\\u2028" : "\\u2029";
            i += 2;
        } else if (rest.starts_with("\xef\xbb\xbf")) {
            out += "\\ufeff";
            i += 2;
        } else {
            out += json[i];
        }
    }
    return out;
}

std::string text_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end()) {
        return {};
    }
    if (!found->is_string()) {
        throw Error(fmt::format("'{}' is not a string", key));
    }
    return found->get<std::string>();
}

std::optional<std::string> text_if_there(const Json& object, const char* key) {
    if (!object.contains(key)) {
        return std::nullopt;
    }
    return text_of(object, key);
}

unsigned number_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end()) {
        return 0;
    }
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > 1'000'000'000) {
        throw Error(fmt::format("'{}' is not a revision number", key));
    }
    return found->get<unsigned>();
}

std::optional<unsigned> parse_number(std::string_view text) {
    unsigned number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc{} || end != text.data() + text.size() || number == 0 ||
        number > 1'000'000'000) {
        return std::nullopt;
    }
    return number;
}

std::optional<EntryPlace> place_in(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_object()) {
        return std::nullopt;
    }
    return EntryPlace{text_of(*found, "behind"), text_of(*found, "otherwise"),
                      number_of(*found, "lines"), text_of(*found, "comment")};
}

void put_place(Json& object, const char* key, const std::optional<EntryPlace>& place) {
    if (!place) {
        return;
    }
    Json& json = object[key] = Json::object();
    json["behind"] = place->behind;
    if (!place->otherwise.empty()) {
        json["otherwise"] = place->otherwise;
    }
    if (place->lines != 0) {
        json["lines"] = place->lines;
    }
    if (!place->comment.empty()) {
        json["comment"] = place->comment;
    }
}

Revision decode_revision(unsigned number, const std::string& text) {
    Revision revision;
    revision.number = number;
    revision.source = text;
    try {
        const Json object = parse_json(text, "the record");
        if (!object.is_object()) {
            throw Error("it is not a JSON object");
        }
        revision.version = text_of(object, "v");
        revision.content = {text_of(object, "url"), text_of(object, "sha256"),
                            text_of(object, "cfg")};
        revision.config = text_if_there(object, "config");
        revision.url_text = text_if_there(object, "urlText");
        revision.sha256_text = text_if_there(object, "sha256Text");
        revision.config_place = place_in(object, "configAt");
        revision.sha256_place = place_in(object, "sha256At");
        if (const auto beside = object.find("with");
            beside != object.end() && beside->is_object()) {
            for (const auto& [name, value] : beside->items()) {
                revision.beside.emplace_back(name, compact_json(value));
            }
        }
        revision.at = text_of(object, "at");
        revision.by = text_of(object, "by");
        revision.why = text_of(object, "why");
        revision.rollback_of = number_of(object, "rollbackOf");
        revision.rollout = text_of(object, "rollout");
        revision.bad = text_of(object, "bad");
        if (revision.content.url.empty()) {
            throw Error("'url' is missing");
        }
    } catch (const Error& error) {
        revision.damage = error.full_message();
    }
    return revision;
}

std::string key_of(const Revision& revision) {
    return std::string(ledger_revision_prefix) + std::to_string(revision.number);
}

std::size_t size_of(const Revision& revision) {
    return key_of(revision).size() + encode_revision(revision).size();
}

}  // namespace

const Revision* Ledger::find(unsigned number) const {
    const auto found = std::ranges::find(revisions, number, &Revision::number);
    return found == revisions.end() ? nullptr : &*found;
}

const Revision* Ledger::newest() const {
    for (auto at = revisions.rbegin(); at != revisions.rend(); ++at) {
        if (at->damage.empty()) {
            return &*at;
        }
    }
    return nullptr;
}

Ledger read_ledger(const Annotations& annotations) {
    Ledger ledger;
    for (const auto& [key, value] : annotations) {
        if (key == ledger_current_key) {
            ledger.current = std::max(ledger.current, parse_number(value).value_or(0));
        } else if (key.starts_with(ledger_revision_prefix)) {
            const auto number =
                parse_number(std::string_view(key).substr(ledger_revision_prefix.size()));
            if (number) {
                ledger.revisions.push_back(decode_revision(*number, value));
            }
        }
    }
    std::ranges::sort(ledger.revisions, {}, &Revision::number);
    if (!ledger.empty()) {
        ledger.current = std::max(ledger.current, ledger.revisions.back().number);
    }
    return ledger;
}

std::string encode_revision(const Revision& revision) {
    if (!revision.damage.empty()) {
        return revision.source;
    }
    Json object = Json::object();
    if (!revision.source.empty()) {
        object = parse_json(revision.source, "the record");
        if (text_of(object, "bad") == revision.bad) {
            return revision.source;
        }
        object["bad"] = revision.bad;
        return escape_line_breakers(compact_json(object));
    }
    const auto put = [&](const char* key, const std::string& value) {
        if (!value.empty()) {
            object[key] = value;
        }
    };
    put("v", revision.version);
    put("url", revision.content.url);
    put("sha256", revision.content.sha256);
    put("cfg", revision.content.config_hash);
    if (revision.config) {
        object["config"] = *revision.config;
    }
    if (revision.url_text) {
        object["urlText"] = *revision.url_text;
    }
    if (revision.sha256_text) {
        object["sha256Text"] = *revision.sha256_text;
    }
    put_place(object, "configAt", revision.config_place);
    put_place(object, "sha256At", revision.sha256_place);
    if (!revision.beside.empty()) {
        Json& beside = object["with"] = Json::object();
        for (const auto& [name, value] : revision.beside) {
            beside[name] = parse_json(value, name);
        }
    }
    put("at", revision.at);
    put("by", revision.by);
    put("why", revision.why);
    if (revision.rollback_of != 0) {
        object["rollbackOf"] = revision.rollback_of;
    }
    put("rollout", revision.rollout);
    put("bad", revision.bad);
    return escape_line_breakers(compact_json(object));
}

unsigned append_revision(Ledger& ledger, Revision revision) {
    revision.number = ledger.current + 1;
    revision.source.clear();
    ledger.current = revision.number;
    ledger.revisions.push_back(std::move(revision));
    return ledger.current;
}

void mark_bad(Ledger& ledger, unsigned number, const std::string& reason) {
    const auto found = std::ranges::find(ledger.revisions, number, &Revision::number);
    if (found != ledger.revisions.end() && found->damage.empty() && found->bad.empty()) {
        found->bad = reason;
    }
}

std::vector<unsigned> prune_ledger(Ledger& ledger, const HistoryLimits& limits) {
    std::vector<unsigned> dropped;
    if (ledger.empty()) {
        return dropped;
    }
    const Revision* newest = ledger.newest();
    const Revision* way_back = newest ? revision_to_restore(ledger, newest->content) : nullptr;
    const unsigned keep[] = {newest ? newest->number : 0, way_back ? way_back->number : 0};
    std::size_t bytes = 0;
    for (const auto& revision : ledger.revisions) {
        bytes += size_of(revision);
    }
    std::size_t count = ledger.revisions.size();
    for (const auto& revision : ledger.revisions) {
        if (count <= std::max<std::size_t>(limits.revisions, 1) && bytes <= limits.bytes) {
            break;
        }
        if (!revision.damage.empty() || std::ranges::count(keep, revision.number) != 0) {
            continue;
        }
        dropped.push_back(revision.number);
        bytes -= size_of(revision);
        --count;
    }
    std::erase_if(ledger.revisions, [&](const Revision& revision) {
        return std::ranges::count(dropped, revision.number) != 0;
    });
    return dropped;
}

const Revision* revision_to_restore(const Ledger& ledger, const Content& now) {
    std::vector<Content> judged;
    for (auto at = ledger.revisions.rbegin(); at != ledger.revisions.rend(); ++at) {
        if (!at->damage.empty() || std::ranges::count(judged, at->content) != 0) {
            continue;
        }
        judged.push_back(at->content);
        if (at->bad.empty() && at->content != now) {
            return &*at;
        }
    }
    return nullptr;
}

const Revision* verdict_against(const Ledger& ledger, const Content& content) {
    for (auto at = ledger.revisions.rbegin(); at != ledger.revisions.rend(); ++at) {
        if (at->damage.empty() && at->content == content) {
            return at->bad.empty() ? nullptr : &*at;
        }
    }
    return nullptr;
}

AnnotationChanges ledger_changes(const Ledger& before, const Ledger& after) {
    AnnotationChanges changes;
    if (before.current != after.current) {
        changes.set.emplace_back(ledger_current_key, std::to_string(after.current));
    }
    for (const auto& revision : after.revisions) {
        const Revision* old = before.find(revision.number);
        std::string value = encode_revision(revision);
        if (old == nullptr || encode_revision(*old) != value) {
            changes.set.emplace_back(key_of(revision), std::move(value));
        }
    }
    for (const auto& revision : before.revisions) {
        if (after.find(revision.number) == nullptr) {
            changes.remove.push_back(key_of(revision));
        }
    }
    return changes;
}

}  // namespace wasmplug::release
