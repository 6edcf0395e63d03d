package gate

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/liao-im/liao/internal/im"
)

// How deep a body may nest and how many keys an object may have. Ours nest twice and
// have up to six.
const (
	maxDepth = 16
	maxKeys  = 64
)

// checkJSON refuses what could mean two things to two readers, or costs more than
// it says: anything but one object of UTF-8, keys that come twice (the case of
// letters aside, because the decoder does not look at it), nesting over 16, objects of over 64 keys.
func checkJSON(body []byte) error {
	if !utf8.Valid(body) {
		return im.Fail(im.Invalid, "the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // a number of a thousand digits is none of our business
	first, err := d.Token()
	if err != nil || first != json.Delim('{') {
		return im.Fail(im.Invalid, "the body must be a JSON object")
	}
	if err := checkObject(d, 1); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return im.Fail(im.Invalid, "something follows the JSON object")
	}
	return nil
}

func checkObject(d *json.Decoder, depth int) error {
	seen := make(map[string]bool)
	for d.More() {
		t, err := d.Token()
		key, isKey := t.(string)
		if err != nil || !isKey {
			return badJSON()
		}
		key = strings.ToLower(key)
		if seen[key] {
			return im.Fail(im.Invalid, "a key comes twice in the JSON object")
		}
		if len(seen) == maxKeys {
			return im.Fail(im.Invalid, "a JSON object has over 64 keys")
		}
		seen[key] = true
		if err := checkValue(d, depth); err != nil {
			return err
		}
	}
	return closing(d)
}

func checkValue(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return badJSON()
	}
	open, isDelim := t.(json.Delim)
	if !isDelim {
		return nil
	}
	if depth == maxDepth {
		return im.Fail(im.Invalid, "the JSON is over 16 deep")
	}
	if open == '{' {
		return checkObject(d, depth+1)
	}
	for d.More() {
		if err := checkValue(d, depth+1); err != nil {
			return err
		}
	}
	return closing(d)
}

func closing(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return badJSON()
	}
	return nil
}

func badJSON() error { return im.Fail(im.Invalid, "the body is not JSON") }

// writeJSON encodes an answer. HTML is none of it, so < stays <.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// kinds lists the media types that a call takes.
func kinds(op *huma.Operation) string {
	var out []string
	for kind := range op.RequestBody.Content {
		out = append(out, kind)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// mediaType is the bare media type of a Content-Type header, or nothing.
func mediaType(header string) string {
	kind, _, err := mime.ParseMediaType(header)
	if err != nil {
		return ""
	}
	return kind
}

func kib(n int64) string { return strconv.FormatInt(n>>10, 10) + " KiB" }
