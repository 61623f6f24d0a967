#include "envoy/wire.hpp"

#include <gtest/gtest.h>

namespace wasmplug::envoy {
namespace {

using plugintest::first_header;
using plugintest::Message;

// However the bytes are cut, the message is the same.
Message read_in_pieces(std::string_view bytes, WireReader::Kind kind, std::size_t piece) {
    WireReader reader(kind);
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        EXPECT_EQ(reader.feed(bytes.substr(at, piece)), "");
    }
    EXPECT_TRUE(reader.complete());
    return reader.message();
}

TEST(WireReader, ReadsAChunkedRequestWithTrailersInPiecesOfAnySize) {
    constexpr std::string_view bytes =
        "POST /a?b HTTP/1.1\r\nHost: x.test\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n"
        "5\r\nhello\r\n1;ext=1\r\n!\r\n0\r\nx-t: end\r\n\r\n";
    for (const std::size_t piece : {1U, 2U, 7U, 1000U}) {
        const Message message = read_in_pieces(bytes, WireReader::Kind::request, piece);
        EXPECT_EQ(
            message.headers,
            (Headers{
                {":method", "POST"}, {":path", "/a?b"}, {":authority", "x.test"}, {"x-a", "1"}}));
        EXPECT_EQ(message.whole_body(), "hello!");
        EXPECT_EQ(message.trailers, (Headers{{"x-t", "end"}}));
    }
}

TEST(WireReader, ReturnsWhatBelongsToTheNextMessage) {
    WireReader reader(WireReader::Kind::response);
    EXPECT_EQ(reader.feed("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1"), "HTTP/1.1");
    EXPECT_EQ(reader.message().whole_body(), "ok");
}

TEST(WireReader, KnowsResponsesWithoutABody) {
    for (const char* status : {"204 No Content", "304 Not Modified"}) {
        WireReader reader(WireReader::Kind::response);
        reader.feed(std::string("HTTP/1.1 ") + status + "\r\n\r\n");
        EXPECT_TRUE(reader.complete()) << status;
    }
    WireReader head(WireReader::Kind::response, true);
    head.feed("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
    EXPECT_TRUE(head.complete());
}

TEST(WireReader, PassesOverInformationalResponses) {
    WireReader reader(WireReader::Kind::response);
    reader.feed("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    EXPECT_TRUE(reader.complete());
    EXPECT_EQ(first_header(reader.message().headers, ":status"), "200");
}

TEST(WireReader, TellsACutResponseFromOneThatEndsWithTheConnection) {
    WireReader open(WireReader::Kind::response);
    open.feed("HTTP/1.1 200 OK\r\n\r\nall of it");
    EXPECT_FALSE(open.complete());
    open.close();
    EXPECT_TRUE(open.complete());
    WireReader cut(WireReader::Kind::response);
    cut.feed("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    cut.close();
    EXPECT_TRUE(cut.broken());
}

TEST(WireReader, RefusesWhatIsNotHttp) {
    for (const char* bytes : {"hello\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
                              "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
                              "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"}) {
        WireReader reader(WireReader::Kind::response);
        reader.feed(bytes);
        EXPECT_TRUE(reader.broken()) << bytes;
    }
}

TEST(WirePieces, KeepTheChunksOfTheBodyApart) {
    const Message message{.headers = {{":method", "POST"},
                                      {":path", "/"},
                                      {":authority", "a"},
                                      {":scheme", "http"},
                                      {"x-a", "1"}},
                          .body = {"one", "two"}};
    const auto pieces = wire_pieces(message, WireReader::Kind::request);
    ASSERT_EQ(pieces.size(), 4U);
    EXPECT_EQ(pieces[0],
              "POST / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n");
    EXPECT_EQ(pieces[1], "3\r\none\r\n");
    EXPECT_EQ(pieces[3], "0\r\n\r\n");
}

TEST(WirePieces, RespectALengthThatTheTestFileGives) {
    const Message message{.headers = {{":status", "200"}, {"content-length", "5"}},
                          .body = {"four"}};
    const auto pieces = wire_pieces(message, WireReader::Kind::response);
    ASSERT_EQ(pieces.size(), 2U);
    EXPECT_EQ(pieces[0], "HTTP/1.1 200 \r\ncontent-length: 5\r\n\r\n");
}

}  // namespace
}  // namespace wasmplug::envoy
