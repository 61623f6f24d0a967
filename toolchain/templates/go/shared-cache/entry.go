package main

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"
)

// entry is one answer, as it stands in a slot of the shared data.
type entry struct {
	stored      time.Time
	key         string
	contentType string
	body        []byte
}

// encode writes four parts, one a line; the body is the rest.
func (e *entry) encode() []byte {
	head := fmt.Sprintf("%d\n%s\n%s\n", e.stored.UnixMilli(), e.key, e.contentType)
	return append([]byte(head), e.body...)
}

// decodeEntry returns nil for an empty slot, or one that something else has written.
func decodeEntry(data []byte) *entry {
	parts := bytes.SplitN(data, []byte("\n"), 4)
	if len(parts) != 4 {
		return nil
	}
	stored, err := strconv.ParseInt(string(parts[0]), 10, 64)
	if err != nil {
		return nil
	}
	return &entry{
		stored: time.UnixMilli(stored), key: string(parts[1]),
		contentType: string(parts[2]), body: parts[3],
	}
}

func (e *entry) expired(now time.Time, ttlSeconds uint32) bool {
	return !now.Before(e.stored.Add(time.Duration(ttlSeconds) * time.Second))
}

// age is in seconds; 0 when the clock went back.
func (e *entry) age(now time.Time) int {
	return max(0, int(now.Sub(e.stored)/time.Second))
}

// slotOf says which of `slots` slots an answer to `key` goes to.
func slotOf(key string, slots uint32) uint32 {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(key)) // never fails
	return hash.Sum32() % slots
}

// forbidsStoring says whether a cache-control header of a response forbids to keep it.
func forbidsStoring(cacheControl string) bool {
	directives := strings.ToLower(cacheControl)
	return strings.Contains(directives, "no-store") || strings.Contains(directives, "no-cache") ||
		strings.Contains(directives, "private")
}
