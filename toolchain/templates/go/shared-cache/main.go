// Command my-plugin is a Proxy-Wasm filter that answers GET requests from a cache that all
// workers share.
package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

const (
	tickMS = 1000
	// slotsPerTick is how many slots one tick looks at: the host copies each into this VM.
	slotsPerTick = 16
	// longestKey: longer ones are not worth a slot.
	longestKey = 1024
	// notYet is the CAS for a key that nobody has written. The host takes any number for such a
	// key, and refuses one that is not the last for any other; 0 would overwrite what is there.
	notYet = math.MaxUint32
	// noGRPCStatus leaves a local reply's gRPC status to Envoy.
	noGRPCStatus = -1
)

// personal: a request with one of these gets an answer of its own.
var personal = []string{"authorization", "cookie", "range", "cache-control", "upgrade"}

// unfit: a response with one of these is not for everybody, or not for every time.
var unfit = []string{"set-cookie", "vary", "content-encoding"}

func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

// plugin is one configuration of the plugin in one worker.
type plugin struct {
	types.DefaultPluginContext
	config         *config
	nextSlot       uint32
	requests       counter
	errors         counter
	hits           counter
	misses         counter
	stored         counter
	expired        counter
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
	p.requests = defineCounter("wasmplug_my_plugin_requests_total")
	p.errors = defineCounter("wasmplug_my_plugin_errors_total")
	p.hits = defineCounter("wasmplug_my_plugin_hits_total")
	p.misses = defineCounter("wasmplug_my_plugin_misses_total")
	p.stored = defineCounter("wasmplug_my_plugin_stored_total")
	p.expired = defineCounter("wasmplug_my_plugin_expired_total")
	p.bodiesTooLarge = defineCounter("wasmplug_my_plugin_bodies_too_large_total")
	if err := proxywasm.SetTickPeriodMilliSeconds(tickMS); err != nil {
		logf(levelWarn, "no ticks, expired answers stay in memory: %v", err)
	}
	logf(levelInfo, "configured: cache_ttl_seconds=%d, max_entries=%d",
		p.config.CacheTTLSeconds, p.config.MaxEntries)
	return types.OnPluginStartStatusOK
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext { return &stream{plugin: p} }

// OnTick empties expired slots, since shared data cannot be deleted, unless another worker has
// written one in the meantime.
func (p *plugin) OnTick() {
	now := time.Now()
	for range min(slotsPerTick, p.config.MaxEntries) {
		key := slotKey(p.nextSlot)
		p.nextSlot = (p.nextSlot + 1) % p.config.MaxEntries
		entry, cas := readSlot(key)
		if entry != nil && entry.expired(now, p.config.CacheTTLSeconds) &&
			proxywasm.SetSharedData(key, nil, cas) == nil {
			p.expired.addOne()
		}
	}
}

// slotFor names the slot of an answer.
func (p *plugin) slotFor(key string) string { return slotKey(slotOf(key, p.config.MaxEntries)) }

// check counts and logs what the host refused.
func (p *plugin) check(err error, doing string) {
	if err != nil {
		p.errors.addOne()
		logf(levelError, "cannot %s: %v", doing, err)
	}
}

func (p *plugin) tooLarge() {
	p.bodiesTooLarge.addOne()
	logf(levelDebug, "not kept: the body is above max_body_bytes (%d)", p.config.MaxBodyBytes)
}

// stream is one HTTP request and its response.
type stream struct {
	types.DefaultHttpContext
	plugin  *plugin
	key     string // empty when this request has nothing to do with the cache
	keeping *entry // the answer that is being collected
}

func (s *stream) OnHttpRequestHeaders(_ int, end bool) types.Action {
	s.plugin.requests.addOne()
	key := cacheKey()
	if !end || key == "" {
		return types.ActionContinue
	}
	now := time.Now()
	entry, _ := readSlot(s.plugin.slotFor(key))
	if entry != nil && entry.key == key && !entry.expired(now, s.plugin.config.CacheTTLSeconds) {
		err := answer(entry, now)
		s.plugin.check(err, "answer from the cache")
		if err == nil {
			// The answer comes through OnHttpResponseHeaders too: without a key.
			s.plugin.hits.addOne()
			return types.ActionPause
		}
	}
	s.plugin.misses.addOne()
	s.key = key
	return types.ActionContinue
}

func (s *stream) OnHttpResponseHeaders(_ int, end bool) types.Action {
	if s.key == "" {
		return types.ActionContinue
	}
	s.plugin.check(proxywasm.ReplaceHttpResponseHeader("x-cache", "miss"), "set x-cache")
	if s.mayKeep() {
		contentType, _ := proxywasm.GetHttpResponseHeader("content-type")
		s.keeping = &entry{key: s.key, contentType: contentType}
	}
	if end {
		s.store()
	}
	return types.ActionContinue
}

func (s *stream) mayKeep() bool {
	if status, err := proxywasm.GetHttpResponseHeader(":status"); err != nil || status != "200" {
		return false
	}
	for _, name := range unfit {
		if _, err := proxywasm.GetHttpResponseHeader(name); err == nil {
			return false
		}
	}
	if control, err := proxywasm.GetHttpResponseHeader("cache-control"); err == nil && forbidsStoring(control) {
		return false
	}
	length, err := proxywasm.GetHttpResponseHeader("content-length")
	if err != nil {
		return true
	}
	if size, err := strconv.ParseUint(length, 10, 64); err == nil && size > uint64(s.plugin.config.MaxBodyBytes) {
		s.plugin.tooLarge()
		return false
	}
	return true
}

// OnHttpResponseBody lets the body go on chunk by chunk; it is kept at its end.
func (s *stream) OnHttpResponseBody(size int, end bool) types.Action {
	if s.keeping == nil {
		return types.ActionContinue
	}
	if len(s.keeping.body)+size > int(s.plugin.config.MaxBodyBytes) {
		s.keeping = nil
		s.plugin.tooLarge()
		return types.ActionContinue
	}
	if size > 0 {
		chunk, err := proxywasm.GetHttpResponseBody(0, size)
		if err == nil && len(chunk) != size {
			err = errors.New("a part of it is missing")
		}
		if err != nil {
			s.keeping = nil
			s.plugin.check(err, "read the response body")
			return types.ActionContinue
		}
		s.keeping.body = append(s.keeping.body, chunk...)
	}
	if end {
		s.store()
	}
	return types.ActionContinue
}

func (s *stream) store() {
	if s.keeping == nil {
		return
	}
	s.keeping.stored = time.Now()
	slot := s.plugin.slotFor(s.key)
	_, cas := readSlot(slot)
	err := proxywasm.SetSharedData(slot, s.keeping.encode(), cas)
	s.keeping = nil
	if errors.Is(err, types.ErrorStatusCasMismatch) {
		logf(levelDebug, "another worker has just written %s", slot)
		return
	}
	s.plugin.check(err, "keep an answer")
	if err == nil {
		s.plugin.stored.addOne()
	}
}

// cacheKey is empty when the cache is not to be asked: the answer could be another one for this
// client.
func cacheKey() string {
	method, err := proxywasm.GetHttpRequestHeader(":method")
	if err != nil || method != "GET" {
		return ""
	}
	for _, name := range personal {
		if _, err := proxywasm.GetHttpRequestHeader(name); err == nil {
			return ""
		}
	}
	host, hostErr := proxywasm.GetHttpRequestHeader(":authority")
	path, pathErr := proxywasm.GetHttpRequestHeader(":path")
	if hostErr != nil || pathErr != nil || len(host)+len(path) > longestKey {
		return ""
	}
	return host + path
}

func answer(entry *entry, now time.Time) error {
	headers := [][2]string{{"x-cache", "hit"}, {"age", strconv.Itoa(entry.age(now))}}
	if entry.contentType != "" {
		headers = append(headers, [2]string{"content-type", entry.contentType})
	}
	return proxywasm.SendHttpResponse(200, headers, entry.body, noGRPCStatus)
}

func slotKey(slot uint32) string { return fmt.Sprintf("my-plugin/slot/%d", slot) }

// readSlot returns the entry, and the number that a write must name to be sure that it is still
// this one.
func readSlot(key string) (*entry, uint32) {
	data, cas, err := proxywasm.GetSharedData(key)
	if err != nil {
		return nil, notYet
	}
	return decodeEntry(data), cas
}
