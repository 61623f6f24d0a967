#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "plugintest/case.hpp"

namespace wasmplug::envoy {

// HTTP/1.1 as a well-behaved Envoy writes it, in pieces as they arrive: what we hear as its
// client, as its upstream and as the services that plugins call. Anything else sets broken().
class WireReader {
  public:
    enum class Kind { request, response };

    // `head`: a response to HEAD, which has no body whatever its headers say.
    explicit WireReader(Kind kind, bool head = false) : kind_(kind), head_(head) {}

    // Takes what belongs to this message and returns the rest.
    std::string_view feed(std::string_view bytes);

    // The connection was closed; ends a response whose body ends with it.
    void close();

    bool headers_complete() const { return headers_complete_; }

    bool complete() const { return state_ == State::done; }

    bool broken() const { return state_ == State::broken; }

    // Names in lower case, pseudo headers first. The body is one chunk.
    const plugintest::Message& message() const { return message_; }

  private:
    enum class State { headers, sized, chunk_size, chunk, trailers, until_close, done, broken };

    void line(std::string_view text);
    void start_line(std::string_view text);
    void field(plugintest::Message& message, std::string_view text, bool trailer);
    void body_begins();
    void add_body(std::string_view bytes);

    Kind kind_;
    bool head_;
    State state_ = State::headers;
    std::string line_;
    std::size_t left_ = 0;  // bytes of the body or of its chunk
    bool started_ = false;
    bool headers_complete_ = false;
    plugintest::Message message_;
};

// The message in the pieces in which it is to be sent: the head, then each chunk of the body,
// then the trailers. A body without a content-length of its own is sent chunked.
std::vector<std::string> wire_pieces(const plugintest::Message& message, WireReader::Kind kind);

}  // namespace wasmplug::envoy
