// Command my-plugin is a Proxy-Wasm filter that sets a configured header on the responses with
// the configured status codes.
package main

import (
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
	config     *config
	requests   counter
	errors     counter
	headersSet counter
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
	p.requests = defineCounter("wasmplug_my_plugin_requests_total")
	p.errors = defineCounter("wasmplug_my_plugin_errors_total")
	p.headersSet = defineCounter("wasmplug_my_plugin_headers_set_total")
	logf(levelInfo, "configured: header_name=%s", p.config.HeaderName)
	return types.OnPluginStartStatusOK
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext { return &stream{plugin: p} }

// stream is one HTTP request and its response.
type stream struct {
	types.DefaultHttpContext
	plugin *plugin
}

func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	s.plugin.requests.addOne()
	return types.ActionContinue
}

func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	config := s.plugin.config
	status, err := proxywasm.GetHttpResponseHeader(":status")
	if err != nil || !config.matches(status) {
		return types.ActionContinue
	}
	if err := proxywasm.ReplaceHttpResponseHeader(config.HeaderName, config.HeaderValue); err != nil {
		s.plugin.errors.addOne()
		logf(levelError, "cannot set %s: %v", config.HeaderName, err)
		return types.ActionContinue
	}
	s.plugin.headersSet.addOne()
	logf(levelDebug, "set %s on a response with status %s", config.HeaderName, status)
	return types.ActionContinue
}
