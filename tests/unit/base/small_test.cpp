// The parts of base that are a few functions each.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/cancel.hpp"
#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/output.hpp"
#include "base/parallel.hpp"
#include "base/terminal.hpp"
#include "base/time.hpp"

namespace wasmplug {
namespace {

using namespace std::chrono_literals;

TEST(ErrorContext, IsPrependedOutermostFirst) {
    try {
        in_context("packaging", [] { in_context("reading x", [] { throw Error("gone"); }); });
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.full_message(), "packaging: reading x: gone");
    }
}

TEST(CancelToken, NeverStopsByItself) {
    EXPECT_FALSE(Cancel().requested());
    EXPECT_EQ(Cancel().fd(), -1);
    EXPECT_EQ(Cancel().poll_timeout(), -1);
    EXPECT_NO_THROW(Cancel().check());
}

TEST(CancelToken, NamesTheLimitThatPassed) {
    const Cancel limited = Cancel().within(0s, "--timeout 0s").within(1h, "another");
    try {
        limited.check();
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "gave up after --timeout 0s");
        EXPECT_EQ(error.code(), ExitCode::failure);
    }
}

TEST(CancelToken, WakesASleeper) {
    const CancelSource source;
    source.request();
    EXPECT_THROW(source.token().sleep_for(1h), Error);
}

TEST(Parallel, KeepsTheOrderOfItsInput) {
    const auto squares = parallel(
        100, [](std::size_t i) { return i * i; }, Cancel(), 8);
    for (std::size_t i = 0; i < squares.size(); ++i) {
        EXPECT_EQ(squares[i], i * i);
    }
}

TEST(Parallel, RethrowsTheFirstErrorByIndex) {
    try {
        parallel_for(
            8, [](std::size_t i) { throw Error(std::to_string(i)); }, Cancel(), 1);
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "0");
    }
}

TEST(Parallel, StartsNothingMoreOnceStopped) {
    const CancelSource stop;
    std::atomic<int> done = 0;
    EXPECT_THROW(parallel_for(
                     1000,
                     [&](std::size_t) {
                         ++done;
                         stop.request();
                     },
                     stop.token(), 2),
                 Error);
    EXPECT_LE(done, 3);
}

// 0, 1, … below `end`.
auto counter(int end) {
    return [end, next = std::make_shared<int>(0)]() -> std::optional<int> {
        return *next < end ? std::optional((*next)++) : std::nullopt;
    };
}

TEST(StreamInOrder, HandsOverEachResultInTheOrderOfItsItem) {
    std::vector<int> seen;
    stream_in_order(
        counter(1000),
        [](int i) {
            if (i % 7 == 0) {
                std::this_thread::yield();
            }
            return 2 * i;
        },
        [&](int result) { seen.push_back(result); }, Cancel(), 4);
    ASSERT_EQ(seen.size(), 1000U);
    for (std::size_t i = 0; i < seen.size(); ++i) {
        EXPECT_EQ(seen[i], static_cast<int>(2 * i));
    }
}

TEST(StreamInOrder, HoldsFewItemsHoweverManyThereAre) {
    std::atomic<int> on_the_way = 0;
    int most = 0;
    stream_in_order(
        counter(5000),
        [&](int i) {
            ++on_the_way;
            return i;
        },
        [&](int) {
            most = std::max(most, on_the_way.load());
            --on_the_way;
        },
        Cancel(), 2);
    EXPECT_LE(most, 2 * 16);
}

TEST(StreamInOrder, ConsumesWhatComesBeforeAnErrorAndNothingAfterIt) {
    for (const int bad : {0, 5, 1003}) {
        std::vector<int> seen;
        EXPECT_THROW(stream_in_order(
                         counter(5000),
                         [bad](int i) {
                             if (i == bad) {
                                 throw Error("bad");
                             }
                             return i;
                         },
                         [&](int i) { seen.push_back(i); }, Cancel(), 3),
                     Error);
        std::vector<int> before(static_cast<std::size_t>(bad));
        std::iota(before.begin(), before.end(), 0);
        EXPECT_EQ(seen, before);
    }
}

TEST(StreamInOrder, RethrowsWhatItsSourceThrows) {
    int consumed = 0;
    EXPECT_THROW(
        stream_in_order(
            [next = std::make_shared<int>(0)]() -> std::optional<int> {
                if (*next == 1003) {
                    throw Error("gone");
                }
                return (*next)++;
            },
            [](int i) { return i; }, [&](int i) { EXPECT_EQ(i, consumed++); }, Cancel(), 3),
        Error);
    EXPECT_LE(consumed, 1003);
}

