package main

import "testing"

func TestDecodeIsStrict(t *testing.T) {
	var into struct {
		Count uint32   `json:"count"`
		Level logLevel `json:"log_level"`
	}
	for _, text := range []string{
		"", "[]", "null", "{", "{} x", `{"counts": 1}`, `{"count": "1"}`, `{"count": -1}`,
		`{"count": 1.5}`, `{"log_level": "loud"}`, `{"log_level": 1}`, `{"Count": 1}`,
		`{"count": null}`, `{"log_level": null}`,
	} {
		if err := decode([]byte(text), &into); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	if err := decode([]byte(` {"count": 7, "log_level": "warn"} `), &into); err != nil {
		t.Fatal(err)
	}
	if into.Count != 7 || into.Level != levelWarn {
		t.Errorf("read %+v", into)
	}
}

func TestHeadersAreChecked(t *testing.T) {
	for _, name := range []string{"", "x a", ":path", "x\n", "ä"} {
		if checkHeader(name, "") == nil {
			t.Errorf("%q was taken", name)
		}
	}
	if checkHeader("x-a", "a\r\nb") == nil {
		t.Error("a line break was taken")
	}
	if err := checkHeader("X-A_1", "a\tb é"); err != nil {
		t.Error(err)
	}
}
