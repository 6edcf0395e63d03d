package gate_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"strings"
	"testing"
)

// photo is a blue picture whose upper left quarter is red.
func photo(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{B: 255, A: 255}
			if x < w/2 && y < h/2 {
				c = color.RGBA{R: 255, A: 255}
			}
			m.Set(x, y, c)
		}
	}
	return m
}

func pngOf(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatalf("encode: %v", err)
	}
	return b.Bytes()
}

// jpegOf is a JPEG with an EXIF block that holds a secret and asks to be turned.
func jpegOf(t *testing.T, m image.Image, orientation byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatalf("encode: %v", err)
	}
	exif := append([]byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"), orientation)
	exif = append(exif, "\x00\x00\x00\x00\x00\x00GPS 48.2082 N 16.3738 E"...)
	segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(exif)+2))
	return append(append(append([]byte{0xff, 0xd8}, segment...), exif...), b.Bytes()[2:]...)
}

// hugePNG says that it is w by h pixels and holds none.
func hugePNG(w, h uint32) []byte {
	ihdr := binary.BigEndian.AppendUint32([]byte("IHDR"), w)
	ihdr = append(binary.BigEndian.AppendUint32(ihdr, h), 8, 6, 0, 0, 0)
	b := binary.BigEndian.AppendUint32([]byte("\x89PNG\r\n\x1a\n"), 13)
	return binary.BigEndian.AppendUint32(append(b, ihdr...), crc32.ChecksumIEEE(ihdr))
}

