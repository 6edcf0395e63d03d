package gate

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/webp"

	"github.com/liao-im/liao/internal/im"
)

const maxPixels = 1024 // a side

// pictureFormat is one kind of picture that we take.
type pictureFormat struct {
	magic  string
	config func([]byte) (image.Config, error)
	clean  func([]byte) ([]byte, error) // proves that it decodes, drops what is no picture
}

// checkPicture returns the picture as it is stored. Its bytes decide what it is, the
// declared type must agree, and its size in pixels is known before any are decoded:
// a few bytes may claim gigabytes.
//
// What a picture says besides itself (where it was taken, by whom) is dropped: PNG
// and JPEG are written anew, which also ends files that are two things at once. There
// is no WebP encoder here, so of WebP the chunks that make the picture are kept.
func checkPicture(b []byte, declared string) (im.Avatar, error) {
	f, ok := formatOf(declared)
	if !ok || !bytes.HasPrefix(b, []byte(f.magic)) {
		return im.Avatar{}, im.Fail(im.Unsupported, "the picture must be PNG, JPEG or WebP, and what Content-Type says")
	}
	c, err := f.config(b)
	if err != nil {
		return im.Avatar{}, errPicture()
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxPixels || c.Height > maxPixels {
		return im.Avatar{}, im.Fail(im.Invalid, fmt.Sprintf("the picture must be at most %d pixels wide and high", maxPixels))
	}
	clean, err := f.clean(b)
	if err != nil {
		return im.Avatar{}, errPicture()
	}
	if len(clean) > 2*maxPicture {
		// Written anew a photograph may grow, but not without end.
		return im.Avatar{}, im.Fail(im.TooLarge, "the picture is too large")
	}
	sum := sha256.Sum256(clean)
	return im.Avatar{SHA256: hex.EncodeToString(sum[:]), Type: declared, Bytes: clean}, nil
}

func errPicture() error { return im.Fail(im.Invalid, "the picture is damaged") }

func formatOf(kind string) (pictureFormat, bool) {
	switch kind {
	case "image/png":
		return pictureFormat{"\x89PNG\r\n\x1a\n", func(b []byte) (image.Config, error) { return png.DecodeConfig(bytes.NewReader(b)) }, cleanPNG}, true
	case "image/jpeg":
		return pictureFormat{"\xff\xd8\xff", func(b []byte) (image.Config, error) { return jpeg.DecodeConfig(bytes.NewReader(b)) }, cleanJPEG}, true
	case "image/webp":
		return pictureFormat{"RIFF", func(b []byte) (image.Config, error) { return webp.DecodeConfig(bytes.NewReader(b)) }, cleanWebP}, true
	}
	return pictureFormat{}, false
}

func cleanPNG(b []byte) ([]byte, error) {
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, m)
	return out.Bytes(), err
}

func cleanJPEG(b []byte) ([]byte, error) {
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = jpeg.Encode(&out, upright(m, orientation(b)), &jpeg.Options{Quality: 90})
	return out.Bytes(), err
}

// cleanWebP keeps the chunks VP8X, ALPH, VP8 and VP8L, each of which must lie whole
// in the file. Animations are refused: the decoder cannot prove their frames.
func cleanWebP(b []byte) ([]byte, error) {
	if _, err := webp.Decode(bytes.NewReader(b)); err != nil {
		return nil, err
	}
	if len(b) < 12 || string(b[8:12]) != "WEBP" {
		return nil, fmt.Errorf("no WebP file")
	}
	out := append([]byte(nil), b[:12]...)
	for rest := b[12:]; len(rest) > 0; {
		if len(rest) < 8 {
			return nil, fmt.Errorf("half a chunk")
		}
		size := int64(binary.LittleEndian.Uint32(rest[4:8]))
		whole := 8 + size + size%2
		if whole > int64(len(rest)) {
			return nil, fmt.Errorf("half a chunk")
		}
		switch chunk := rest[:whole]; string(chunk[:4]) {
		case "VP8X":
			if size < 10 {
				return nil, fmt.Errorf("half a header")
			}
			at := len(out)
			out = append(out, chunk...)
			out[at+8] &= 1 << 4 // of the flags only alpha: no profile, EXIF, XMP, animation
		case "ALPH", "VP8 ", "VP8L":
			out = append(out, chunk...)
		}
		rest = rest[whole:]
	}
	binary.LittleEndian.PutUint32(out[4:8], uint32(len(out)-8)) //nolint:gosec // at most 256 KiB
	if _, err := webp.Decode(bytes.NewReader(out)); err != nil {
		return nil, err
	}
	return out, nil
}
