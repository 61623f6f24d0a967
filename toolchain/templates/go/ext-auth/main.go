// Command my-plugin is a Proxy-Wasm filter that asks another service whether a request may pass.
package main

import (
	"fmt"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

// userHeader is where the service names the user; nobody else may.
const userHeader = "x-auth-user"

// noGRPCStatus leaves a local reply's gRPC status to Envoy.
const noGRPCStatus = -1

func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

// plugin is one configuration of the plugin in one worker.
type plugin struct {
	types.DefaultPluginContext
	config   *config
	requests counter
	errors   counter
	allowed  counter
	denied   counter
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
	p.allowed = defineCounter("wasmplug_my_plugin_allowed_total")
	p.denied = defineCounter("wasmplug_my_plugin_denied_total")
	logf(levelInfo, "configured: auth_cluster=%s, auth_path=%s", p.config.AuthCluster, p.config.AuthPath)
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
	if err := proxywasm.RemoveHttpRequestHeader(userHeader); err != nil {
		return s.refuse(fmt.Sprintf("%s cannot be removed: %v", userHeader, err))
	}
	if err := s.ask(); err != nil {
		return s.withoutAnswer(fmt.Sprintf("cluster %s cannot be called: %v", s.plugin.config.AuthCluster, err))
	}
	return types.ActionPause
}

func (s *stream) ask() error {
	config := s.plugin.config
	headers := [][2]string{
		{":method", "GET"}, {":path", config.AuthPath}, {":authority", config.authority()},
	}
	for _, copied := range [][2]string{
		{":method", "x-forwarded-method"}, {":authority", "x-forwarded-host"},
		{":path", "x-forwarded-uri"}, {"authorization", "authorization"}, {"cookie", "cookie"},
		{"x-request-id", "x-request-id"},
	} {
		if value, err := proxywasm.GetHttpRequestHeader(copied[0]); err == nil {
			headers = append(headers, [2]string{copied[1], value})
		}
	}
	_, err := proxywasm.DispatchHttpCall(config.AuthCluster, headers, nil, nil, config.TimeoutMS, s.answered)
	return err
}

// answered is called with no headers when there was no answer: the connection broke, or the time
// was up after the headers.
func (s *stream) answered(headers, _, _ int) {
	answer := map[string]string{}
	if headers > 0 {
		pairs, err := proxywasm.GetHttpCallResponseHeaders()
		if err != nil {
			logf(levelWarn, "the answer's headers cannot be read: %v", err)
		}
		for _, pair := range pairs {
			answer[pair[0]] = pair[1]
		}
	}
	action := types.ActionPause
	switch verdict, status := judge(answer[":status"]); verdict {
	case allow:
		action = s.allow(answer)
	case deny:
		action = s.deny(status, answer)
	case unknown:
		action = s.withoutAnswer(fmt.Sprintf("the service answered %q", answer[":status"]))
	}
	if action != types.ActionContinue {
		return
	}
	if err := proxywasm.ResumeHttpRequest(); err != nil {
		s.refuse(fmt.Sprintf("the request cannot be resumed: %v", err))
	}
}

func (s *stream) allow(answer map[string]string) types.Action {
	if user, found := answer[userHeader]; found {
		if err := proxywasm.ReplaceHttpRequestHeader(userHeader, user); err != nil {
			return s.withoutAnswer(fmt.Sprintf("the user cannot be passed on: %v", err))
		}
	}
	s.plugin.allowed.addOne()
	return types.ActionContinue
}

func (s *stream) deny(status uint32, answer map[string]string) types.Action {
	s.plugin.denied.addOne()
	logf(levelInfo, "denied with %d", status)
	var headers [][2]string
	if challenge, found := answer["www-authenticate"]; found {
		headers = append(headers, [2]string{"www-authenticate", challenge})
	}
	body := "forbidden\n"
	if status == 401 {
		body = "unauthorized\n"
	}
	respond(status, headers, body)
	return types.ActionPause
}

func (s *stream) withoutAnswer(why string) types.Action {
	if !s.plugin.config.FailureModeAllow {
		return s.refuse(why)
	}
	s.plugin.errors.addOne()
	logf(levelError, "%s; passed", why)
	return types.ActionContinue
}

func (s *stream) refuse(why string) types.Action {
	s.plugin.errors.addOne()
	logf(levelError, "%s; refused", why)
	respond(503, nil, "authorization is unavailable\n")
	return types.ActionPause
}

func respond(status uint32, headers [][2]string, body string) {
	if err := proxywasm.SendHttpResponse(status, headers, []byte(body), noGRPCStatus); err != nil {
		logf(levelError, "cannot answer: %v", err)
	}
}
