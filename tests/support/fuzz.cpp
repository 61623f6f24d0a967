#include "tests/support/fuzz.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <random>

#include "base/error.hpp"
#include "base/file.hpp"

namespace wasmplug::test {

namespace fs = std::filesystem;

void fuzz_once(const FuzzTarget& target, std::string_view input) {
    try {
        target.run(input);
    } catch (const Error&) {
        // Refused: the answer to most of what a fuzzer writes.
    }
}

std::vector<std::string> corpus_of(const FuzzTarget& target) {
    const fs::path root = WASMPLUG_SOURCE_DIR;
    std::vector<std::string> corpus;
    const auto add_files = [&](const fs::path& folder, const std::string& pattern) {
        if (!fs::exists(folder)) {
            return;
        }
        const auto matches = [&](const fs::path& path) {
            const auto name = path.lexically_relative(folder).string();
            return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
        };
        for (const auto& path : find_files(folder, matches)) {
            corpus.push_back(read_file(path));
        }
    };
    for (const auto& seed : target.seeds) {
        if (seed.starts_with('@')) {
            const auto slash = seed.find('/');
            add_files(root / seed.substr(1, slash - 1), seed.substr(slash + 1));
        } else {
            corpus.push_back(seed);
        }
    }
    add_files(root / "tests/data/fuzz" / target.name, "*");
    return corpus;
}

std::string damaged(std::string_view seed, unsigned number) {
    // Not std::uniform_int_distribution, whose results differ between standard libraries.
    std::mt19937 random(number);
    const auto below = [&](std::size_t end) {
        return end == 0 ? 0 : random() % end;
    };
    static constexpr std::string_view words[] = {"\xff\xff\xff\xff\x0f",
                                                 std::string_view("\0", 1),
                                                 "{",
                                                 "[",
                                                 "}",
                                                 ": ",
                                                 "- ",
                                                 "&a ",
                                                 "*a",
                                                 "\n",
                                                 "\t",
                                                 "\"",
                                                 "'",
                                                 "%",
                                                 "://",
                                                 "@",
                                                 "999999999999999999999",
                                                 "-1",
                                                 "\xef\xbb\xbf"};
    std::string bytes(seed);
    for (auto steps = 1 + below(4); steps > 0; --steps) {
        const auto at = below(bytes.size() + 1);
        switch (random() % 6) {
            case 0:
                bytes.resize(at);
                break;
            case 1:
                if (at < bytes.size()) {
                    bytes[at] = static_cast<char>(random());
                }
                break;
            case 2:
                bytes.insert(at, words[below(std::size(words))]);
                break;
            case 3:
                bytes.erase(at, 1 + below(16));
                break;
            case 4:
                bytes.insert(at, bytes.substr(below(bytes.size() + 1), 1 + below(64)));
                break;
            default:
                if (at < bytes.size()) {
                    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
                }
        }
    }
    return bytes;
}

#ifdef WASMPLUG_LIBFUZZER
namespace {
const FuzzTarget* fuzzed = nullptr;
}

extern "C" int LLVMFuzzerRunDriver(int* argc, char*** argv,
                                   int (*run)(const std::uint8_t*, std::size_t));

int run_libfuzzer(const FuzzTarget& target, int argc, char** argv) {
    fuzzed = &target;
    // Without a seed it would begin with one byte, and find calls of a dozen arguments by chance.
    for (int i = 1; i < argc; ++i) {
        if (const fs::path folder = argv[i]; fs::is_directory(folder)) {
            std::size_t number = 0;
            for (const auto& seed : corpus_of(target)) {
                write_file(folder / ("seed-" + std::to_string(number++)), seed);
            }
            break;
        }
    }
    return LLVMFuzzerRunDriver(&argc, &argv, [](const std::uint8_t* bytes, std::size_t size) {
        fuzz_once(*fuzzed, {reinterpret_cast<const char*>(bytes), size});
        return 0;
    });
}
#else
int run_libfuzzer(const FuzzTarget&, int, char**) {
    throw Error("this build has no libFuzzer", "tools/fuzz makes one");
}
#endif

}  // namespace wasmplug::test
