#include "json.h"

#include "check.h"

using proxy_wasm::View;

TEST(reads_every_kind_of_value) {
  const auto value = json::parse(R"( {"a": [1, -2.5e3, true, null, "\u00e9\ud83d\ude00\n"]} )");
  CHECK(value);
  const json::Value* list = value->find("a");
  CHECK(list && list->items.size() == 5);
  CHECK(View(list->items[1].text) == "-2.5e3");
  CHECK(list->items[2].boolean);
  CHECK(list->items[3].kind == json::Kind::null);
  CHECK(View(list->items[4].text) == "\xc3\xa9\xf0\x9f\x98\x80\n");
}

TEST(refuses_what_is_not_json) {
  for (const char* text : {"", "{", "{}x", "[1,]", "{\"a\" 1}", "01", "1.", "-", "tru", "\"\t\"",
                           "\"\\x\"", "\"\\ud800\"", "\"open", "{\"a\":1,\"a\":2}", "{a:1}"}) {
    CHECK(!json::parse(text));
  }
}

TEST(refuses_deep_nesting) {
  proxy_wasm::String text;
  for (int i = 0; i < 100; ++i) text.append('[');
  for (int i = 0; i < 100; ++i) text.append(']');
  CHECK(!json::parse(text));
}
