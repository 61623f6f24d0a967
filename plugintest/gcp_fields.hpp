#pragma once

#include <functional>
#include <string>
#include <vector>

#include "plugintest/text_format.hpp"

namespace wasmplug::plugintest {

// Reports each field that no version of the tester's messages has, with what is close to it: the
// tester itself refuses such a file. Hands a field of the wrong kind (text where a message
// belongs, or the reverse) to `refuse`.
void check_gcp_fields(const ProtoText& suite,
                      const std::function<void(const ProtoText&, const std::string&)>& report,
                      const std::function<void(const ProtoText&, const std::string&)>& refuse);

// What a phase is expected to do. Older files keep the expectations of headers in a message of
// their own (`headers { has_header {} headers_serialized {} }`), and those of an answer of the
// plugin's within `immediate`.
struct GcpResult {
    std::vector<const ProtoText*> has_header;
    std::vector<const ProtoText*> no_header;
    std::vector<const ProtoText*> lines;  // matchers of "name: value"
    std::vector<const ProtoText*> body;
    std::vector<const ProtoText*> log;
    const ProtoText* immediate = nullptr;
};

GcpResult gcp_result_of(const ProtoText* result);

}  // namespace wasmplug::plugintest
