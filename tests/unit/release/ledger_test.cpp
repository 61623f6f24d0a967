#include "release/ledger.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace wasmplug::release {
namespace {

Content content(const std::string& letter, const std::string& config = {}) {
    return {"oci://r.example/p:" + letter, std::string(64, letter[0]), config};
}

unsigned add(Ledger& ledger, const Content& of, unsigned rollback_of = 0) {
    Revision revision;
    revision.version = of.url.substr(of.url.rfind(':') + 1);
    revision.content = of;
    revision.rollback_of = rollback_of;
    return append_revision(ledger, std::move(revision));
}

// What `rollback` does to the ledger; 0 when there is nothing to go back to.
unsigned go_back(Ledger& ledger) {
    const Content now = ledger.newest()->content;
    const Revision* to = revision_to_restore(ledger, now);
    if (to == nullptr) {
        return 0;
    }
    const unsigned number = to->number;
    const Content restored = to->content;
    mark_bad(ledger, ledger.current, "rolled back");
    add(ledger, restored, number);
    return number;
}

Annotations as_annotations(const Ledger& ledger) {
    return ledger_changes(Ledger{}, ledger).set;
}

TEST(Ledger, ARevisionComesBackAsItWasRecorded) {
    Ledger ledger;
    Revision revision;
    revision.version = "1.4.0";
    revision.content = {"oci://r/p:1.4.0", std::string(64, '9'), "3b1a90c2"};
    revision.config = "\n  a: 'it''s' # \xc2\x85 \xe2\x80\xa8 \xef\xbb\xbf é\n";
    revision.url_text = ">-\n  oci://r/p:1.4.0\n";
    revision.beside = {{"phase", "\"AUTHN\""}, {"priority", "10"}};
    revision.at = "2026-08-20T10:11:12Z";
    revision.by = "alice";
    revision.why = "first";
    revision.rollback_of = 3;
    append_revision(ledger, revision);
    const auto annotations = as_annotations(ledger);
    const Ledger again = read_ledger(annotations);
    ASSERT_EQ(again.revisions.size(), 1u);
    const Revision& read = again.revisions[0];
    EXPECT_EQ(read.damage, "");
    EXPECT_EQ(read.content, revision.content);
    EXPECT_EQ(read.config, revision.config);
    EXPECT_EQ(read.url_text, revision.url_text);
    EXPECT_EQ(read.sha256_text, std::nullopt);
    EXPECT_EQ(read.beside, revision.beside);
    EXPECT_EQ(read.rollback_of, 3u);
    EXPECT_EQ(read.why, "first");
    for (const std::string_view breaker : {"\xc2\x85", "\xe2\x80\xa8", "\xef\xbb\xbf", "\n"}) {
        EXPECT_EQ(annotations[1].second.find(breaker), std::string::npos);
    }
}

TEST(Ledger, NumbersGrowEvenWhenTheNewestRecordsAreGone) {
    Ledger ledger = read_ledger(
        {{"wasmplug.dev/revision", "14"}, {"wasmplug.dev/rev.12", R"({"url":"oci://r/p:1"})"}});
    EXPECT_EQ(add(ledger, content("a")), 15u);
    ledger = read_ledger(
        {{"wasmplug.dev/revision", "2"}, {"wasmplug.dev/rev.12", R"({"url":"oci://r/p:1"})"}});
    EXPECT_EQ(add(ledger, content("a")), 13u);
}

TEST(Ledger, ADamagedRecordIsListedLeftAloneAndNeverChosen) {
    Ledger ledger = read_ledger({{"wasmplug.dev/rev.1", R"({"url":"oci://r/p:1"})"},
                                 {"wasmplug.dev/rev.2", "{not json"},
                                 {"wasmplug.dev/rev.3", R"({"url":7})"},
                                 {"wasmplug.dev/rev.0", R"({"url":"oci://r/p:0"})"},
                                 {"wasmplug.dev/rev.x", R"({"url":"oci://r/p:0"})"},
                                 {"wasmplug.dev/rev.4", R"({"url":"oci://r/p:4"})"}});
    ASSERT_EQ(ledger.revisions.size(), 4u);
    EXPECT_NE(ledger.find(2)->damage, "");
    EXPECT_NE(ledger.find(3)->damage, "");
    EXPECT_EQ(revision_to_restore(ledger, ledger.newest()->content)->number, 1u);
    prune_ledger(ledger, {.revisions = 1, .bytes = 1});
    EXPECT_NE(ledger.find(2), nullptr);
    EXPECT_EQ(encode_revision(*ledger.find(2)), "{not json");
}

TEST(Ledger, MarkingBadKeepsWhatALaterVersionRecorded) {
    Ledger ledger =
        read_ledger({{"wasmplug.dev/rev.1", R"({"v":"1","url":"oci://r/p:1","signedBy":["x"]})"}});
    mark_bad(ledger, 1, "gate errors 4.1 > 1");
    EXPECT_EQ(encode_revision(ledger.revisions[0]),
              R"({"v":"1","url":"oci://r/p:1","signedBy":["x"],"bad":"gate errors 4.1 > 1"})");
}

TEST(Ledger, RollbackGoesFurtherBackEachTimeAndNeverToggles) {
    Ledger ledger;
    for (const char* letter : {"a", "b", "c"}) {
        add(ledger, content(letter));
    }
    EXPECT_EQ(go_back(ledger), 2u);
    EXPECT_EQ(ledger.current, 4u);
    EXPECT_EQ(go_back(ledger), 1u);
    EXPECT_EQ(go_back(ledger), 0u);
    EXPECT_EQ(ledger.newest()->content, content("a"));
}

TEST(Ledger, AContentThatWasPutBackOnPurposeIsGoodAgain) {
    Ledger ledger;
    add(ledger, content("a"));
    add(ledger, content("b"));
    go_back(ledger);
    EXPECT_NE(verdict_against(ledger, content("b")), nullptr);
    add(ledger, content("b"));
    EXPECT_EQ(verdict_against(ledger, content("b")), nullptr);
    add(ledger, content("c"));
    EXPECT_EQ(go_back(ledger), 4u);
}

TEST(Ledger, PruningKeepsTheNewestAndTheWayBack) {
    Ledger ledger;
    add(ledger, content("a"));
    for (const char* letter : {"b", "c", "d", "e"}) {
        const unsigned number = add(ledger, content(letter));
        if (letter[0] != 'e') {
            mark_bad(ledger, number, "no");
        }
    }
    EXPECT_EQ(prune_ledger(ledger, {.revisions = 2}), (std::vector<unsigned>{2, 3, 4}));
    EXPECT_NE(ledger.find(1), nullptr);
    EXPECT_NE(ledger.find(5), nullptr);
}

TEST(Ledger, ChangesNameOnlyWhatDiffers) {
    Ledger before;
    add(before, content("a"));
    add(before, content("b"));
    before = read_ledger(as_annotations(before));
    Ledger after = before;
    add(after, content("c"));
    std::erase_if(after.revisions, [](const Revision& r) { return r.number == 1; });
    const auto changes = ledger_changes(before, after);
    ASSERT_EQ(changes.set.size(), 2u);
    EXPECT_EQ(changes.set[0], (std::pair<std::string, std::string>{"wasmplug.dev/revision", "3"}));
    EXPECT_EQ(changes.set[1].first, "wasmplug.dev/rev.3");
    EXPECT_EQ(changes.remove, (std::vector<std::string>{"wasmplug.dev/rev.1"}));
    EXPECT_TRUE(ledger_changes(before, before).empty());
}

// What must hold after any step of any history.
void check_invariants(const Ledger& ledger, const HistoryLimits& limits,
                      const std::vector<Content>& truth) {
    ASSERT_EQ(ledger.newest()->content, truth.back());
    ASSERT_EQ(ledger.current, truth.size());
    std::size_t bytes = 0;
    std::size_t fixed = 2;  // the newest and the way back
    for (const auto& revision : ledger.revisions) {
        fixed += revision.damage.empty() ? 0U : 1U;
        if (revision.damage.empty()) {
            ASSERT_EQ(revision.content, truth[revision.number - 1]);
        }
        bytes += revision.content.url.size() + revision.content.sha256.size();
    }
    ASSERT_TRUE(ledger.revisions.size() <= limits.revisions || ledger.revisions.size() <= fixed);
    ASSERT_TRUE(bytes <= limits.bytes || ledger.revisions.size() <= fixed);
}

std::size_t size_of(const Revision& revision) {
    return std::string(ledger_revision_prefix).size() + std::to_string(revision.number).size() +
           encode_revision(revision).size();
}

constexpr std::size_t unlimited = std::size_t{1} << 20;

// Said again in other words than the code's: the newest, the way back and what cannot be read
// stay; of the others the oldest go, and no more of them than the limits want.
std::vector<unsigned> may_go(const Ledger& ledger, const HistoryLimits& limits) {
    const Revision* back = revision_to_restore(ledger, ledger.newest()->content);
    std::size_t count = ledger.revisions.size();
    std::size_t bytes = 0;
    std::vector<unsigned> gone;
    std::map<unsigned, std::size_t> sizes;
    for (const auto& revision : ledger.revisions) {
        bytes += sizes[revision.number] = limits.bytes < unlimited ? size_of(revision) : 0;
    }
    while (count > limits.revisions || bytes > limits.bytes) {
        const auto oldest = std::ranges::find_if(ledger.revisions, [&](const Revision& revision) {
            return revision.damage.empty() && &revision != ledger.newest() && &revision != back &&
                   std::ranges::count(gone, revision.number) == 0;
        });
        if (oldest == ledger.revisions.end()) {
            break;
        }
        gone.push_back(oldest->number);
        bytes -= sizes[oldest->number];
        --count;
    }
    return gone;
}

TEST(Ledger, TenThousandRandomHistoriesLoseNothingThatTheLimitsSayMustStay) {
    std::mt19937 random(20261121);
    const auto pick = [&](unsigned below) {
        return static_cast<unsigned>(random() % below);
    };
    for (int history = 0; history < 10'000; ++history) {
        const HistoryLimits limits{.revisions = 1 + pick(6),
                                   .bytes = history % 4 == 0 ? 200 + pick(4000) : unlimited};
        Ledger ledger;
        std::vector<Content> truth;
        const unsigned steps = 1 + pick(14);
        for (unsigned step = 0; step < steps; ++step) {
            const Ledger before = ledger;
            const Revision* way_back =
                ledger.empty() ? nullptr : revision_to_restore(ledger, ledger.newest()->content);
            if (pick(3) == 0 && way_back != nullptr) {
                truth.push_back(way_back->content);
                go_back(ledger);
            } else {
                const Content next = content(std::string(1, static_cast<char>('a' + pick(5))),
                                             pick(2) == 0 ? "" : std::to_string(pick(3)));
                if (!ledger.empty() && next == ledger.newest()->content) {
                    continue;
                }
                truth.push_back(next);
                add(ledger, next);
            }
            if (pick(12) == 0) {  // somebody's edit
                auto& damaged =
                    ledger.revisions[pick(static_cast<unsigned>(ledger.revisions.size()))];
                if (&damaged != ledger.newest()) {
                    damaged.source = "{";
                    damaged.damage = "no JSON";
                }
            }
            const Revision* must_stay = revision_to_restore(ledger, ledger.newest()->content);
            const unsigned stays = must_stay ? must_stay->number : 0;
            const auto expected = may_go(ledger, limits);
            const auto dropped = prune_ledger(ledger, limits);
            ASSERT_EQ(dropped, expected);
            ASSERT_EQ(std::ranges::count(dropped, stays), 0);
            const Revision* after = revision_to_restore(ledger, ledger.newest()->content);
            ASSERT_EQ(after ? after->number : 0, stays);
            ASSERT_NO_FATAL_FAILURE(check_invariants(ledger, limits, truth));
            if (history % 20 != 0) {
                continue;
            }
            // Through the annotations and back: applying the changes to what was there is the same.
            Annotations stored = as_annotations(before);
            const auto changes = ledger_changes(read_ledger(stored), ledger);
            std::erase_if(stored, [&](const auto& entry) {
                return std::ranges::count(changes.remove, entry.first) != 0 ||
                       std::ranges::count(changes.set, entry.first,
                                          &std::pair<std::string, std::string>::first) != 0;
            });
            stored.insert(stored.end(), changes.set.begin(), changes.set.end());
            const Ledger reread = read_ledger(stored);
            ASSERT_TRUE(ledger_changes(reread, ledger).empty());
            ledger = reread;
        }
    }
}

}  // namespace
}  // namespace wasmplug::release
