package main

import "strconv"

type verdict int

const (
	// unknown: the service has not said yes, and not said no on purpose.
	unknown verdict = iota
	allow
	deny
)

// judge says what an answer with this status means, and which status the client gets. Only a
// clear no is passed on: 5xx, Envoy's own 503 and 504, redirects and no answer at all ("") are
// unknown.
func judge(status string) (verdict, uint32) {
	code, err := strconv.ParseUint(status, 10, 32)
	switch {
	case err != nil:
		return unknown, 503
	case code >= 200 && code < 300:
		return allow, 0
	case code == 401 || code == 403:
		return deny, uint32(code)
	case code >= 400 && code < 500:
		return deny, 403
	}
	return unknown, 503
}
