package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

// pluginConfiguration returns what the WasmPlugin passes in pluginConfig. Istio sends nothing for
// a plugin without one; that counts as {}.
func pluginConfiguration() ([]byte, error) {
	data, err := proxywasm.GetPluginConfiguration()
	if errors.Is(err, types.ErrorStatusNotFound) || (err == nil && len(data) == 0) {
		return []byte("{}"), nil
	}
	return data, err
}

// decode reads one JSON object, as strictly as config.schema.json describes it: encoding/json alone
// takes unknown keys, keys in another case, and null for everything.
func decode(data []byte, into any) error {
	var keys map[string]any
	if err := json.Unmarshal(data, &keys); err != nil {
		return err
	}
	if keys == nil {
		return errors.New("not a JSON object")
	}
	if err := checkKeys(keys, reflect.TypeOf(into).Elem()); err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// checkKeys wants every key to be the tag of a field, to the letter, and its value to be there.
func checkKeys(keys map[string]any, fields reflect.Type) error {
	known := map[string]bool{}
	for i := range fields.NumField() {
		known[fields.Field(i).Tag.Get("json")] = true
	}
	for key, value := range keys {
		if !known[key] {
			return fmt.Errorf("unknown key %q", key)
		}
		if holdsNull(value) {
			return fmt.Errorf("%s: null is no value", key)
		}
	}
	return nil
}

func holdsNull(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case []any:
		return slices.ContainsFunc(value, holdsNull)
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(value)), holdsNull)
	}
	return false
}

// logLevel is the plugin's own threshold; the proxy has another one.
type logLevel int

const (
	levelTrace logLevel = iota
	levelDebug
	levelInfo
	levelWarn
	levelError
	levelCritical
)

var levelNames = []string{"trace", "debug", "info", "warn", "error", "critical"}

func (l *logLevel) UnmarshalText(text []byte) error {
	index := slices.Index(levelNames, string(text))
	if index < 0 {
		return fmt.Errorf("log_level must be one of %s", strings.Join(levelNames, ", "))
	}
	*l = logLevel(index)
	return nil
}

// lowestLevel is that of the configuration in force.
var lowestLevel = levelInfo

// logf logs a line, unless it is below the configured level.
func logf(level logLevel, format string, args ...any) {
	if level < lowestLevel {
		return
	}
	write := map[logLevel]func(string){
		levelTrace: proxywasm.LogTrace, levelDebug: proxywasm.LogDebug,
		levelInfo: proxywasm.LogInfo, levelWarn: proxywasm.LogWarn,
		levelError: proxywasm.LogError, levelCritical: proxywasm.LogCritical,
	}[level]
	write(fmt.Sprintf(format, args...))
}

// checkHeader keeps invalid headers out: Envoy answers 503 to a request that carries one.
func checkHeader(name, value string) error {
	const symbols = "!#$%&'*+-.^_`|~"
	invalid := func(c rune) bool {
		letter := (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
		return !letter && (c < '0' || c > '9') && !strings.ContainsRune(symbols, c)
	}
	if name == "" || strings.ContainsFunc(name, invalid) {
		return fmt.Errorf("'%s' is no header name", name)
	}
	if strings.ContainsFunc(value, func(c rune) bool { return (c < ' ' && c != '\t') || c == 0x7f }) {
		return fmt.Errorf("the value of '%s' holds a control character", name)
	}
	return nil
}

// checkRange says when a number is out of its range.
func checkRange(key string, number, least, most uint32) error {
	if number < least || number > most {
		return fmt.Errorf("%s must be a whole number from %d to %d", key, least, most)
	}
	return nil
}