// webpOf is a lossless WebP of one pixel, with an EXIF chunk in front of an end that
// belongs to nothing.
func webpOf(t *testing.T) []byte {
	t.Helper()
	pixel, err := base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte("GPS 48.2082 N 16.3738 E.")
	b := append([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"), pixel[12:]...)
	b = append(binary.LittleEndian.AppendUint32(append(b, "EXIF"...), uint32(len(secret))), secret...)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

func TestAvatar(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	token, _, _ := d.signUp("ada")
	put := func(kind string, body []byte) answer {
		r := request(t, "PUT", "/v1/me/avatar", token, string(body))
		r.Header.Set("Content-Type", kind)
		return d.send(r)
	}
	for name, c := range map[string]struct {
		kind string
		body []byte
	}{
		"png":        {"image/png", pngOf(t, photo(40, 20))},
		"png at max": {"image/png", pngOf(t, photo(1024, 1024))},
		"jpeg":       {"image/jpeg", jpegOf(t, photo(40, 20), 1)},
		"webp":       {"image/webp", webpOf(t)},
	} {
		t.Run(name, func(t *testing.T) {
			a := put(c.kind, c.body)
			a.want(t, http.StatusOK, "")
			sum, _ := a.fields["user"].(map[string]any)["avatar"].(string)
			g := d.do("GET", "/v1/avatars/"+sum, "", nil)
			g.want(t, http.StatusOK, "")
			for h, want := range map[string]string{
				"Content-Type": c.kind, "X-Content-Type-Options": "nosniff", "ETag": `"` + sum + `"`,
				"Cache-Control": "public, max-age=31536000, immutable", "Content-Security-Policy": "default-src 'none'; sandbox",
			} {
				if got := g.header.Get(h); got != want {
					t.Errorf("%s: got %q, want %q", h, got, want)
				}
			}
			if bytes.Contains(g.body, []byte("GPS")) {
				t.Error("the picture still says where it was taken")
			}
			if a := put(c.kind, g.body); a.status != http.StatusOK {
				t.Errorf("what we stored is refused: %d %s", a.status, a.body)
			}
			again := request(t, "GET", "/v1/avatars/"+sum, "", nil)
			again.Header.Set("If-None-Match", `"`+sum+`"`)
			if a := d.send(again); a.status != http.StatusNotModified || len(a.body) != 0 {
				t.Errorf("known picture: got %d and %d bytes", a.status, len(a.body))
			}
		})
	}
	d.do("DELETE", "/v1/me/avatar", token, nil).want(t, 200, "")
	if a := d.do("GET", "/v1/me", token, nil); a.fields["user"].(map[string]any)["avatar"] != "" {
		t.Errorf("avatar after its removal: %s", a.body)
	}
	d.do("GET", "/v1/avatars/"+strings.Repeat("0", 64), "", nil).want(t, 404, "not_found")
	d.do("GET", "/v1/avatars/x", "", nil).want(t, 404, "not_found")
}

func TestRefusedPictures(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	token, _, _ := d.signUp("ada")
	good := pngOf(t, photo(40, 20))
	for name, c := range map[string]struct {
		kind   string
		body   []byte
		status int
		code   string
	}{
		"no picture":        {"image/png", []byte("hello"), 415, "unsupported"},
		"svg":               {"image/svg+xml", []byte("<svg onload=alert(1)>"), 415, "unsupported"},
		"html as png":       {"image/png", []byte("<script>alert(1)</script>"), 415, "unsupported"},
		"png as jpeg":       {"image/jpeg", good, 415, "unsupported"},
		"gif":               {"image/gif", []byte("GIF89a"), 415, "unsupported"},
		"json":              {"application/json", []byte("{}"), 415, "unsupported"},
		"empty":             {"image/png", nil, 400, "invalid"},
		"half":              {"image/png", good[:len(good)/2], 400, "invalid"},
		"header alone":      {"image/png", hugePNG(10, 10), 400, "invalid"},
		"60,000 squared":    {"image/png", hugePNG(60_000, 60_000), 400, "invalid"},
		"2^31 wide":         {"image/png", hugePNG(1<<31-1, 1), 400, "invalid"},
		"1025 wide":         {"image/png", pngOf(t, photo(1025, 1)), 400, "invalid"},
		"1025 high":         {"image/jpeg", jpegOf(t, photo(1, 1025), 1), 400, "invalid"},
		"half a webp":       {"image/webp", webpOf(t)[:30], 400, "invalid"},
		"riff, but no webp": {"image/webp", []byte("RIFF\x04\x00\x00\x00WAVE"), 400, "invalid"},
		"over 256 KiB":      {"image/png", append(bytes.Clone(good), make([]byte, 256<<10)...), 413, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(t, "PUT", "/v1/me/avatar", token, string(c.body))
			r.Header.Set("Content-Type", c.kind)
			d.send(r).want(t, c.status, c.code)
		})
	}
	r := request(t, "PUT", "/v1/me/avatar", "", string(good))
	r.Header.Set("Content-Type", "image/png")
	d.send(r).want(t, 401, "unauthenticated")
}

// TestPicturesStandUpright: a picture whose EXIF is dropped must be turned as it asked.
func TestPicturesStandUpright(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	token, _, _ := d.signUp("ada")
	// Where the red quarter lies after each orientation, as EXIF defines them.
	left, right, top, bottom := 4, 16, 4, 16
	for o, c := range map[byte]struct {
		w, h int
		red  image.Point
	}{
		1: {40, 20, image.Pt(left, top)},
		2: {40, 20, image.Pt(40-left, top)},
		3: {40, 20, image.Pt(40-left, bottom)},
		4: {40, 20, image.Pt(left, bottom)},
		5: {20, 40, image.Pt(left, top)},
		6: {20, 40, image.Pt(right, top)},
		7: {20, 40, image.Pt(right, 40-top)},
		8: {20, 40, image.Pt(left, 40-top)},
	} {
		r := request(t, "PUT", "/v1/me/avatar", token, string(jpegOf(t, photo(40, 20), o)))
		r.Header.Set("Content-Type", "image/jpeg")
		a := d.send(r)
		a.want(t, 200, "")
		g := d.do("GET", "/v1/avatars/"+a.fields["user"].(map[string]any)["avatar"].(string), "", nil)
		m, err := jpeg.Decode(bytes.NewReader(g.body))
		if err != nil {
			t.Fatalf("decode: %v", err)
		}
		if s := m.Bounds().Size(); s != image.Pt(c.w, c.h) {
			t.Errorf("orientation %d: size %v, want %dx%d", o, s, c.w, c.h)
			continue
		}
		for _, p := range []image.Point{{4, 4}, {c.w - 4, 4}, {4, c.h - 4}, {c.w - 4, c.h - 4}} {
			r, _, b, _ := m.At(p.X, p.Y).RGBA()
			if isRed := r > b; isRed != (p == c.red) {
				t.Errorf("orientation %d: %v is red: %t", o, p, isRed)
			}
		}
	}
}