TEST(StreamInOrder, EndsWhenItsConsumerThrowsOrItIsCancelled) {
    int consumed = 0;
    EXPECT_THROW(stream_in_order(
                     counter(100), [](int i) { return i; },
                     [&](int) {
                         ++consumed;
                         throw Error("closed");
                     },
                     Cancel(), 3),
                 Error);
    EXPECT_EQ(consumed, 1);
    const CancelSource stop;
    stop.request();
    EXPECT_THROW(stream_in_order(
                     counter(100), [](int i) { return i; }, [](int) { FAIL(); }, stop.token(), 2),
                 Error);
}

TEST(Hash, IsSha256) {
    EXPECT_EQ(sha256_digest("abc"),
              "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    Sha256 hash;
    EXPECT_EQ(hash.update("a").update("bc").hex(), sha256_hex("abc"));
    EXPECT_EQ(hash.hex(), sha256_hex(""));
}

TEST(Base64, GoesBothWays) {
    for (const std::string text : {"", "a", "ab", "abc", "user:pass\xff"}) {
        EXPECT_EQ(base64_decode(base64_encode(text)), text);
    }
    EXPECT_EQ(base64_encode("ab"), "YWI=");
    EXPECT_EQ(base64_decode("YWI"), "ab");
    EXPECT_THROW(base64_decode("YW!="), Error);
    EXPECT_THROW(base64_decode("A"), Error);
    EXPECT_THROW(base64_decode("===="), Error);
}

TEST(Json, RefusesDeepNestingAndBrokenText) {
    EXPECT_EQ(parse_json(R"({"b":1,"a":2})", "x").begin().key(), "b");
    EXPECT_THROW(parse_json(std::string(101, '[') + std::string(101, ']'), "x"), Error);
    EXPECT_NO_THROW(parse_json(std::string(99, '[') + std::string(99, ']'), "x"));
    EXPECT_THROW(parse_json("{", "x"), Error);
    EXPECT_THROW(parse_json(std::string(1'000'000, '['), "x"), Error);
}

TEST(Time, GoesBothWays) {
    const auto time = parse_time("2026-11-02T10:15:00Z");
    ASSERT_TRUE(time);
    EXPECT_EQ(format_time(*time), "2026-11-02T10:15:00Z");
    EXPECT_EQ(parse_time("2026-11-02T12:15:00.5+02:00"), *time + 500ms);
    for (const char* bad :
         {"", "2026-11-02", "2026-13-02T10:15:00Z", "2026-11-02T10:15:00", "2026-11-02T25:15:00Z",
          "2026-11-02T10:15:00Zx", "2026-02-30T00:00:00Z"}) {
        EXPECT_FALSE(parse_time(bad)) << bad;
    }
}

TEST(Duration, IsReadAsGoReadsIt) {
    EXPECT_EQ(parse_duration("1m30s"), 90s);
    EXPECT_EQ(parse_duration("250ms"), 250ms);
    EXPECT_EQ(parse_duration("1.5h"), 90min);
    EXPECT_EQ(parse_duration("0"), 0s);
    for (const char* bad : {"", "5", "1x", "-1s", "s", "1s ", "1 s", "99999999999h"}) {
        EXPECT_FALSE(parse_duration(bad)) << bad;
    }
    EXPECT_EQ(format_duration(90s), "1m30s");
    EXPECT_EQ(format_duration(250ms), "250ms");
    EXPECT_EQ(format_duration(2h), "2h");
    EXPECT_EQ(format_duration(1200ms), "1.2s");
}

Environment environment(std::vector<std::pair<std::string, std::string>> values) {
    return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
        for (const auto& [key, value] : values) {
            if (key == name) {
                return value;
            }
        }
        return std::nullopt;
    };
}

TEST(Colour, FollowsTheConventions) {
    using enum ColourChoice;
    EXPECT_TRUE(use_colour(automatic, true, environment({})));
    EXPECT_FALSE(use_colour(automatic, false, environment({})));
    EXPECT_FALSE(use_colour(automatic, true, environment({{"NO_COLOR", "1"}})));
    EXPECT_TRUE(use_colour(automatic, true, environment({{"NO_COLOR", ""}})));
    EXPECT_FALSE(use_colour(automatic, true, environment({{"TERM", "dumb"}})));
    EXPECT_TRUE(use_colour(automatic, false, environment({{"FORCE_COLOR", "1"}})));
    EXPECT_FALSE(use_colour(automatic, false, environment({{"CLICOLOR_FORCE", "0"}})));
    EXPECT_TRUE(use_colour(always, false, environment({{"NO_COLOR", "1"}})));
}

