#include "host/page.hpp"

#include <fmt/format.h>

#include "base/xml.hpp"

namespace wasmplug::host {
namespace {

constexpr const char* style = R"(
:root{color-scheme:light dark;--ink:#1c2024;--soft:#5b6570;--line:#dfe3e8;--now:#2563c9;--old:#a9b4c2;--bad:#b3261e;--paper:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa5b1;--line:#343b44;--now:#6ea8fe;--old:#7d8a9b;--bad:#f2877f;--paper:#15181c}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:64rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .25rem}
p,small{color:var(--soft)}.bad{color:var(--bad)}ul{padding-left:1.2rem}li{overflow-wrap:anywhere}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.35rem .5rem;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;line-height:1.25}td{white-space:nowrap}
th:first-child,td:first-child,td.bad{text-align:left;white-space:normal}
th:first-child,td:first-child{min-width:9rem;overflow-wrap:anywhere}
.bar{display:grid;grid-template-columns:minmax(7rem,16rem) 1fr 8rem;gap:.2rem .8rem;align-items:center;margin:.35rem 0}
.bar span{overflow-wrap:anywhere;line-height:1.3}.bar b{font-weight:500;text-align:right;font-variant-numeric:tabular-nums;line-height:1.2}
.bar b small{display:block}
.track i{display:block;height:.7rem;border-radius:2px;background:var(--now);min-width:1px}
.track i.old{background:var(--old);margin-top:2px;height:.4rem}
.chart{display:block;width:100%;height:auto;margin:.5rem 0}.chart text{fill:var(--soft);font:12px system-ui,sans-serif}
.chart line{stroke:var(--line)}.chart polyline{fill:none;stroke-width:2;stroke-linejoin:round}
.chart line,.chart polyline{vector-effect:non-scaling-stroke}
.now{stroke:var(--now)}.old{stroke:var(--old)}circle.now{fill:var(--now);stroke:none}circle.old{fill:var(--old);stroke:none}
@media(max-width:40rem){.chart text{font-size:19px}.bar{grid-template-columns:1fr auto}.bar span{grid-column:1/-1}
table,tbody,tr,td{display:block}tr:first-child{display:none}tr{border-bottom:1px solid var(--line);padding:.4rem 0}
td{display:flex;justify-content:space-between;gap:1rem;border:0;padding:.1rem .5rem;white-space:normal}td::before{content:attr(data-of);color:var(--soft);text-align:left}
td:first-child{display:block;font-weight:600}}
)";

}  // namespace

std::string page(const std::string& title, const std::string& body) {
    return fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n<meta "
        "name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\n<title>{0}</title>\n"
        "<style>{1}</style></head>\n<body><h1>{0}</h1>\n{2}</body></html>\n",
        xml_escaped(title), style, body);
}

}  // namespace wasmplug::host
