package main

import (
	"slices"
	"testing"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func TestSetsTheHeaderOnListedStatuses(t *testing.T) {
	host := start(t, `{"header_name": "x-a", "header_value": "b", "response_codes": [200, 404]}`)
	for status, wanted := range map[string]bool{"200": true, "404": true, "503": false, "": false} {
		id := host.InitializeHttpContext()
		host.CallOnRequestHeaders(id, [][2]string{{":path", "/"}}, true)
		host.CallOnResponseHeaders(id, [][2]string{{":status", status}}, true)
		if slices.Contains(host.GetCurrentResponseHeaders(id), [2]string{"x-a", "b"}) != wanted {
			t.Errorf("status %s: %v", status, host.GetCurrentResponseHeaders(id))
		}
	}
	if n, err := host.GetCounterMetric("wasmplug_my_plugin_headers_set_total"); err != nil || n != 2 {
		t.Errorf("counted %d, %v", n, err)
	}
}

func TestAResponseWithoutStatusIsLeftAlone(t *testing.T) {
	host := start(t, `{"header_name": "x-a", "header_value": "b", "response_codes": [200]}`)
	id := host.InitializeHttpContext()
	if host.CallOnResponseHeaders(id, nil, true) != types.ActionContinue {
		t.Error("the response does not go on")
	}
}

func TestMistakesAreRefused(t *testing.T) {
	for _, text := range []string{
		`{}`,
		`{"header_name": "x-a"}`,
		`{"header_name": "x a", "header_value": "b"}`,
		`{"header_name": "x-a", "header_value": "b\nc"}`,
		`{"header_name": "x-a", "header_value": "b", "response_codes": [20]}`,
		`{"header_name": "x-a", "header_value": "b", "response_code": [200]}`,
	} {
		if _, err := parseConfig([]byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}
