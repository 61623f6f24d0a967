package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func TestChangesHeaders(t *testing.T) {
	host := start(t, `{"add_request_headers": {"x-env": "prod"}, "remove_response_headers": ["X-Powered-By"]}`)
	id := host.InitializeHttpContext()
	host.CallOnRequestHeaders(id, [][2]string{{"x-env", "test"}}, true)
	if got := host.GetCurrentRequestHeaders(id); !slices.Equal(got, [][2]string{{"x-env", "prod"}}) {
		t.Errorf("request headers: %v", got)
	}
	host.CallOnResponseHeaders(id, [][2]string{{"x-powered-by", "php"}, {"x-b", "1"}}, true)
	if got := host.GetCurrentResponseHeaders(id); !slices.Equal(got, [][2]string{{"x-b", "1"}}) {
		t.Errorf("response headers: %v", got)
	}
}

func TestReplacesTextAcrossChunks(t *testing.T) {
	host := start(t, `{"replace_response_text": {"secret": "***"}}`)
	id := host.InitializeHttpContext()
	host.CallOnResponseHeaders(id, [][2]string{{"content-type", "text/plain"}, {"content-length", "10"}}, false)
	if got := host.GetCurrentResponseHeaders(id); len(got) != 1 {
		t.Errorf("the length is still there: %v", got)
	}
	if host.CallOnResponseBody(id, []byte("a sec"), false) != types.ActionPause {
		t.Error("the first chunk went on alone")
	}
	host.CallOnResponseBody(id, []byte("ret b"), true)
	if got := string(host.GetCurrentResponseBody(id)); got != "a *** b" {
		t.Errorf("body: %q", got)
	}
}

func TestABodyAboveTheLimitGoesOn(t *testing.T) {
	host := start(t, `{"replace_response_text": {"a": "b"}, "max_body_bytes": 4}`)
	id := host.InitializeHttpContext()
	host.CallOnResponseHeaders(id, [][2]string{{"content-type", "text/plain"}}, false)
	if host.CallOnResponseBody(id, []byte("aaaaa"), false) != types.ActionContinue {
		t.Error("the body does not go on")
	}
	host.CallOnResponseBody(id, []byte("a"), true)
	if got := string(host.GetCurrentResponseBody(id)); strings.Contains(got, "b") {
		t.Errorf("body: %q", got)
	}
}

func TestLogsBodiesInOneLine(t *testing.T) {
	if got := printable([]byte("a\nb\x1b[0m\xff~")); got != "a.b.[0m.~" {
		t.Error(got)
	}
	host := start(t, `{"log_request_body": true, "max_body_bytes": 4}`)
	id := host.InitializeHttpContext()
	host.CallOnRequestBody(id, []byte("hello"), true)
	if !slices.Contains(host.GetInfoLogs(), "request body (first 4 of 5 bytes): hell") {
		t.Errorf("logs: %q", host.GetInfoLogs())
	}
}

func TestMistakesAreRefused(t *testing.T) {
	for _, text := range []string{
		`{"add_request_headers": {":path": "/"}}`,
		`{"add_request_headers": {"x-a": 1}}`,
		`{"remove_response_headers": [""]}`,
		`{"replace_response_text": {"": "x"}}`,
		`{"max_body_bytes": 0}`,
		`{"max_body_bytes": 1048576}`,
		`{"log_body": true}`,
	} {
		if _, err := parseConfig([]byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}
