#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/yaml_fuzz.hpp"

namespace wasmplug::fuzz {
namespace {

// A manifest as people write them, with every style of YAML at random.
class Writer {
  public:
    explicit Writer(unsigned seed) : random_(seed) {}

    std::string document() {
        text_ = one_of({"", "", "# head\n", "---\n", "\xEF\xBB\xBF", "--- # c\n"});
        mapping(0, 0);
        if (chance(4)) {
            text_ += one_of({"# end\n", "\n\n", "---\na: 1\n", "...\n"});
        } else if (chance(4)) {
            text_.pop_back();
        }
        if (chance(5)) {
            std::string crlf;
            for (const char c : text_) {
                crlf += c == '\n' ? "\r\n" : std::string(1, c);
            }
            return crlf;
        }
        return text_;
    }

  private:
    bool chance(unsigned one_in) { return random_() % one_in == 0; }

    std::string one_of(const std::vector<std::string>& options) {
        return options[random_() % options.size()];
    }

    std::string scalar() {
        return one_of({"x", "'it''s'", "\"q\\n\"", "12", "0x1F", "yes", "~", "ü", "a b", "\"\"",
                       "oci://h/r:1", "2001-01-01", "!!str 5"});
    }

    std::string flow(int depth) {
        if (depth > 2 || chance(3)) {
            return one_of({"x", "'y z'", "\"q\"", "1", "[]", "{}"});
        }
        return chance(2) ? "[" + flow(depth + 1) + ", " + flow(depth + 1) + "]"
                         : "{a: " + flow(depth + 1) + one_of({",", ", ", " , "}) +
                               "\"b\": " + flow(depth + 1) + "}";
    }

    void value(std::size_t indent, int depth) {
        const std::string margin(indent + 2, ' ');
        switch (random_() % (depth > 3 ? 6U : 9U)) {
            case 0:
            case 1:
            case 2:
                text_ += " " + scalar() + one_of({"", "", " # c", "  ", "\t"}) + "\n";
                break;
            case 3:
                text_ += one_of({"", " # c", "  "}) + "\n";
                break;
            case 4:
                text_ += " " + flow(0) + one_of({"", " # c"}) + "\n";
                break;
            case 5:
                text_ += one_of({" |", " >", " |-", " |+", " | # c"}) + "\n" + margin + "t\n" +
                         one_of({"", margin + " u\n", "\n"});
                break;
            case 6:
            case 7:
                text_ += one_of({"", " # c", " &a" + std::to_string(anchors_++)}) + "\n";
                mapping(indent + (chance(3) ? 4 : 2), depth + 1);
                break;
            default:
                text_ += one_of({"", " # c"}) + "\n";
                sequence(indent + (chance(2) ? 0 : 2), depth + 1);
                break;
        }
    }

    void between(std::size_t indent) {
        text_ += one_of({"", "", "", "\n", std::string(indent, ' ') + "# c\n"});
    }

    void mapping(std::size_t indent, int depth) {
        const auto count = 1 + random_() % 3;
        for (std::size_t i = 0; i < count; ++i) {
            if (i > 0) {
                between(indent);
            }
            text_ += std::string(indent, ' ') + one_of({"k", "\"q\"", "'s'", "long-key"});
            if (text_.back() == '"' || text_.back() == '\'') {
                text_.insert(text_.size() - 1, std::to_string(i));
            } else {
                text_ += std::to_string(i);
            }
            text_ += ":";
            value(indent, depth);
        }
    }

    void sequence(std::size_t indent, int depth) {
        const auto count = 1 + random_() % 3;
        for (std::size_t i = 0; i < count; ++i) {
            between(indent);
            text_ += std::string(indent, ' ') + "-";
            if (chance(2)) {
                value(indent, depth + 1);
                continue;
            }
            // A mapping that begins beside the dash.
            const std::size_t start = text_.size();
            mapping(indent + 2, depth + 1);
            text_.replace(start, indent + 2, " ");
        }
    }

    std::mt19937 random_;
    std::string text_;
    int anchors_ = 0;
};

std::vector<std::string> corpus() {
    std::vector<std::string> texts;
    std::ifstream in(WASMPLUG_SOURCE_DIR "/tests/data/yaml/cases.txt");
    for (std::string line; std::getline(in, line);) {
        std::string text;
        for (std::size_t at = 0; at < line.size(); ++at) {
            const bool escape = line[at] == '\\' && at + 1 < line.size();
            const char c = escape ? line[++at] : line[at];
            if (escape && c == 'x') {
                text.push_back(static_cast<char>(std::stoi(line.substr(at + 1, 2), nullptr, 16)));
                at += 2;
            } else {
                text.push_back(!escape    ? c
                               : c == 'n' ? '\n'
                               : c == 'r' ? '\r'
                               : c == 't' ? '\t'
                                          : c);
            }
        }
        texts.push_back(text);
    }
    return texts;
}

// Some bytes lost, doubled, swapped or replaced.
std::string broken(std::string text, std::mt19937& random) {
    for (std::size_t i = 0; i < 1 + random() % 4 && !text.empty(); ++i) {
        const std::size_t at = random() % text.size();
        switch (random() % 4) {
            case 0:
                text.erase(at, 1 + random() % 3);
                break;
            case 1:
                text.insert(at, text.substr(at, 1 + random() % 8));
                break;
            case 2:
                text[at] = "\n:- {}[],#&*!|>'\"%@\t\xC3\x80z"[random() % 23];
                break;
            default:
                std::swap(text[at], text[random() % text.size()]);
                break;
        }
    }
    return text;
}

template <class Check>
void replay(const std::vector<std::string>& texts, const Check& check) {
    std::size_t shown = 0;
    for (const auto& text : texts) {
        try {
            check(text);
        } catch (const std::exception& error) {
            if (++shown <= 5) {
                ADD_FAILURE() << error.what() << "\n" << text;
            }
        }
    }
    EXPECT_EQ(shown, 0U);
}

TEST(YamlFuzz, ReadsTheCorpusAndItsRuins) {
    std::mt19937 random(3);  // NOLINT(cert-msc51-cpp): the same texts on every run
    auto texts = corpus();
    const std::size_t count = texts.size();
    for (std::size_t i = 0; i < 20 * count; ++i) {
        texts.push_back(broken(texts[i % count], random));
    }
    for (unsigned seed = 0; seed < 300; ++seed) {
        texts.push_back(Writer(seed).document());
        texts.push_back(broken(texts.back(), random));
    }
    replay(texts, read_yaml);
}

TEST(YamlFuzz, EditsTheCorpusOnlyWhereAsked) {
    replay(corpus(), edit_yaml);
}

TEST(YamlFuzz, EditsWhatPeopleWriteAndHardlyEverRefuses) {
    std::vector<std::string> texts;
    for (unsigned seed = 0; seed < 400; ++seed) {
        texts.push_back(Writer(seed).document());
    }
    edit_count() = {};
    replay(texts, edit_yaml);
    EXPECT_GT(edit_count().made, 5000U);
    EXPECT_LT(edit_count().refused * 50, edit_count().made)
        << edit_count().refused << " refused of " << edit_count().made;
}

TEST(YamlFuzz, EditsRuinsOnlyWhereAsked) {
    std::mt19937 random(5);  // NOLINT(cert-msc51-cpp): the same texts on every run
    std::vector<std::string> texts;
    for (unsigned seed = 1000; seed < 1400; ++seed) {
        texts.push_back(broken(Writer(seed).document(), random));
    }
    replay(texts, edit_yaml);
}

}  // namespace
}  // namespace wasmplug::fuzz
