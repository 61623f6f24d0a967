// Command my-plugin is a Proxy-Wasm filter that adds request headers, removes response headers,
// logs request bodies and replaces texts in response bodies.
package main

import (
	"strconv"
	"strings"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

// plugin is one configuration of the plugin in one worker.
type plugin struct {
	types.DefaultPluginContext
	config         *config
	replacer       *strings.Replacer
	requests       counter
	errors         counter
	bodiesReplaced counter
	bodiesTooLarge counter
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	data, err := pluginConfiguration()
	if err == nil {
		p.config, err = parseConfig(data)
	}
	if err != nil {
		logf(levelError, "configuration refused: %v", err)
		return types.OnPluginStartStatusFailed
	}
	lowestLevel = p.config.LogLevel
	p.replacer = newReplacer(p.config.ReplaceResponseText)
	p.requests = defineCounter("wasmplug_my_plugin_requests_total")
	p.errors = defineCounter("wasmplug_my_plugin_errors_total")
	p.bodiesReplaced = defineCounter("wasmplug_my_plugin_bodies_replaced_total")
	p.bodiesTooLarge = defineCounter("wasmplug_my_plugin_bodies_too_large_total")
	logf(levelInfo, "configured: %d headers to add, %d to remove, %d texts to replace",
		len(p.config.AddRequestHeaders), len(p.config.RemoveResponseHeaders),
		len(p.config.ReplaceResponseText))
	return types.OnPluginStartStatusOK
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext { return &stream{plugin: p} }

// check counts and logs what the host refused.
func (p *plugin) check(err error, doing string) {
	if err != nil {
		p.errors.addOne()
		logf(levelError, "cannot %s: %v", doing, err)
	}
}

func (p *plugin) tooLarge(what string) {
	p.bodiesTooLarge.addOne()
	logf(levelWarn, "%s is above max_body_bytes (%d)", what, p.config.MaxBodyBytes)
}

// stream is one HTTP request and its response.
type stream struct {
	types.DefaultHttpContext
	plugin    *plugin
	bodyStart []byte // of the request, as far as it is logged
	bodySize  int
	rewrites  bool
}

func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	s.plugin.requests.addOne()
	for name, value := range s.plugin.config.AddRequestHeaders {
		s.plugin.check(proxywasm.ReplaceHttpRequestHeader(name, value), "set "+name)
	}
	return types.ActionContinue
}

// OnHttpRequestBody lets the body go on chunk by chunk; only what is logged is kept.
func (s *stream) OnHttpRequestBody(size int, end bool) types.Action {
	if !s.plugin.config.LogRequestBody {
		return types.ActionContinue
	}
	s.bodySize += size
	room := int(s.plugin.config.MaxBodyBytes) - len(s.bodyStart)
	if wanted := min(size, room); wanted > 0 {
		if chunk, err := proxywasm.GetHttpRequestBody(0, wanted); err == nil {
			s.bodyStart = append(s.bodyStart, chunk...)
		}
	}
	if end && s.bodySize > 0 {
		s.logBody()
	}
	return types.ActionContinue
}

func (s *stream) logBody() {
	line := printable(s.bodyStart)
	if len(s.bodyStart) == s.bodySize {
		logf(levelInfo, "request body (%d bytes): %s", s.bodySize, line)
		return
	}
	logf(levelInfo, "request body (first %d of %d bytes): %s", len(s.bodyStart), s.bodySize, line)
	s.plugin.tooLarge("a request body")
}

func (s *stream) OnHttpResponseHeaders(_ int, end bool) types.Action {
	for _, name := range s.plugin.config.RemoveResponseHeaders {
		s.plugin.check(proxywasm.RemoveHttpResponseHeader(name), "remove "+name)
	}
	s.rewrites = !end && s.mayRewrite()
	if s.rewrites {
		// The length will be another one; without it the body is sent in chunks.
		s.plugin.check(proxywasm.RemoveHttpResponseHeader("content-length"), "remove content-length")
	}
	return types.ActionContinue
}

// mayRewrite says whether the response is a complete, uncompressed text within the limit.
func (s *stream) mayRewrite() bool {
	config := s.plugin.config
	if len(config.ReplaceResponseText) == 0 {
		return false
	}
	if contentType, err := proxywasm.GetHttpResponseHeader("content-type"); err != nil || !isText(contentType) {
		return false
	}
	for _, name := range []string{"content-encoding", "content-range"} {
		if _, err := proxywasm.GetHttpResponseHeader(name); err == nil {
			return false
		}
	}
	length, err := proxywasm.GetHttpResponseHeader("content-length")
	if err != nil {
		return true
	}
	if bytes, err := strconv.ParseUint(length, 10, 64); err == nil && bytes > uint64(config.MaxBodyBytes) {
		s.plugin.tooLarge("a response body")
		return false
	}
	return true
}

func (s *stream) OnHttpResponseBody(size int, end bool) types.Action {
	if !s.rewrites {
		return types.ActionContinue
	}
	if size > int(s.plugin.config.MaxBodyBytes) {
		s.rewrites = false
		s.plugin.tooLarge("a response body")
		return types.ActionContinue
	}
	if !end {
		return types.ActionPause
	}
	if size > 0 {
		s.rewrite(size)
	}
	return types.ActionContinue
}

func (s *stream) rewrite(size int) {
	body, err := proxywasm.GetHttpResponseBody(0, size)
	if err != nil {
		s.plugin.check(err, "read the response body")
		return
	}
	replaced := s.plugin.replacer.Replace(string(body))
	if replaced == string(body) {
		return
	}
	s.plugin.check(proxywasm.ReplaceHttpResponseBody([]byte(replaced)), "replace the response body")
	s.plugin.bodiesReplaced.addOne()
}