TEST(Terminal, MeasuresWhatIsSeen) {
    EXPECT_EQ(display_width("abc"), 3U);
    EXPECT_EQ(display_width("\x1b[31mé\x1b[0m"), 1U);
    EXPECT_EQ(display_width("日本"), 4U);
    EXPECT_EQ(elide_middle("abcdefghij", 5), "ab…ij");
    EXPECT_EQ(elide_middle("abc", 3), "abc");
    EXPECT_EQ(elide_middle("abc", 0), "");
}

TEST(Terminal, ShowsControlCharactersInsteadOfSendingThem) {
    EXPECT_EQ(printable("a\x1b[2Jb\r\n\t"), "a\\x1b[2Jb\\x0d\n\t");
    EXPECT_EQ(printable("\xff\xc2\x9b"), "\\xff\\xc2\\x9b");
    EXPECT_EQ(printable("a\u202egnp"), "a\\xe2\\x80\\xaegnp");
    EXPECT_EQ(printable("grün"), "grün");
}

TEST(Terminal, WrapsAtSpaces) {
    EXPECT_EQ(wrap("aa bb cc dd", 5, 0), "aa bb\ncc dd");
    EXPECT_EQ(wrap("aaaaaaaaaa b", 4, 0), "aaaaaaaaaa\nb");
    EXPECT_EQ(wrap("aa bb cc", 7, 2), "aa bb\n  cc");
}

TEST(Closest, OffersOnlyWhatIsNear) {
    const std::vector<std::string> names{"push", "pull", "package"};
    EXPECT_EQ(closest("pish", names), "push");
    EXPECT_EQ(closest("pacage", names), "package");
    EXPECT_EQ(closest("psuh", names), "push");
    EXPECT_EQ(closest("rollout", names), "");
}

TEST(TableText, AlignsWithoutTrailingSpaces) {
    EXPECT_EQ(to_text(Table{.header = {"NAME", "SIZE"}, .rows = {{"long name", "1"}, {"é", ""}}}),
              "NAME       SIZE\nlong name  1\né\n");
}

TEST(Size, IsReadable) {
    EXPECT_EQ(format_size(812), "812 B");
    EXPECT_EQ(format_size(1024), "1.0 KiB");
    EXPECT_EQ(format_size(1024 * 1024 - 1), "1.0 MiB");
}

TEST(OutputStreams, KeepResultsAndTalkApart) {
    std::ostringstream out;
    std::ostringstream err;
    Output output(out, err);
    output.print("result");
    output.note("a note");
    output.error(Error("it broke\x1b[2J", "mend it"));
    EXPECT_EQ(out.str(), "result\n");
    EXPECT_EQ(err.str(), "note: a note\nerror: it broke\\x1b[2J\n hint: mend it\n");
}

TEST(OutputStreams, AMarkStaysBelowWhatItMarks) {
    std::ostringstream out;
    std::ostringstream err;
    Output output(out, err);
    output.error(Error("a.yaml:1:4: no", "a: b: c\n    ^\nquote it"));
    EXPECT_EQ(err.str(), "error: a.yaml:1:4: no\n hint:\na: b: c\n    ^\nquote it\n");
}

TEST(OutputStreams, QuietStillWarns) {
    std::ostringstream out;
    std::ostringstream err;
    Output output(out, err);
    output.set_style({.quiet = true, .progress = true});
    output.note("a note");
    output.step("a step");
    output.progress("half");
    output.warn("a warning");
    EXPECT_EQ(err.str(), "warning: a warning\n");
}

TEST(OutputStreams, TakeTheProgressLineAwayBeforeAnythingElse) {
    std::ostringstream out;
    std::ostringstream err;
    Output output(out, err);
    output.set_style({.progress = true, .width = 20});
    output.progress("half");
    output.warn("x");
    EXPECT_EQ(err.str(), "\rhalf\x1b[K\r\x1b[Kwarning: x\n");
}

TEST(OutputStreams, FailWhenStandardOutputIsGone) {
    std::ostringstream out;
    std::ostringstream err;
    out.setstate(std::ios::badbit);
    Output output(out, err);
    EXPECT_THROW(output.print("x"), Error);
}

}  // namespace
}  // namespace wasmplug
