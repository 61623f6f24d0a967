package main

import (
	"slices"
	"testing"
	"time"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/proxytest"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

// get sends a request, and the upstream's answer when it gets there; it returns what the plugin
// answered itself.
func get(host proxytest.HostEmulator, request, response [][2]string, body string) *proxytest.LocalHttpResponse {
	id := host.InitializeHttpContext()
	request = append([][2]string{{":method", "GET"}, {":authority", "a"}, {":path", "/"}}, request...)
	if host.CallOnRequestHeaders(id, request, true) == types.ActionPause {
		return host.GetSentLocalResponse(id)
	}
	host.CallOnResponseHeaders(id, append([][2]string{{":status", "200"}}, response...), false)
	host.CallOnResponseBody(id, []byte(body), true)
	return nil
}

func TestAnswersFromTheCache(t *testing.T) {
	host := start(t, `{}`)
	if get(host, nil, [][2]string{{"content-type", "text/plain"}}, "hello") != nil {
		t.Fatal("the first request was answered")
	}
	reply := get(host, nil, nil, "")
	if reply == nil || string(reply.Data) != "hello" || !slices.Contains(reply.Headers, [2]string{"x-cache", "hit"}) {
		t.Errorf("reply: %+v", reply)
	}
	if get(host, [][2]string{{"cookie", "a=b"}}, nil, "") != nil {
		t.Error("a request with a cookie was answered")
	}
}

func TestKeepsOnlyWhatIsForEverybody(t *testing.T) {
	host := start(t, `{"max_body_bytes": 4}`)
	for _, header := range [][2]string{
		{"set-cookie", "a=b"}, {"vary", "accept"}, {"content-encoding", "gzip"},
		{"cache-control", "Private"}, {"content-length", "5"},
	} {
		get(host, nil, [][2]string{header}, "abc")
		if get(host, nil, [][2]string{header}, "abc") != nil {
			t.Errorf("kept with %v", header)
		}
	}
	get(host, nil, nil, "hello")
	if get(host, nil, nil, "hello") != nil {
		t.Error("kept above the limit")
	}
}

func TestTicksFreeWhatHasExpired(t *testing.T) {
	host := start(t, `{"max_entries": 1}`)
	get(host, nil, nil, "hello")
	host.Tick()
	old := &entry{stored: time.Now().Add(-time.Hour), key: "a/"}
	_, cas := readSlot(slotKey(0))
	if cas == notYet {
		t.Fatal("a tick has freed what is good")
	}
	if err := setSlot(old); err != nil {
		t.Fatal(err)
	}
	if get(host, nil, nil, "new") != nil {
		t.Error("answered from an expired entry")
	}
	if err := setSlot(old); err != nil {
		t.Fatal(err)
	}
	host.Tick()
	if entry, _ := readSlot(slotKey(0)); entry != nil {
		t.Errorf("still there: %+v", entry)
	}
}

func TestEntries(t *testing.T) {
	stored := time.UnixMilli(5000)
	e := &entry{stored: stored, key: "a/", contentType: "text/plain", body: []byte("one\ntwo")}
	back := decodeEntry(e.encode())
	if back == nil || !back.stored.Equal(stored) || back.key != "a/" || string(back.body) != "one\ntwo" {
		t.Errorf("came back as %+v", back)
	}
	for _, text := range []string{"", "12\nkey", "x\nkey\ntype\nbody"} {
		if decodeEntry([]byte(text)) != nil {
			t.Errorf("%q is an entry", text)
		}
	}
	if e.expired(stored.Add(9*time.Second), 10) || !e.expired(stored.Add(10*time.Second), 10) {
		t.Error("expires at the wrong time")
	}
	if e.age(stored.Add(2900*time.Millisecond)) != 2 || e.age(stored.Add(-time.Second)) != 0 {
		t.Error("has the wrong age")
	}
}

func TestConfig(t *testing.T) {
	for _, text := range []string{
		`{"cache_ttl_seconds": 0}`, `{"cache_ttl_seconds": -1}`, `{"max_entries": 0}`,
		`{"max_entries": 1.5}`, `{"max_body_bytes": "1k"}`, `{"ttl": 5}`,
	} {
		if _, err := parseConfig([]byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
	if c, err := parseConfig([]byte(`{}`)); err != nil || c.CacheTTLSeconds != 60 {
		t.Errorf("%+v, %v", c, err)
	}
}

// setSlot writes the only slot, as another worker would.
func setSlot(e *entry) error {
	_, cas := readSlot(slotKey(0))
	return proxywasm.SetSharedData(slotKey(0), e.encode(), cas)
}
