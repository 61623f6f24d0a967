#include "oci/layout.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
#include "oci/archive.hpp"
#include "oci/copy.hpp"
#include "oci/layout_index.hpp"
#include "oci/media_types.hpp"
#include "tests/support/oci_fixtures.hpp"

namespace wasmplug::oci {
namespace {

namespace fs = std::filesystem;

// The same promises for a folder and for an archive.
class LocalStoreTest : public testing::TestWithParam<bool> {
  protected:
    std::unique_ptr<Store> open(const std::string& name) const {
        return GetParam() ? open_archive(folder_.path() / name)
                          : open_layout(folder_.path() / name);
    }

    TemporaryDirectory folder_;
};

TEST_P(LocalStoreTest, GivesBackWhatWasWritten) {
    const Image image = test::small_image("one");
    const auto report = open("d")->write(image, {"1.0", "stable"});
    EXPECT_EQ(report.blobs_sent, 2U);
    const auto store = open("d");
    EXPECT_EQ(store->tags(), (std::vector<std::string>{"1.0", "stable"}));
    for (const std::string& selector : {std::string("1.0"), image.manifest.digest}) {
        const auto raw = store->manifest(selector);
        ASSERT_TRUE(raw) << selector;
        EXPECT_EQ(raw->bytes, image.manifest.bytes);
        EXPECT_EQ(raw->digest, image.manifest.digest);
    }
    std::string bytes;
    store->read_blob(image.blobs[0].descriptor, [&](std::string_view part) { bytes += part; });
    EXPECT_EQ(sha256_digest(bytes), image.blobs[0].descriptor.digest);
    EXPECT_FALSE(store->manifest("2.0"));
    EXPECT_FALSE(store->manifest("sha256:" + std::string(64, '0')));
}

TEST(Layout, BeginsWhereAKilledRunLeftOnlyTemporaries) {
    const TemporaryDirectory folder;
    fs::create_directories(folder.path() / "d/blobs/sha256");
    write_file(folder.path() / "d/.oci-layout.wasmplug-aaaaaa", "{");
    write_file(folder.path() / "d/blobs/sha256/.00.wasmplug-bbbbbb", "half");
    open_layout(folder.path() / "d")->write(test::small_image("one"), {"1.0"});
    EXPECT_TRUE(open_layout(folder.path() / "d")->manifest("1.0"));
}

TEST(Layout, TakesMoreBlobsThanAProcessMayHaveOpen) {
    Image image = test::small_image("one");
    for (int i = 0; i < 90; ++i) {
        image.blobs.push_back(test::text_blob("blob " + std::to_string(i), "text/plain"));
    }
    const TemporaryDirectory folder;
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit few{.rlim_cur = 90, .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    EXPECT_NO_THROW(open_layout(folder.path() / "from")->write(image, {"1.0"}));
    const auto from = open_layout(folder.path() / "from");
    image.source = from.get();
    const auto to = open_layout(folder.path() / "to");
    EXPECT_NO_THROW(to->write(image, {"1.0"}));
    ::setrlimit(RLIMIT_NOFILE, &before);
    for (const auto& blob : image.blobs) {
        EXPECT_NO_THROW(to->read_blob(blob.descriptor, [](std::string_view) {}));
    }
}

TEST(Layout, RefusesAFolderWithSomethingElseInIt) {
    const TemporaryDirectory folder;
    write_file(folder.path() / "notes.txt", "mine");
    EXPECT_THROW(open_layout(folder.path())->write(test::small_image("one"), {"1.0"}), Error);
    EXPECT_FALSE(fs::exists(folder.path() / "blobs"));
}

TEST_P(LocalStoreTest, SaysWhenNothingChanges) {
    const Image image = test::small_image("one");
    open("d")->write(image, {"1.0"});
    EXPECT_TRUE(open("d")->write(image, {"1.0"}).unchanged);
    EXPECT_FALSE(open("d")->write(image, {"1.1"}).unchanged);
}

TEST_P(LocalStoreTest, MovesATagAndKeepsTheOthers) {
    open("d")->write(test::small_image("one"), {"1.0", "stable"});
    const Image two = test::small_image("two");
    open("d")->write(two, {"stable"});
    const auto store = open("d");
    EXPECT_EQ(store->manifest("stable")->digest, two.manifest.digest);
    EXPECT_NE(store->manifest("1.0")->digest, two.manifest.digest);
}

TEST_P(LocalStoreTest, CopiesAnIndexWithItsImagesAndWhatRefersToThem) {
    const auto from = open("a");
    const auto made = test::index_with_signature(*from, "v1");
    const auto to = open("b");
    const CopyReport report = copy_image(*from, "v1", *to, {"v1"}, {});
    EXPECT_EQ(report.manifest.digest, made.index);
    EXPECT_EQ(to->manifest("v1")->digest, made.index);
    EXPECT_TRUE(to->manifest(made.image));
    const auto referrers = to->referrers(made.image);
    ASSERT_EQ(referrers.size(), 1U);
    EXPECT_EQ(referrers[0].artifact_type, "application/vnd.test.signature");
    const auto bare = open("c");
    copy_image(*from, "v1", *bare, {"v1"}, {.referrers = false});
    EXPECT_TRUE(bare->referrers(made.image).empty());
}

TEST_P(LocalStoreTest, NamesADamagedBlob) {
    const Image image = test::small_image("one");
    Image damaged = image;
    damaged.blobs[0].open = [size = image.blobs[0].descriptor.size] {
        return body_of(std::string(size, 'x'));
    };
    EXPECT_THROW(open("d")->write(damaged, {"1"}), Error);
}

TEST_P(LocalStoreTest, RefusesAManifestThatIsNotItsDigest) {
    const Image image = test::small_image("one");
    open("d")->write(image, {"1"});
    const fs::path file = GetParam()
                              ? folder_.path() / "d"
                              : folder_.path() / "d/blobs/sha256" / image.manifest.digest.substr(7);
    std::string bytes = read_file(file);
    const auto at = bytes.find(image.manifest.bytes);
    ASSERT_NE(at, std::string::npos);
    // Still a manifest, but of another layer.
    char& digit = bytes[bytes.find(image.blobs[0].descriptor.digest, at) + 7];
    digit = digit == '0' ? '1' : '0';
    write_file(file, bytes);
    EXPECT_THROW(open("d")->manifest("1"), Error);
}

INSTANTIATE_TEST_SUITE_P(FolderAndArchive, LocalStoreTest, testing::Bool(),
                         [](const auto& made) { return made.param ? "Archive" : "Folder"; });

TEST(Layout, DoesNotMoveIntoAFolderOfSomethingElse) {
    const TemporaryDirectory folder;
    write_file(folder.path() / "notes.txt", "mine");
    EXPECT_THROW(open_layout(folder.path())->write(test::small_image("one"), {"1"}), Error);
    EXPECT_FALSE(fs::exists(folder.path() / "blobs"));
}

TEST(Layout, FindsADamagedFile) {
    const TemporaryDirectory folder;
    const Image image = test::small_image("one");
    const auto store = open_layout(folder.path() / "d");
    store->write(image, {"1"});
    const std::string hex = image.blobs[0].descriptor.digest.substr(7);
    write_file(folder.path() / "d" / "blobs" / "sha256" / hex,
               std::string(image.blobs[0].descriptor.size, 'x'));
    EXPECT_THROW(store->read_blob(image.blobs[0].descriptor, [](std::string_view) {}), Error);
}

TEST(Layout, KeepsWhatItDoesNotKnowOfOthersEntries) {
    const std::string foreign =
        R"({"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json",)"
        R"("digest":"sha256:)" +
        std::string(64, 'a') +
        R"(","size":7,"data":"aGk=","platform":{"architecture":"arm","os":"linux","variant":"v7"},)"
        R"("annotations":{"org.opencontainers.image.ref.name":"theirs"}}],"x-of-others":[1]})";
    LayoutIndex index(foreign, "index.json");
    EXPECT_EQ(index.text(), foreign);
    index.put(test::small_image("one").manifest.descriptor(), "ours");
    index.put(test::small_image("two").manifest.descriptor(), "ours");
    for (const char* part : {R"("data":"aGk=")", R"("variant":"v7")", R"("x-of-others":[1])"}) {
        EXPECT_NE(index.text().find(part), std::string::npos) << index.text();
    }
    EXPECT_EQ(index.tags(), (std::vector<std::string>{"theirs", "ours"}));
    EXPECT_EQ(index.find("ours")->digest, test::small_image("two").manifest.digest);
}

TEST(Layout, ReadsTheNamesThatDockerWrites) {
    const TemporaryDirectory folder;
    const auto store = open_layout(folder.path() / "d");
    const Image image = test::small_image("one");
    store->write(image, {"1.0"});
    std::string index = read_file(folder.path() / "d" / "index.json");
    const std::string tag = R"("1.0")";
    index.replace(index.find(tag), tag.size(), R"("docker.io/acme/auth:1.0")");
    write_file(folder.path() / "d" / "index.json", index);
    EXPECT_EQ(store->tags(), std::vector<std::string>{"1.0"});
    EXPECT_EQ(store->manifest("1.0")->digest, image.manifest.digest);
}

}  // namespace
}  // namespace wasmplug::oci
