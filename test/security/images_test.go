package security_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/liao-im/liao/test/liaotest"
)

func square(n int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, n, n))
	for x := range n {
		m.Set(x, x, color.RGBA{200, 30, 30, 255})
	}
	return m
}

func asPNG(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, square(n)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// claims returns a small PNG whose header claims to be w by h.
func claims(t *testing.T, w, h uint32) []byte {
	t.Helper()
	b := asPNG(t, 1)
	binary.BigEndian.PutUint32(b[16:], w)
	binary.BigEndian.PutUint32(b[20:], h)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

// TestPictures: what claims to be huge is refused before it is decoded, what is no
// picture is refused whatever it says it is, and nothing is ever fetched.
func TestPictures(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann := s.SignUp("ann")
	put := func(kind string, body []byte) liaotest.Answer {
		t.Helper()
		a, err := liaotest.Do(t.Context(), http.MethodPut, s.Gate+"/v1/me/avatar",
			http.Header{"Authorization": {"Bearer " + ann.Access}, "Content-Type": {kind}}, body)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	before := rss(t, s)
	svg := []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`)
	var gps bytes.Buffer
	if err := jpeg.Encode(&gps, square(64), nil); err != nil {
		t.Fatal(err)
	}
	exif := append([]byte{0xff, 0xe1, 0, 20}, "Exif\x00\x00canary-gps-1"...)
	withEXIF := append(append(append([]byte{}, gps.Bytes()[:2]...), exif...), gps.Bytes()[2:]...)
	for _, tc := range []struct {
		name, kind string
		body       []byte
		want       []int
	}{
		{"60,000 by 60,000 pixels", "image/png", claims(t, 60_000, 60_000), []int{400, 413}},
		{"2^31 wide", "image/png", claims(t, 1<<31-1, 1), []int{400, 413}},
		{"1,025 pixels", "image/png", asPNG(t, 1025), []int{400, 413}},
		{"cut off", "image/png", asPNG(t, 64)[:60], []int{400}},
		{"SVG", "image/svg+xml", svg, []int{415}},
		{"SVG that says it is PNG", "image/png", svg, []int{400, 415}},
		{"HTML that says it is PNG", "image/png", []byte("<html><script>alert(1)</script>"), []int{400, 415}},
		{"PNG that says it is JPEG", "image/jpeg", asPNG(t, 8), []int{400, 415}},
		{"a zip", "application/zip", []byte("PK\x03\x04"), []int{415}},
		{"an address to fetch", "text/uri-list", []byte("http://127.0.0.1/"), []int{415}},
		{"over 256 KiB", "image/png", append(asPNG(t, 8), bytes.Repeat([]byte{0}, 300<<10)...), []int{413}},
		{"nothing", "image/png", []byte{}, []int{400, 415}},
	} {
		begin := time.Now()
		a := put(tc.kind, tc.body)
		ok := false
		for _, w := range tc.want {
			ok = ok || a.Status == w
		}
		if !ok {
			t.Errorf("%s: %d %s, want %v", tc.name, a.Status, a.Raw, tc.want)
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%s: answered after %v", tc.name, took)
		}
	}
	if grown := rss(t, s) - before; grown > 64<<20 {
		t.Errorf("hostile pictures grew the server by %d MiB", grown>>20)
	}

	sha := put("image/jpeg", withEXIF).Want(t, 200).String("user.avatar")
	got := s.Call(http.MethodGet, "/v1/avatars/"+sha, "", nil).Want(t, 200)
	if bytes.Contains(got.Raw, []byte("canary-gps")) {
		t.Error("the picture still says where it was taken")
	}
	for header, want := range map[string]string{"Content-Type": "image/jpeg", "X-Content-Type-Options": "nosniff"} {
		if got.Header.Get(header) != want {
			t.Errorf("%s: %q, want %q", header, got.Header.Get(header), want)
		}
	}
	if !strings.Contains(got.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("Cache-Control %q, want immutable", got.Header.Get("Cache-Control"))
	}
	for _, path := range []string{"/v1/avatars/" + strings.Repeat("0", 64), "/v1/avatars/nonsense", "/v1/avatars/..%2f..%2fetc%2fpasswd"} {
		if a := s.Call(http.MethodGet, path, "", nil); a.Status != 404 && a.Status != 400 {
			t.Errorf("%s: %d, want 404", path, a.Status)
		}
	}
}

// TestNothingIsFetched: addresses in names, texts and profiles make no connection.
func TestNothingIsFetched(t *testing.T) {
	caught := make(chan string, 100)
	trap := newTrap(t, caught)
	s := liaotest.Start(t, liaotest.Options{})
	ann, ben := s.SignUp("ann"), s.SignUp("ben")
	a, b := ann.Connect(), ben.Connect()
	conv := liaotest.Befriend(a, b)
	url := "http://" + trap + "/"
	for i, text := range []string{url, "see " + url + " now", "![x](" + url + ")", `<img src="` + url + `">`, "http://[::ffff:127.0.0.1]" + trap[strings.Index(trap, ":"):]} {
		a.Ask("SEND", object{"conv": conv, "key": "key-0000000" + string(rune('0'+i)), "content": object{
			"kind": "text", "text": text, "data": object{"url": url, "preview": url, "image": url},
		}}).Want("SENT")
	}
	ann.Call(http.MethodPatch, "/v1/me", object{"bio": url, "name": "Ann"}).Want(t, 200)
	ann.Call(http.MethodPatch, "/v1/me", object{"avatar": url, "name": "Ann"})
	b.Ask("HISTORY", object{"conv": conv}).Want("PAGE")
	select {
	case from := <-caught:
		t.Errorf("the server fetched %s", from)
	case <-time.After(500 * time.Millisecond):
	}
}

// newTrap listens and reports who comes.
func newTrap(t *testing.T, caught chan<- string) string {
	t.Helper()
	ln := listen(t)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			caught <- c.RemoteAddr().String()
			_ = c.Close()
		}
	}()
	return ln.Addr().String()
}
