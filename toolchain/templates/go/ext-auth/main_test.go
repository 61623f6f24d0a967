package main

import (
	"slices"
	"testing"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/proxytest"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

// ask sends a request and answers the plugin's call.
func ask(t *testing.T, host proxytest.HostEmulator, answer [][2]string) uint32 {
	t.Helper()
	id := host.InitializeHttpContext()
	action := host.CallOnRequestHeaders(id, [][2]string{
		{":method", "POST"}, {":path", "/a"}, {"authorization", "t"}, {userHeader, "root"},
	}, true)
	if action != types.ActionPause {
		t.Fatal("the request does not wait")
	}
	calls := host.GetCalloutAttributesFromContext(id)
	if len(calls) != 1 || calls[0].Upstream != "auth" {
		t.Fatalf("calls: %v", calls)
	}
	for _, wanted := range [][2]string{
		{":method", "GET"}, {":path", "/auth"}, {":authority", "auth"}, {"authorization", "t"},
		{"x-forwarded-method", "POST"}, {"x-forwarded-uri", "/a"},
	} {
		if !slices.Contains(calls[0].Headers, wanted) {
			t.Errorf("the call lacks %v: %v", wanted, calls[0].Headers)
		}
	}
	host.CallOnHttpCallResponse(calls[0].CalloutID, answer, nil, nil)
	return id
}

func TestAllows(t *testing.T) {
	host := start(t, `{"auth_cluster": "auth"}`)
	id := ask(t, host, [][2]string{{":status", "200"}, {userHeader, "alice"}})
	if host.GetCurrentHttpStreamAction(id) != types.ActionContinue {
		t.Error("the request does not go on")
	}
	if got := host.GetCurrentRequestHeaders(id); !slices.Contains(got, [2]string{userHeader, "alice"}) {
		t.Errorf("headers: %v", got)
	}
}

func TestDenies(t *testing.T) {
	host := start(t, `{"auth_cluster": "auth"}`)
	id := ask(t, host, [][2]string{{":status", "401"}, {"www-authenticate", "Bearer"}})
	reply := host.GetSentLocalResponse(id)
	if reply == nil || reply.StatusCode != 401 || !slices.Contains(reply.Headers, [2]string{"www-authenticate", "Bearer"}) {
		t.Errorf("reply: %+v", reply)
	}
}

func TestRefusesWithoutAnAnswer(t *testing.T) {
	host := start(t, `{"auth_cluster": "auth"}`)
	for _, answer := range [][][2]string{nil, {{":status", "500"}}, {{"x-a", "b"}}} {
		if reply := host.GetSentLocalResponse(ask(t, host, answer)); reply == nil || reply.StatusCode != 503 {
			t.Errorf("%v: %+v", answer, reply)
		}
	}
}

func TestPassesWithoutAnAnswerWhenToldSo(t *testing.T) {
	host := start(t, `{"auth_cluster": "auth", "failure_mode_allow": true}`)
	id := ask(t, host, nil)
	if host.GetCurrentHttpStreamAction(id) != types.ActionContinue || host.GetSentLocalResponse(id) != nil {
		t.Error("the request does not go on")
	}
	for _, header := range host.GetCurrentRequestHeaders(id) {
		if header[0] == userHeader {
			t.Errorf("the client's own %v got through", header)
		}
	}
}

func TestJudge(t *testing.T) {
	for status, wanted := range map[string]verdict{
		"200": allow, "204": allow, "401": deny, "403": deny, "404": deny,
		"": unknown, "x": unknown, "100": unknown, "302": unknown, "500": unknown, "504": unknown,
	} {
		if got, _ := judge(status); got != wanted {
			t.Errorf("%q: %v", status, got)
		}
	}
	if _, status := judge("404"); status != 403 {
		t.Errorf("404 becomes %d", status)
	}
}

func TestConfig(t *testing.T) {
	for _, text := range []string{
		`{}`, `{"auth_cluster": "a b"}`, `{"auth_cluster": "a", "auth_path": "x"}`,
		`{"auth_cluster": "a", "timeout_ms": 0}`, `{"auth_cluster": "a", "timeout_ms": 60001}`,
		`{"auth_cluster": "a", "timeout": 1}`,
	} {
		if _, err := parseConfig([]byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
	for cluster, wanted := range map[string]string{
		"outbound|80||auth.example": "auth.example", "auth": "auth", "auth|": "auth|",
	} {
		if got := (&config{AuthCluster: cluster}).authority(); got != wanted {
			t.Errorf("%s: %s", cluster, got)
		}
	}
}
