package gate

import (
	"bytes"
	"encoding/json"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=19456,t=2,p=1,keyid=AAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$$")
	f.Add("$argon2i$v=19$m=1,t=1,p=1$a$b")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parsePHC(s)
		if err != nil {
			return
		}
		if h.check() != nil || len(h.salt) != saltBytes || len(h.hash) != hashBytes {
			t.Errorf("%q: parsed out of bounds: %+v", s, h.params)
		}
		if got := h.String(); got != s {
			t.Errorf("%q: written as %q", s, got)
		}
	})
}

func FuzzCheckJSON(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1}`, `{"a":{"b":[1,2,{"c":null}]}}`, `{"a":1,"A":2}`, `[1]`, `{} {}`, `{"a":` + strings.Repeat("[", 40), "{\"\xff\":1}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if checkJSON(b) != nil {
			return
		}
		// What passed is one object that the decoder reads as well.
		var v map[string]any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Errorf("%q: passed, but does not decode: %v", b, err)
		}
	})
}

func FuzzLanguage(f *testing.F) {
	for _, s := range []string{"", "zh", "en-GB,en;q=0.5", "zh-Hant-TW;q=0.1, en;q=0.2", "fr;q=1", "zh;q=NaN", "*", strings.Repeat("zh,", 1000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := language(s, "en"); got != "en" && got != "zh" {
			t.Errorf("%q: got %q", s, got)
		}
	})
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"": "other", "fr, de": "other", "zh": "zh", "ZH-cn": "zh", "en-US,en;q=0.9": "en", "fr,zh-TW;q=0.8,en;q=0.7": "zh",
		"zh;q=0.1,en;q=0.2": "en", "zh;q=0": "other", "zh;q=2": "other", "zh;q=x": "other", "zhx": "other", " zh ; q=0.5": "zh",
		strings.Repeat("fr,", 20) + "zh": "other",
	} {
		if got := language(header, "other"); got != want {
			t.Errorf("%q: got %q, want %q", header, got, want)
		}
	}
}

func FuzzPicture(f *testing.F) {
	f.Add([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"), "image/png")
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00MM\x00*\x00\x00\x00\x08"), "image/jpeg")
	f.Add([]byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00/\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"), "image/webp")
	f.Fuzz(func(t *testing.T, b []byte, kind string) {
		a, err := checkPicture(b, kind)
		if err != nil {
			return
		}
		again, err := checkPicture(a.Bytes, a.Type)
		if err != nil {
			t.Fatalf("what was stored is refused: %v", err)
		}
		if kind == "image/png" {
			if c, err := png.DecodeConfig(bytes.NewReader(again.Bytes)); err != nil || c.Width > maxPixels || c.Height > maxPixels {
				t.Errorf("stored a picture of %dx%d (%v)", c.Width, c.Height, err)
			}
		}
	})
}

func FuzzForwardedFor(f *testing.F) {
	for _, s := range []string{"", "1.2.3.4", "1.2.3.4, 10.0.0.1", "::1", "10.0.0.1,10.0.0.1", ",,,", "1.2.3.4:80", "fe80::1%eth0"} {
		f.Add(s)
	}
	g := &Gate{proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, exempt: true}
	f.Fuzz(func(t *testing.T, s string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.RemoteAddr = "10.0.0.1:1"
		r.Header.Set("X-Forwarded-For", s)
		if got := g.clientOf(r); got.limit == "" || got.addr == "" || len(got.limit)+len(got.addr) > 128 {
			t.Errorf("%q: got %q", s, got)
		}
	})
}
