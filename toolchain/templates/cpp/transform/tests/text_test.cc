#include "text.h"

#include "check.h"

using proxy_wasm::List;
using proxy_wasm::String;
using proxy_wasm::View;

TEST(texts_are_replaced_in_one_pass) {
  List<Pair> pairs;
  pairs.push({String("aa"), String("b")});
  pairs.push({String("a"), String("aa")});
  CHECK(View(*replace_all("aaa-b", pairs)) == "baa-b");
  CHECK(!replace_all("xyz", pairs));
  CHECK(!replace_all("", pairs));
}

TEST(bodies_are_logged_in_one_line) {
  CHECK(View(printable("a\nb\x1b[0m\xff~")) == "a.b.[0m.~");
}

TEST(only_texts_are_searched) {
  CHECK(is_text("Text/HTML; charset=utf-8") && is_text("application/problem+json"));
  CHECK(!is_text("image/png") && !is_text(""));
}
