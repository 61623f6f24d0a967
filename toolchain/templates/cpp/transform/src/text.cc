#include "text.h"

using proxy_wasm::List;
using proxy_wasm::Maybe;
using proxy_wasm::String;
using proxy_wasm::View;

bool is_text(View content_type) {
  const String type = proxy_wasm::lower(content_type);
  const View view = type;
  return view.starts_with("text/") || view.contains("json") || view.contains("xml");
}

String printable(View bytes) {
  String line;
  for (char c : bytes) line.append(c >= ' ' && c <= '~' ? c : '.');
  return line;
}

Maybe<String> replace_all(View text, const List<Pair>& replacements) {
  String out;
  bool found = false;
  for (size_t at = 0; at < text.size();) {
    const Pair* hit = nullptr;
    for (const auto& candidate : replacements) {
      if (!hit && text.part(at).starts_with(candidate.first)) hit = &candidate;
    }
    if (hit) {
      out.append(hit->second);
      at += hit->first.size();
      found = true;
    } else {
      out.append(text[at++]);
    }
  }
  if (!found) return {};
  return Maybe<String>(proxy_wasm::move(out));
}
